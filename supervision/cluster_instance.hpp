#pragma once
// ClusterInstance: the instance on this node of a DynamicSupervisor of cluster scope. A GenServer
// that feeds a ClusterCore and carries out its actions: starts in cells, what blocks or belongs to
// another node in helper processes, whose end always brings an answer. It never blocks. Registered
// under the supervisor's local name on every node that hosts the kind.

#include <coterie/cluster_child.hpp>

#include "process/ports/node_events.hpp"
#include "process/ports/rare_paths.hpp"
#include "process/ports/storage.hpp"
#include "supervision/child_cell.hpp"
#include "supervision/cluster_core.hpp"
#include "supervision/spec_store.hpp"

namespace coterie::detail {

/// What the composition root gives; all outlive the instance.
struct ClusterPorts {
  Records& names;
  Agreement& agreement;
  const Placement& placement;
};

struct ClusterInstanceOptions {
  std::string name;  // local name of the instance on every node
  coterie::Kind kind;
  std::string registry{};  // of the children's via names; empty: the kind's name
  std::size_t max_children = 1'000'000;
  std::size_t max_restarts = 3;
  Duration max_seconds = std::chrono::seconds(5);
  std::size_t starts_in_flight = 512;
  std::size_t handovers_in_flight = 64;
  std::size_t rows_per_commit = 512;
  unsigned local_tries = 3;                  // failed starts here before another node tries
  Duration sweep = std::chrono::seconds(3);  // between two looks at all rows
  std::size_t quarantine_deaths = 2;
  Duration quarantine_window = std::chrono::seconds(60);
  Duration start_timeout = std::chrono::seconds(30);  // of a child's init
  Shutdown shutdown = std::chrono::seconds(5);        // of a child
  Duration forward_timeout = std::chrono::seconds(30);
  ClusterCore::Mutations mutations{};  // none but in tests
  RarePaths* rare = nullptr;           // process/ports/rare_paths.hpp
};

namespace instance {

struct Tick {
  explicit Tick(std::uint64_t n) : number(n) {}
  std::uint64_t number;
};

}  // namespace instance

class ClusterInstance final : public GenServer {
 public:
  /// Linked to the calling process, its parent; it traps exits.
  static StartResult start_link(ClusterPorts ports, ClusterInstanceOptions options);
  /// A spec for the node's supervisor: type supervisor, shutdown infinity.
  static ChildSpec child_spec(ClusterPorts ports, ClusterInstanceOptions options);

  using Calls = Messages<cluster::StartChild, cluster::TerminateChild, cluster::ReleaseChild,
                         cluster::WhichChildren, cluster::Status, cluster::Drain>;
  using Casts = Messages<cluster::Adopt, cluster::NodeDied, cell::Started, cell::Exited>;
  using Infos = Messages<Exit, Down, ViewChanged, NodeUp, NodeDown, instance::Tick>;

  ClusterInstance(std::shared_ptr<const ClusterPorts> ports, ClusterInstanceOptions options);

  Init init();
  void terminate(const ExitReason& reason);
  Next handle_call(const cluster::StartChild& request, From<cluster::StartChild> from);
  Next handle_call(const cluster::TerminateChild& request, From<cluster::TerminateChild> from);
  Next handle_call(const cluster::ReleaseChild& request, From<cluster::ReleaseChild> from);
  std::vector<ChildInfo> handle_call(const cluster::WhichChildren&) { return core_.children(); }
  ClusterStatus handle_call(const cluster::Status&) { return status(); }
  Next handle_call(const cluster::Drain& request, From<cluster::Drain> from);
  Next handle_cast(const cluster::Adopt& request);
  Next handle_cast(const cluster::NodeDied& report);
  Next handle_cast(const cell::Started& started);
  Next handle_cast(const cell::Exited& exited);
  Next handle_info(const Exit& exit);
  Next handle_info(const Down& down);
  Next handle_info(const ViewChanged&);
  void handle_info(const NodeUp&) {}
  void handle_info(const NodeDown&) {}
  Next handle_info(const instance::Tick& tick);

 private:
  struct Running {
    std::size_t cell = 0;
    Pid pid;
  };

  /// What the instance does with a helper's result, in the instance.
  using Finish = std::move_only_function<void(ClusterInstance&)>;
  /// Runs `work`, which may park, in a process of its own. Its result is taken when that process is
  /// down, so there is always one: `lost` if the process ended before `work` did.
  void help(std::move_only_function<Finish()> work, Finish lost);
  static Finish answering(RequestId request, ChildResult<Pid> result);
  static Finish refusing(RequestId request, ChildError::Code code, std::string why);

  Time now() const;
  bool active() const;
  ClusterStatus status() const;
  RequestId remember(std::function<void(ChildResult<Pid>)> reply);
  void answer(RequestId request, ChildResult<Pid> result);
  void forward_start(RequestId request, const std::string& home, cluster::StartChild child);
  /// Reads the row of a child that does not run here and passes the request on to its owner.
  void find_owner(RequestId request, const std::string& key, bool release);

  /// Carries out what the core has decided, and sees to the next tick.
  Next perform();
  void act(act::Scan&& scan);
  void act(act::Read&& read);
  void act(act::Write&& write);
  void act(act::Start&& start);
  void act(act::Stop&& stop);
  void act(act::Answer&& answer);
  void act(act::Resolve&& resolve);
  void act(act::Adopt&& adopt);
  void act(act::Drained&& drained);
  void act(act::Escalate&&) { escalate_ = true; }
  void act(act::Note&& note);

  std::shared_ptr<const ClusterPorts> ports_;
  ClusterInstanceOptions options_;
  std::string node_;
  NodeId node_id_;
  std::shared_ptr<const SpecStore> store_;
  ClusterCore core_;
  std::vector<Pid> cells_;
  std::vector<std::size_t> idle_;
  std::unordered_map<std::string, Running> running_;
  std::unordered_map<RequestId, std::function<void(ChildResult<Pid>)>> requests_;
  std::unordered_map<Ref, std::shared_ptr<Finish>> helpers_;  // by their monitors
  std::vector<From<cluster::Drain>> draining_;
  RequestId last_request_ = 0;
  std::uint64_t ticks_ = 0;
  Time tick_at_ = Time::max();
  bool escalate_ = false;
  std::string storage_error_;
};

}  // namespace coterie::detail
