#include "node/local_slowness.hpp"

#include <signal.h>

#include <chrono>
#include <utility>

#include "node/local_program.hpp"
#include "process/thread_start.hpp"

namespace coterie {
namespace {

// Long beside a signal's way, short beside a lease.
constexpr std::chrono::milliseconds period{40};

}  // namespace

LocalSlowness::LocalSlowness(std::filesystem::path pid_file, pid_t guardian, double share)
    : pid_file_(std::move(pid_file)), guardian_(guardian), share_(share) {
  thread_ = detail::start_thread("coterie-slow", [this] { run(); });
}

LocalSlowness::~LocalSlowness() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LocalSlowness::hold(bool held) {
  const std::lock_guard lock(mutex_);
  held_ = held;
}

void LocalSlowness::signal(int number) const {
  if (const auto program = local_program::child_in(pid_file_, guardian_)) {
    static_cast<void>(local_program::signal_child(*program, guardian_, number));
  }
}

void LocalSlowness::run() {
  std::unique_lock lock(mutex_);
  bool stopped = false;
  while (!over_) {
    // Under the lock, so that nobody is stopped, or woken, after hold() has returned.
    if (!held_) signal(stopped ? SIGCONT : SIGSTOP);
    if (!held_) stopped = !stopped;
    const auto part = stopped ? 1 - share_ : share_;
    changed_.wait_for(lock, std::chrono::duration<double, std::milli>(part * period.count()),
                      [this] { return over_; });
  }
  if (stopped && !held_) signal(SIGCONT);
}

}  // namespace coterie
