#include "process/worker.hpp"

#include <new>
#include <utility>

#include "process/context.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {
namespace {

constexpr std::size_t pooled_fibers_max = 256;
constexpr unsigned slices_per_tick = 16;

constinit thread_local Worker* this_worker = nullptr;

}  // namespace

Worker* running_worker() noexcept { return this_worker; }

void Worker::List::push(Process& process) noexcept {
  process.run_next_ = nullptr;
  (first == nullptr ? first : last->run_next_) = &process;
  last = &process;
}

Process* Worker::List::pop() noexcept {
  Process* process = first;
  if (process != nullptr) first = process->run_next_;
  return process;
}

Worker::Worker(Runtime& runtime, unsigned index) : runtime_(runtime), index_(index) {}

Worker::~Worker() {
  delete doomed_;
  if (current_ != &driver_) delete current_;
  while (pool_ != nullptr) delete std::exchange(pool_, pool_->next);
}

Time Worker::run() {
  Worker* outer_worker = std::exchange(this_worker, this);
  Process* outer_process = set_running_process(nullptr);
  idle_.store(false, std::memory_order_relaxed);
  runtime_.arm_monitor();
  if (current_ == nullptr) current_ = take_fiber();
  // Without a stack for its loop a worker cannot even say so; the executor tries again.
  if (current_ != nullptr) driver_.switch_to(*current_);
  idle_.store(true, std::memory_order_relaxed);
  this_worker = outer_worker;
  set_running_process(outer_process);
  return next_timer_;
}

void Worker::loop_entry(void* worker) { static_cast<Worker*>(worker)->loop(); }

void Worker::loop() {
  for (;;) {
    delete std::exchange(doomed_, nullptr);
    if (++since_tick_ >= slices_per_tick) tick();
    Process* process = next();
    if (process == nullptr) {
      tick();
      process = next();
    }
    if (process == nullptr) {
      current_->switch_to(driver_);
      continue;
    }
    step(*process);
    leave_strict();
    set_running_process(nullptr);
  }
}

void Worker::adopt(Timer& timer, Duration wait) {
  {
    std::lock_guard guard(lock_);
    adopted_.emplace_back(&timer, wait);
    from_others_.fetch_add(1, std::memory_order_relaxed);
  }
  runtime_.executor().wake(*this);
}

void Worker::drop(TimerEntry& timer) {
  std::size_t waiting = 0;
  {
    std::lock_guard guard(lock_);
    dropped_.push_back(&timer);
    waiting = dropped_.size();
    from_others_.fetch_add(1, std::memory_order_relaxed);
  }
  // They cost memory only: a sleeping worker is worth a wake-up for many.
  if (waiting % 1024 == 0) runtime_.executor().wake(*this);
}

void Worker::tick() {
  since_tick_ = 0;
  if (from_others_.load(std::memory_order_relaxed) > 0) {
    std::vector<std::pair<Timer*, Duration>> adopted;
    std::vector<TimerEntry*> dropped;
    {
      // Both at once: a timer is adopted before it can be dropped.
      std::lock_guard guard(lock_);
      adopted.swap(adopted_);
      dropped.swap(dropped_);
      from_others_.store(0, std::memory_order_relaxed);
    }
    for (auto& [timer, wait] : adopted) timers_.set(*timer, wait);
    for (TimerEntry* timer : dropped) {
      timers_.cancel(*timer);
      runtime_.forget_timer(*timer);
    }
  }
  now_ = runtime_.clock().now();
  next_timer_ = timers_.advance(now_);
}

void Worker::step(Process& process) {
  slices_.fetch_add(1, std::memory_order_relaxed);
  set_running_process(&process);
  process.worker_ = this;
  process.drain();
  const bool strict = process.strict();
  if (strict) enter_strict(process);
  if (process.parked_ == nullptr) {
    process.run_slice();
  } else if (strict && !process.exit_ && !runtime_.gate_open() && runtime_.hold(process)) {
    process.release();  // a callback that was parked when the gate closed goes on when it opens
  } else if (process.woken_ || process.timed_out_ || process.exit_) {
    resume(process);
  } else {
    process.release();
  }
}

