#pragma once
// A node of a cluster, put together: storage, agreement, links, processes, names, supervisors and
// applications, each given what it needs. The composition root; nothing else knows all of them.
// Made, started and stopped by one plain thread (the program's main, a test).

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <coterie/application.hpp>
#include <coterie/log.hpp>

#include "node/config.hpp"
#include "node/incarnation_store.hpp"
#include "node/node_outside.hpp"
#include "node/shared_page.hpp"
#include "process/ports/callback_watch.hpp"
#include "process/ports/executor.hpp"
#include "process/ports/random.hpp"
#include "process/ports/rare_paths.hpp"
#include "registry/directory_primary.hpp"
#include "registry/store_agreement.hpp"
#include "registry/store_names.hpp"
#include "registry/voter.hpp"
#include "registry/voter_lease.hpp"
#include "transport/admission.hpp"

namespace coterie {

/// Why a node did not start, or ended: a line for people and the program's exit code.
struct NodeEnd {
  int exit_code = 0;
  std::string message;
  /// A callback does not return: the node cannot be destroyed, the program leaves by std::_Exit.
  bool stuck = false;
};

/// Rules of the composition and of the cores below it. Tests of the simulator switch one off and
/// must see the damage; a program never does.
struct NodeProtections {
  Protections agreement{};   // of the store engine
  LeaseProtections lease{};  // of the voters engine: its members
  VoterProtections voter{};
  NameProtections names{};
  DirectoryProtections directory{};
  bool gate = true;              // I1: strict callbacks begin only before the lease's end
  bool claims_compared = true;   // I1: an orphan's row is claimed only as it was read
  bool newer_specs_wait = true;  // I1: a row of a newer view is judged in that view
  bool erased_stays = true;      // I4: a scan from before a deletion brings nothing back
  bool guardians_only = true;    // I1: a lost link proves no death
  bool cache_bounded = true;     // I10: of locations beside the callers the oldest goes
  bool queues_bounded = true;    // I10: what waits for the journal's disk is refused at the bound
  bool requests_bounded = true;  // I10: a stream remembers so many requests, and takes no more
};

/// Everything outside; all outlive the node.
struct NodeSurroundings {
  const Clock& clock;
  Random& random;
  Executor& executor;
  Log& log;
  NodeOutside& outside;
  IncarnationStore& state;
  SharedPage& page;
  std::function<bool()> guardian_alive{};
  /// Also told which strict name's callback runs when; null: nobody.
  CallbackWatch* watch = nullptr;
  RarePaths* rare = nullptr;
  bool faulty = false;  // takes CrashRequest: a failover test's node
  NodeProtections protections{};
  unsigned processors = 1;  // workers, unless the configuration says otherwise
  std::int64_t os_pid = 0;
  std::string guardian_key{};  // by which other nodes know this node's guardian; empty: it has none
  std::shared_ptr<Admission> admission{};  // null: the cluster file has no keys
  /// The cluster file when it was written again; only its keys are taken. Asked once a second.
  std::function<std::optional<std::expected<ClusterConfig, ConfigError>>()> changed_config{};
};

class ClusterNode final {
 public:
  ClusterNode(const ClusterConfig& config, const NodeSection& own,
              std::vector<Application> applications, NodeSurroundings surroundings);
  ~ClusterNode();

  /// Opens storage, listens, joins the cluster and starts the applications. Returns once the node
  /// listens; it becomes active when the cluster agrees. An error means that nothing is left
  /// behind, unless it is `stuck`.
  std::expected<void, NodeEnd> start();

  /// Any thread, also a signal-handling one: drain and leave. Idempotent.
  void request_stop();
  /// Waits until the node is over: left, fenced, or unable to go on. Drains in bounded time.
  NodeEnd wait();

 private:
  std::unique_ptr<class NodeParts> parts_;
};

}  // namespace coterie
