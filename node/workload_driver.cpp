#include "node/workload_driver.hpp"

#include <chrono>
#include <utility>

namespace coterie {
namespace {

// A turn that nothing asks for: clocks of the far future do not fit into a wait.
constexpr Duration idle_turn = std::chrono::hours(1);

}  // namespace

WorkloadDriver::WorkloadDriver(const Workload& workload, OperationFeed& feed,
                               WorkloadCaller& caller, const Clock& clock, Executor& executor,
                               DriveOptions options)
    : workload_(workload),
      caller_(caller),
      clock_(clock),
      executor_(executor),
      schedule_(workload, feed, caller.connections(), options) {}

WorkloadDriver::~WorkloadDriver() {
  if (!strand_) return;
  stop();
  executor_.wait(
      this, [this] { return ended(); }, Time::max());
}

void WorkloadDriver::start() {
  strand_ = executor_.make_strand("coterie-drive");
  strand_->post([this] { turn(); });
}

void WorkloadDriver::stop() {
  const std::lock_guard lock(mutex_);
  schedule_.stop();
  if (strand_) strand_->post([this] { turn(); });
}

void WorkloadDriver::turn() {
  std::vector<Attempt> attempts;
  {
    const std::lock_guard lock(mutex_);
    const Time now = clock_.now();
    if (now >= next_turn_) next_turn_ = Time::max();
    attempts = schedule_.step(now, [this](std::size_t at) { return caller_.connected(at); });
    under_way_ += attempts.size();
  }
  for (const Attempt& attempt : attempts) submit(attempt);
  const std::lock_guard lock(mutex_);
  if (schedule_.finished() && under_way_ == 0) {
    ended_ = true;
    executor_.notify(this);
    return;
  }
  const Time now = clock_.now();
  const Time due = std::min(schedule_.next_due(now), after(now, idle_turn));
  if (due >= next_turn_) return;  // one is on its way
  next_turn_ = due;
  strand_->post_at(due, [this] { turn(); });
}

void WorkloadDriver::submit(const Attempt& attempt) {
  caller_.submit(attempt.connection, workload_.call(*attempt.operation),
                 attempt.operation->request_id, attempt.timeout,
                 [this, id = attempt.id](WorkloadCaller::Answer answer) {
                   const std::lock_guard guard(mutex_);
                   schedule_.answered(clock_.now(), id, answer);
                   --under_way_;
                   // Under the lock: this may end with the turn.
                   strand_->post([this] { turn(); });
                 });
}

bool WorkloadDriver::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool WorkloadDriver::wait_for(Duration timeout) {
  executor_.wait(
      this, [this] { return ended(); }, after(clock_.now(), timeout));
  return ended();
}

std::vector<OperationRecord> WorkloadDriver::wait() {
  executor_.wait(
      this, [this] { return ended(); }, Time::max());
  const std::lock_guard lock(mutex_);
  return schedule_.take_records();
}

DriveCounts WorkloadDriver::progress() const {
  const std::lock_guard lock(mutex_);
  return schedule_.counts();
}

}  // namespace coterie