void Worker::enter_strict(const Process& process) noexcept {
  strict_now_.store(true);
  if (runtime_.watch() != nullptr) runtime_.watch()->enter(index_, process.strict_name());
}

void Worker::leave_strict() noexcept {
  if (!strict_now_.load(std::memory_order_relaxed)) return;
  if (runtime_.watch() != nullptr) runtime_.watch()->leave(index_);
  strict_now_.store(false, std::memory_order_release);
}

void Worker::resume(Process& process) {
  Fiber* target = std::exchange(process.parked_, nullptr);
  Fiber* here = current_;
  recycle(here);
  current_ = target;
  here->switch_to(*target);
  // Somebody parked and took this fiber from the pool; `process` may be anything by now.
}

bool Worker::park(Process& process, bool requeue) {
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
  set_running_process(&process);
  if (process.strict()) enter_strict(process);
  return true;
}

void Worker::abandon(Process& process) {
  Fiber* fiber = nullptr;
  while (fiber == nullptr) fiber = take_fiber();
  process.parked_ = nullptr;
  push(process, true);
  Fiber* here = std::exchange(current_, fiber);
  here->keep_alive();
  here->switch_to(*fiber);
  std::abort();  // nobody switches back to an abandoned fiber
}

Fiber* Worker::take_fiber() {
  if (pool_ != nullptr) {
    --pooled_;
    return std::exchange(pool_, pool_->next);
  }
  try {
    return new Fiber(runtime_.options().stack_bytes, &loop_entry, this);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void Worker::recycle(Fiber* fiber) noexcept {
  if (pooled_ >= pooled_fibers_max) {
    // The fiber is still running: whoever runs next frees it. Its frames own nothing.
    doomed_ = fiber;
    return;
  }
  fiber->next = pool_;
  pool_ = fiber;
  ++pooled_;
}

void Worker::push(Process& process, bool pinned) {
  std::size_t waiting = 0;
  {
    std::lock_guard guard(lock_);
    (pinned ? pinned_ : ready_).push(process);
    waiting = pinned ? 0 : ready_count_.load(std::memory_order_relaxed) + 1;
    if (pinned) {
      pinned_count_.fetch_add(1, std::memory_order_relaxed);
    } else {
      ready_count_.store(waiting, std::memory_order_relaxed);
    }
  }
  if (this_worker != this) {
    runtime_.executor().wake(*this);
  } else if (waiting > 1) {
    runtime_.wake_helper(*this);
  }
}

Process* Worker::next() {
  if (pinned_count_.load(std::memory_order_relaxed) + ready_count_.load(std::memory_order_relaxed) >
      0) {
    std::lock_guard guard(lock_);
    // Pinned first, but not only: a process that yields for ever is pinned.
    const bool pinned_turn = (slices_.load(std::memory_order_relaxed) & 1) == 0;
    for (bool pinned : {pinned_turn, !pinned_turn}) {
      Process* process = (pinned ? pinned_ : ready_).pop();
      if (process == nullptr) continue;
      (pinned ? pinned_count_ : ready_count_).fetch_sub(1, std::memory_order_relaxed);
      return process;
    }
  }
  for (const auto& worker : runtime_.workers()) {
    if (worker.get() == this) continue;
    if (Process* process = worker->steal()) return process;
  }
  return nullptr;
}

Process* Worker::steal() noexcept {
  if (ready_count_.load(std::memory_order_relaxed) == 0) return nullptr;
  std::lock_guard guard(lock_);
  Process* process = ready_.pop();
  if (process != nullptr) ready_count_.fetch_sub(1, std::memory_order_relaxed);
  return process;
}

bool Worker::alone() const noexcept {
  return pinned_count_.load(std::memory_order_relaxed) == 0 &&
         ready_count_.load(std::memory_order_relaxed) == 0;
}

}  // namespace coterie::detail
