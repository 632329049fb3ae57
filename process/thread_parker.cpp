#include "process/thread_parker.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace coterie::detail {
namespace {

using namespace std::chrono_literals;

// A system call that is not worth a wrapper in glibc. Wrong returns (EINTR, EAGAIN) need no
// handling: park() may return early.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                Duration at_most) noexcept {
  const timespec timeout{static_cast<time_t>(at_most / 1s),
                         static_cast<long>((at_most % 1s).count())};
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, &timeout, nullptr, 0);
}

void futex_wake_one(const std::atomic<std::uint32_t>& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void ThreadParker::wake() noexcept {
  // Release pairs with the acquire in take_wake(). An exchange even when already woken: a plain
  // load could be answered before the caller's own writes are visible, and the wake be lost.
  const std::uint32_t before = state_.exchange(woken, std::memory_order_acq_rel);
  if (before == asleep) futex_wake_one(state_);
  // By now another thread may sleep there: it wakes once for nothing.
  if (before == looking) lookout_.load(std::memory_order_relaxed)->rouse();
}

bool ThreadParker::take_wake() noexcept {
  return state_.exchange(awake, std::memory_order_acq_rel) == woken;
}

void ThreadParker::park(const Clock& clock, Time until, Duration spin) noexcept {
  if (take_wake()) return;
  Time now = clock.now();
  const Time spin_end = std::min(until, after(now, spin));
  while (now < spin_end) {
    if (state_.load(std::memory_order_relaxed) == woken) {
      take_wake();
      return;
    }
    relax();
    now = clock.now();
  }
  if (now >= until) return;
  std::uint32_t expected = awake;
  if (state_.compare_exchange_strong(expected, asleep, std::memory_order_acq_rel)) {
    futex_wait(state_, asleep, std::min<Duration>(until - now, 1s));
  }
  take_wake();
}

bool ThreadParker::look_out(Lookout& lookout, Time until) {
  lookout_.store(&lookout, std::memory_order_relaxed);
  std::uint32_t expected = awake;
  bool slept = true;
  if (state_.compare_exchange_strong(expected, looking, std::memory_order_acq_rel)) {
    slept = lookout.sleep(until);
  }
  return take_wake() || slept;
}

}  // namespace coterie::detail
