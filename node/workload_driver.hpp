#pragma once
// Drives the commands of a feed against a cluster, by the decisions of WorkloadSchedule, with a
// thread of its own. Made, started and waited for by one thread, which may do other things
// meanwhile; progress() is for any thread.

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "node/workload_caller.hpp"
#include "node/workload_schedule.hpp"

namespace coterie {

/// Blocks the calling thread.
void pause_thread(Duration duration);

class WorkloadDriver final {
 public:
  /// All outlive it. The feed is the driver's until wait() has returned.
  WorkloadDriver(const Workload& workload, OperationFeed& feed, WorkloadCaller& caller,
                 const Clock& clock, DriveOptions options);
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
  void run();

  const Workload& workload_;
  WorkloadCaller& caller_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards all below but the thread; never held while it submits
  std::condition_variable changed_;
  WorkloadSchedule schedule_;
  std::size_t under_way_ = 0;  // tries whose `done` has not been called
  bool moved_ = false;         // something for the thread to look at
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace coterie
