#pragma once
// The load of a scenario: each of its workloads driven by WorkloadDriver (node/), with clients of
// its own, first to start the names, then along the timeline, then to read every key. Used by one
// thread.

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "node/workload_driver.hpp"
#include "sim/failover_load.hpp"
#include "sim/failover_plan.hpp"

namespace coterie::sim {

class FailoverWorkloads final : public FailoverLoad {
 public:
  struct Options {
    Duration attempt = std::chrono::seconds(1);      // a paused node does not answer: ask another
    Duration deadline = std::chrono::seconds(15);    // of a command, all tries together
    Duration start_wait = std::chrono::seconds(60);  // for one name to be started
    std::size_t clients_at_once = 32;                // that start and read names
  };
  /// Connections through these nodes. Blocks; the error is a line.
  using Connect = std::function<std::expected<std::unique_ptr<WorkloadCaller>, std::string>(
      std::span<const std::string> through)>;
  /// Reads the files of commands; the error is a line about one.
  /// `wait` sleeps, or returns false when somebody wants to end. All outlive the load.
  static std::expected<std::unique_ptr<FailoverWorkloads>, std::string> make(
      const Clock& clock, Executor& executor, const FailoverPlan& plan, Connect connect,
      std::uint64_t seed, std::function<bool(Duration)> wait);
  ~FailoverWorkloads() override;

  std::expected<void, std::string> start_names() override;
  void begin() override;
  void end() override;
  void read_all(Time until) override;
  std::vector<WorkloadEvidence> evidence(Time begin) const override;
  Duration call_timeout() const override { return options_.deadline; }
  std::vector<std::string> audit() const override;

 private:
  struct One;  // a [[workload]]

  FailoverWorkloads(const Clock& clock, Executor& executor, const FailoverPlan& plan,
                    Connect connect, std::function<bool(Duration)> wait);
  static std::expected<void, std::string> read_file(One& one, const std::string& scenario);
  /// Its keys begin with number `first`, which is then the number after its last.
  static void draw(One& one, std::size_t& first);
  std::vector<OperationRecord> drive(const One& one, WorkloadCaller& caller,
                                     std::vector<WorkloadOperation> operations,
                                     Duration give_up_after);

  const Clock& clock_;
  Executor& executor_;
  const FailoverPlan& plan_;
  const Connect connect_;
  const std::function<bool(Duration)> wait_;
  const Options options_{};
  std::vector<std::unique_ptr<One>> all_;
};

}  // namespace coterie::sim
