#pragma once
// What runs between a callback that waits and the next one that runs: the short path of every call,
// inline for the sake of its caller (see Fiber::switch_to). Included by the sources of process/
// that wait.

#include <mutex>
#include <utility>

#include "process/runtime.hpp"

namespace coterie::detail {

inline void Worker::push_woken(Process& process, bool pinned) {
  std::lock_guard guard(queues_);
  if (woken_.load(std::memory_order_relaxed) == nullptr) {
    woken_.store(&process, std::memory_order_relaxed);
    woken_pinned_.store(pinned, std::memory_order_relaxed);
    return;
  }
  process.run_turn_ = turns_++;
  (pinned ? pinned_ : ready_).push(process);
  publish_ready();
}

/// True: it was dozing here, and is the caller's to run or to queue.
[[gnu::always_inline]] inline bool Worker::take_dozing(const Process& process) noexcept {
  if (dozing_ != &process) return false;
  dozing_ = nullptr;
  return true;
}

/// Nobody has woken it at once.
[[gnu::always_inline]] inline void Worker::settle() {
  Process* const process = std::exchange(dozing_, nullptr);
  if (process != nullptr && !process->mailbox_.rest()) push(*process, true);
}

[[gnu::always_inline]] inline Process* Worker::next_of_own() noexcept {
  std::lock_guard guard(queues_);
  Process* const woken = woken_.load(std::memory_order_relaxed);
  if (woken == nullptr || out_of_turn_ >= out_of_turn_max) return next_in_turn();
  ++out_of_turn_;
  woken_.store(nullptr, std::memory_order_relaxed);
  return woken;
}

/// Of many processes that wait, the stack of the next one is not in the nearest cache.
[[gnu::always_inline]] inline void Worker::prefetch_woken() const noexcept {
  const Process* const woken = woken_.load(std::memory_order_relaxed);
  if (woken != nullptr && woken_pinned_.load(std::memory_order_relaxed)) woken->parked_->prefetch();
}

[[gnu::always_inline]] inline void Runtime::schedule_woken(Process& process) {
  Worker* const home = process.home_.load(std::memory_order_relaxed);
  Worker* const here = running_worker();
  if (here != nullptr && (home == nullptr ? &here->runtime() == this : home == here)) {
    here->push_woken(process, home != nullptr);
  } else {
    schedule(process);
  }
}

// ---- how a message reaches a process

/// To a process at rest: whoever claims it owns it, so the message goes straight to its queue, past
/// the mailbox. Only what needs no second look. False: it goes through the mailbox.
[[gnu::always_inline]] inline bool Process::hand_over(MessagePtr& message) noexcept {
  const bool plain = message->in_slot() && message->extra() == nullptr &&
                     (message->kind == MessageKind::cast || message->kind == MessageKind::call ||
                      (message->kind == MessageKind::send && message->ref() == Ref::none));
  if (!plain || alarmed_.load(std::memory_order_relaxed) ||
      large_bytes_.load(std::memory_order_relaxed) != 0 ||
      in_queue_.load(std::memory_order_relaxed) >=
          messages_limit_.load(std::memory_order_relaxed) / 8) {
    return false;
  }
  Worker* const here = running_worker();
  const bool dozing = here != nullptr && mailbox_.empty() && here->take_dozing(*this);
  if (!dozing) {
    // Of a process that is parked elsewhere only its worker knows more: its wait may just time out.
    const auto elsewhere = [&] {
      const Worker* home = home_.load(std::memory_order_relaxed);
      return home != nullptr && home != here;
    };
    if (elsewhere() || !mailbox_.claim()) return false;
    if (elsewhere() || !alive(message->generation)) {  // parked or ended since it was found
      runtime_.schedule(*this);
      return false;
    }
  }
  if (parked_ != nullptr) __builtin_prefetch(parked_);
  in_queue_.store(in_queue_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  queue_.push_back(std::move(message));
  if (wait_ == Wait::message) woken_ = true;
  if (dozing) {
    here->push_woken(*this, true);
  } else {
    runtime_.schedule_woken(*this);
  }
  return true;
}

/// It has been given something by what runs on this thread.
[[gnu::always_inline]] inline void Process::wake_up(bool resting) noexcept {
  Worker* const here = running_worker();
  if (here != nullptr && here->take_dozing(*this)) {
    here->push_woken(*this, true);
  } else if (resting) {
    runtime_.schedule_woken(*this);
  }
}

[[gnu::always_inline]] inline PushResult Process::push(MessagePtr& message,
                                                       bool& crowded) noexcept {
  crowded = false;
  if (!alive(message->generation)) return PushResult::no_process;
  return hand_over(message) ? PushResult::pushed : push_behind(message, crowded);
}

/// Runtime::push(), in place.
[[gnu::always_inline]] inline PushResult Runtime::push_here(const Pid& to, MessagePtr& message,
                                                            bool& crowded) noexcept {
  Process* process = find_slot(to);
  if (process == nullptr) return PushResult::no_process;
  process->prefetch();
  message->generation = static_cast<std::uint32_t>(to.serial >> 32);
  return process->push(message, crowded);
}

// ---- how a process waits

[[gnu::always_inline]] inline void Process::release() {
  home_.store(parked_ != nullptr ? worker_ : nullptr, std::memory_order_relaxed);
  if (!mailbox_.rest()) runtime_.schedule(*this);
}

inline void Worker::leave_strict() noexcept {
  if (strict_now_.load(std::memory_order_relaxed)) end_strict();
}

/// What comes before each slice. False: the process waits on, and is given up.
[[gnu::always_inline]] inline bool Worker::begin(Process& process) {
  slices_.store(slices_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  last_run_.store(&process, std::memory_order_release);  // the monitor reads its pid
  this_process = &process;
  process.worker_ = this;
  process.drain();
  if (process.parked_ == nullptr || process.woken_ || process.timed_out_ || process.exit_) {
    return true;
  }
  process.release();
  return false;
}

/// The next process, if it can go on at once and where it was: on a stack of its own, and past
/// nothing that the loop must do first. nullptr: the loop goes on, with `handed_over_` if that is
/// set.
[[gnu::always_inline]] inline Process* Worker::next_with_stack() noexcept {
  while (since_tick_ + 1 < slices_per_tick && inbox_count_.load(std::memory_order_relaxed) == 0) {
    Process* process = next_of_own();
    if (process == nullptr) return nullptr;
    ++since_tick_;
    if (process->parked_ == nullptr || process->strict()) {
      handed_over_ = process;
      return nullptr;
    }
    if (begin(*process)) return process;
  }
  return nullptr;
}

[[gnu::always_inline]] inline bool Worker::park(Process& process, bool requeue) {
  // Before it is given up: then there is no way back.
  if (pool_ == nullptr && !fill_pool()) return false;
  prefetch_woken();
  settle();
  Fiber* here = current_;
  process.parked_ = here;
  // From here on it may be woken; only this worker resumes it, so not before the switch.
  if (requeue) {
    push(process, true);
  } else if (process.strict() || !process.mailbox_.empty()) {
    process.release();
  } else {
    process.home_.store(this, std::memory_order_relaxed);
    dozing_ = &process;
  }
  leave_strict();
  if (Process* next = next_with_stack()) {
    current_ = std::exchange(next->parked_, nullptr);
  } else {
    current_ = take_fiber();
  }
  // Its own stack again, if meanwhile it was woken.
  if (current_ != here) here->switch_to(*current_);
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
