#include "node/workload_driver.hpp"

#include <chrono>
#include <utility>

#include "process/thread_start.hpp"

namespace coterie {

void pause_thread(Duration duration) { std::this_thread::sleep_for(duration); }

WorkloadDriver::WorkloadDriver(const Workload& workload, OperationFeed& feed,
                               WorkloadCaller& caller, const Clock& clock, DriveOptions options)
    : workload_(workload),
      caller_(caller),
      clock_(clock),
      schedule_(workload, feed, caller.connections(), options) {}

WorkloadDriver::~WorkloadDriver() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void WorkloadDriver::start() {
  thread_ = detail::start_thread("coterie-drive", [this] { run(); });
}

void WorkloadDriver::stop() {
  std::lock_guard lock(mutex_);
  schedule_.stop();
  moved_ = true;
  changed_.notify_all();
}

void WorkloadDriver::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto attempts =
        schedule_.step(clock_.now(), [this](std::size_t at) { return caller_.connected(at); });
    under_way_ += attempts.size();
    if (attempts.empty() && schedule_.finished() && under_way_ == 0) break;
    if (!attempts.empty()) {
      lock.unlock();
      for (const Attempt& attempt : attempts) {
        caller_.submit(attempt.connection, workload_.call(*attempt.operation),
                       attempt.operation->request_id, attempt.timeout,
                       [this, id = attempt.id](WorkloadCaller::Answer answer) {
                         std::lock_guard guard(mutex_);
                         schedule_.answered(clock_.now(), id, answer);
                         --under_way_;
                         moved_ = true;
                         changed_.notify_all();  // under the lock: this may end with the wait
                       });
      }
      lock.lock();
    }
    const Time now = clock_.now();
    const Duration wait = std::min<Duration>(schedule_.next_due(now) - now, std::chrono::hours(1));
    changed_.wait_for(lock, wait, [this] { return moved_; });
    moved_ = false;
  }
  ended_ = true;
  changed_.notify_all();
}

bool WorkloadDriver::wait_for(Duration timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return ended_; });
}

std::vector<OperationRecord> WorkloadDriver::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_; });
  return schedule_.take_records();
}

DriveCounts WorkloadDriver::progress() const {
  std::lock_guard lock(mutex_);
  return schedule_.counts();
}

}  // namespace coterie
