#pragma once
// What runs between a callback that waits and the next one that runs: the short path of every call,
// inline for the sake of its caller (see Fiber::switch_to). Included by the sources of process/
// that wait.

#include "process/runtime.hpp"

namespace coterie::detail {

[[gnu::always_inline]] inline void Process::release() {
  home_.store(parked_ != nullptr ? worker_ : nullptr, std::memory_order_relaxed);
  if (!mailbox_.rest()) runtime_.schedule(*this);
}

inline void Worker::leave_strict() noexcept {
  if (strict_now_.load(std::memory_order_relaxed)) end_strict();
}

[[gnu::always_inline]] inline bool Worker::park(Process& process, bool requeue) {
  Fiber* fiber = take_fiber();
  if (fiber == nullptr) return false;
  Fiber* here = current_;
  process.parked_ = here;
  // From here on it may be woken; only this worker resumes it, so not before the switch.
  if (requeue) {
    push(process, true);
  } else {
    process.release();
  }
  current_ = fiber;
  leave_strict();
  here->switch_to(*fiber);
  this_process = &process;
  if (process.strict()) enter_strict(process);
  return true;
}

/// The end of a wait: lives on the stack that waits, and enters the worker's heap only if the
/// worker reads its clock meanwhile.
struct WaitTimer final : Timer {
  WaitTimer(Process& owner, Fire fire) noexcept : Timer(fire), process(owner) {}
  Process& process;
};

[[gnu::always_inline]] inline Wake Process::suspend(Duration timeout) {
  if (exit_) return on_exit();
  if (attached_ != nullptr) return wait_attached(timeout);
  if (timeout <= Duration::zero()) return Wake::timeout;
  if (!worker_->admit_parked()) return Wake::refused;
  timed_out_ = false;
  WaitTimer timer(*this, &on_wait_timer);
  if (timeout != infinity) worker_->timers().set(timer, timeout);
  const bool parked = worker_->park(*this, false);
  if (timer.pending()) worker_->timers().cancel(timer);
  worker_->discharge_parked();
  if (exit_) return on_exit();
  if (!parked) return Wake::refused;
  return woken_ ? Wake::woken : Wake::timeout;
}

/// The answer is in the result, or in `in_place`.
[[gnu::always_inline]] inline MessagePtr Process::await_answer(Ref ref, Duration timeout,
                                                               bool& refused,
                                                               ReplyPlace* in_place) {
  AwaitedAnswer awaited{.ref = ref, .in_place = in_place, .message = {}};
  struct Awaiting {
    AwaitedAnswer*& current;
    ~Awaiting() { current = nullptr; }
  } const awaiting{awaited_ = &awaited};
  woken_ = false;
  refused = false;
  drain();
  if (exit_) {
    on_exit();
  } else if (!awaited.here()) {
    wait_ = Wait::answer;
    const Wake wake = suspend(timeout);
    wait_ = Wait::none;
    refused = wake == Wake::refused;
    // A reply that is already here when the time runs out counts.
    if (wake == Wake::timeout) drain();
  }
  return std::move(awaited.message);
}

}  // namespace coterie::detail
