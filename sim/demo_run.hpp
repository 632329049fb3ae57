#pragma once
// The demo: a cluster of real nodes keeps its names through the kill -9 of the node that runs the
// most of them, in the middle of a workload. It only collects what it saw; sim/demo_report.hpp
// judges. One thread.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include <coterie/workload.hpp>

#include "node/local_cluster.hpp"
#include "node/terminal_progress.hpp"
#include "node/workload_driver.hpp"
#include "sim/demo_report.hpp"

namespace coterie::sim {

struct DemoPlan {
  std::size_t names = 500;
  std::size_t commands = 5'000;  // besides the start of each name
  double rate = 160;             // per second
  std::size_t clients = 16;
  std::uint64_t seed = 1;
};

/// The commands of the demo: a fifth of the names is started before anything else, the others on
/// the way, all of them within the first half.
std::vector<WorkloadOperation> demo_operations(const Workload& workload, const DemoPlan& plan);

class DemoRun final {
 public:
  /// All outlive it. `wait` sleeps; false: the end was asked for.
  DemoRun(const Clock& clock, Random& random, Executor& executor, const Workload& workload,
          LocalCluster& cluster, DemoPlan plan, std::function<bool(Duration)> wait,
          TerminalProgress& progress);

  /// The error is a line.
  std::expected<DemoFacts, std::string> run(std::vector<WorkloadOperation> operations);

 private:
  std::expected<void, std::string> start_cluster();
  std::expected<void, std::string> drive();
  std::expected<void, std::string> kill_the_busiest();
  void look_for_the_killed();
  std::expected<void, std::string> read_everything();
  std::expected<NamesByNode, std::string> names();
  std::vector<WorkloadOperation> reads(const std::vector<std::string>& keys) const;

  const Clock& clock_;
  Random& random_;
  Executor& executor_;
  const Workload& workload_;
  LocalCluster& cluster_;
  const DemoPlan plan_;
  const std::function<bool(Duration)> wait_;
  TerminalProgress& progress_;
  std::unique_ptr<ClusterCaller> caller_;
  std::unique_ptr<RecordedFeed> probe_feed_;
  std::unique_ptr<WorkloadDriver> probes_;
  std::uint64_t killed_run_ = 0;  // the incarnation's counter
  DemoFacts facts_;
};

}  // namespace coterie::sim
