#pragma once
// Real processes as the cluster of a failover test: a LocalCluster and clients of its nodes. One
// thread. The cluster is `proxied` and `faulty` if the scenario has faults that need it.

#include <map>
#include <vector>

#include "node/local_cluster.hpp"
#include "sim/tested_cluster.hpp"

namespace coterie::sim {

class RealCluster final : public TestedCluster {
 public:
  /// All outlive it. `nodes`: those that the scenario starts.
  RealCluster(const Clock& clock, Random& random, LocalCluster& cluster,
              std::vector<std::string> nodes)
      : clock_(clock), random_(random), cluster_(cluster), nodes_(std::move(nodes)) {}

  const ClusterConfig& config() const override { return cluster_.config(); }
  Result<void> start(const std::string& node) override { return cluster_.start(node); }
  Result<void> perform(const Deed& deed) override;
  bool started(const std::string& node) override { return cluster_.started(node); }
  std::optional<std::int64_t> program(const std::string& node) override;
  std::optional<int> exit_code(const std::string& node) override {
    return cluster_.exit_code(node);
  }
  std::string log_tail(const std::string& node, std::size_t lines) const override {
    return cluster_.log_tail(node, lines);
  }
  Result<void> wait_active(std::span<const std::string> nodes, Duration timeout) override {
    return cluster_.wait_active(nodes, timeout);
  }
  Result<std::unique_ptr<NodeClient>> connect(const std::string& node, Duration timeout) override;
  Result<void> stop_all(Duration timeout) override { return cluster_.stop_all(timeout); }
  StorageResult<StorageSet> open_storage() override;

 private:
  /// What lies inside of a node, from all faults that it has now.
  struct Inside {
    DiskFaults disk;
    unsigned partitions = 0;  // that part it from the storage
  };

  Result<void> begin(const PlannedFault& fault);
  Result<void> end(const PlannedFault& fault);
  void set_link(const Action& action, bool on);
  void set_partition(const Action& action, bool on);
  void set_disk(const Action& action, bool on);
  void tell_disk(const std::string& node);

  const Clock& clock_;
  Random& random_;
  LocalCluster& cluster_;
  const std::vector<std::string> nodes_;
  std::map<std::string, Inside> inside_;
};

}  // namespace coterie::sim
