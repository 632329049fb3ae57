#pragma once
// A simulated cluster as that of a failover test, its faults, and the callers of its workloads. The
// test's own thread is the world's: where it blocks it runs the world. Single-threaded.

#include <map>
#include <set>
#include <string>

#include "node/workload_caller.hpp"
#include "sim/sim_cluster.hpp"
#include "sim/tested_cluster.hpp"

namespace coterie::sim {

class SimTestedCluster final : public TestedCluster {
 public:
  /// `cluster` outlives it.
  explicit SimTestedCluster(SimCluster& cluster) : cluster_(cluster) {}

  const ClusterConfig& config() const override { return cluster_.config(); }
  Result<void> start(const std::string& node) override;
  Result<void> perform(const Deed& deed) override;
  bool started(const std::string& node) override { return cluster_.host(node).guardian_runs(); }
  std::optional<std::int64_t> program(const std::string& node) override;
  std::optional<int> exit_code(const std::string& node) override {
    return cluster_.host(node).exit_code();
  }
  std::string log_tail(const std::string&, std::size_t) const override { return {}; }
  Result<void> wait_active(std::span<const std::string> nodes, Duration timeout) override;
  Result<std::unique_ptr<NodeClient>> connect(const std::string& node, Duration timeout) override;
  Result<void> stop_all(Duration timeout) override;
  StorageResult<StorageSet> open_storage() override;

  /// Connections of a workload's clients through these nodes.
  std::unique_ptr<WorkloadCaller> caller(std::span<const std::string> through);

 private:
  Result<void> begin(const PlannedFault& fault);
  Result<void> end(const PlannedFault& fault);
  void set_cuts(const Action& action, bool cut);
  Result<void> crash(const std::string& name, const std::string& reason);

  SimCluster& cluster_;
  std::uint64_t clients_ = 0;
};

}  // namespace coterie::sim
