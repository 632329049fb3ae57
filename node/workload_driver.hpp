#pragma once
// Drives the commands of a feed against a cluster, by the decisions of WorkloadSchedule, on a
// strand of its own. Made, started and waited for by one thread, which may do other things
// meanwhile; progress() is for any thread.

#include <memory>
#include <mutex>
#include <vector>

#include "node/workload_caller.hpp"
#include "node/workload_schedule.hpp"
#include "process/ports/executor.hpp"

namespace coterie {

class WorkloadDriver final {
 public:
  /// All outlive it; the executor's times are those of `clock`. The feed is the driver's until
  /// wait() has returned.
  WorkloadDriver(const Workload& workload, OperationFeed& feed, WorkloadCaller& caller,
                 const Clock& clock, Executor& executor, DriveOptions options);
  /// Stops, and waits for what is under way.
  ~WorkloadDriver();
  WorkloadDriver(const WorkloadDriver&) = delete;
  WorkloadDriver& operator=(const WorkloadDriver&) = delete;

  void start();
  /// Takes no more commands; those under way go on to their end, at most
  /// DriveOptions::give_up_after.
  void stop();
  /// True: all have ended. Blocks.
  bool wait_for(Duration timeout);
  /// Waits for the end of all; what each came to, in the order in which they ended.
  std::vector<OperationRecord> wait();

  DriveCounts progress() const;

 private:
  void turn();
  void submit(const Attempt& attempt);
  bool ended() const;

  const Workload& workload_;
  WorkloadCaller& caller_;
  const Clock& clock_;
  Executor& executor_;
  mutable std::mutex mutex_;  // guards all below but the strand; never held while it submits
  WorkloadSchedule schedule_;
  std::size_t under_way_ = 0;  // tries whose `done` has not been called
  Time next_turn_ = Time::max();
  bool ended_ = false;
  std::unique_ptr<Strand> strand_;  // from start() on
};

}  // namespace coterie
