#pragma once
// One run of a simulated node's program: the node of node_parts.hpp as it is, with a main thread,
// links, storage, door for clients and page that are simulated. cut() is SIGKILL: nothing that it
// does afterwards reaches anybody; what is left of it unwinds by itself. Made by its host, outlived
// by the world and by everything it refers to. Single-threaded.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/node_parts.hpp"
#include "process/seeded_random.hpp"
#include "sim/sim_doors.hpp"
#include "sim/sim_links.hpp"
#include "sim/sim_owners.hpp"
#include "sim/sim_store.hpp"
#include "sim/sim_views.hpp"

namespace coterie::sim {

/// What all nodes of a simulated cluster share. Outlives them.
struct SimSurroundings {
  SimWorld& world;
  const ClusterConfig& config;
  const std::vector<Application>& applications;
  SimLinks& links;
  SimDoors& doors;
  SimStore& store;
  SimOwners& owners;
  SimViews& views;
  NodeProtections protections{};
  RarePaths* rare = nullptr;
  /// What a checker found wrong, beginning with the invariant.
  std::function<void(std::string)> violation;
  std::uint64_t effects = 0;  // messages that strict processes sent to other nodes, each checked
  /// One line of a node's log.
  std::function<void(const std::string& node, const LogRecord& record)> log;
};

/// What one run is told of itself.
struct SimRunStart {
  std::uint64_t number = 0;  // of all runs of the cluster
  const NodeSection& own;
  Incarnation incarnation;
  std::optional<Incarnation> proven_dead;
  std::string guardian_key;
  Bytes& voter_file;
  std::uint64_t seed = 0;
};

class SimRun final : private IncarnationStore,
                     private NodeOutside,
                     private LogSink,
                     private CallbackWatch {
 public:
  /// `ended`: the program has exited, with that result; called from a step of the world.
  SimRun(SimSurroundings& around, SimRunStart start, const SimNodeClock& clock,
         const DiskTrouble& trouble, std::function<void(std::uint64_t counter)> raise,
         std::function<void(const NodeEnd& end)> ended);
  ~SimRun() override;

  /// SIGKILL.
  void cut();
  /// SIGTERM.
  void request_stop();
  /// SIGSTOP, SIGCONT.
  void freeze(bool frozen) { executor_.freeze(frozen); }
  bool frozen() const noexcept { return executor_.frozen(); }
  /// All that it was is gone: it can be destroyed.
  bool over() const noexcept { return over_; }

  std::uint64_t number() const noexcept { return start_.number; }
  const Incarnation& incarnation() const noexcept override { return start_.incarnation; }
  const SharedPage& page() const noexcept { return page_; }
  SimExecutor& executor() noexcept { return executor_; }
  NodeParts* parts() noexcept { return parts_.get(); }
  /// What it keeps beyond its bounds; empty: nothing.
  std::string beyond_bounds() const;

 private:
  void main();
  void judge_sent(const Envelope& envelope);

  // IncarnationStore
  const std::optional<Incarnation>& proven_dead() const noexcept override {
    return start_.proven_dead;
  }
  std::expected<void, StateError> raise_to(std::uint64_t counter) override;
  // NodeOutside
  StorageResult<StorageSet> open_storage(const StorageOptions& options) override;
  std::expected<std::unique_ptr<Links>, ListenError> open_links(
      TransportOptions options, DistributionEvents& events) override;
  std::expected<std::unique_ptr<ClientDoor>, ListenError> open_clients(
      ClientListenerOptions options, ClientEvents& events, OnNotice on_notice) override;
  std::unique_ptr<VoterDisk> open_voter_disk(const std::string& state_dir) override;
  // LogSink
  void write(const LogRecord& record) noexcept override;
  // CallbackWatch
  void enter(unsigned worker, std::string_view name) noexcept override;
  void leave(unsigned) noexcept override {}

  SimSurroundings& around_;
  const SimRunStart start_;
  const SimNodeClock& clock_;
  const DiskTrouble& trouble_;
  const std::function<void(std::uint64_t)> raise_;
  const std::function<void(const NodeEnd&)> ended_;
  SeededRandom random_;
  SimExecutor executor_;
  Log log_;
  SharedPage page_;
  std::unique_ptr<NodeParts> parts_;
  bool cut_ = false;
  bool over_ = false;
};

}  // namespace coterie::sim
