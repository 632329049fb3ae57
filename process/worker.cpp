#include "process/worker.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "process/context.hpp"
#include "process/runtime.hpp"
#include "process/switch.hpp"

namespace coterie::detail {
namespace {

// A worker that always has work goes back to its executor now and then: on virtual time nothing
// else would ever run.
constexpr unsigned ticks_per_run = 1024;
// Of processes that wait: then the newest of those that have not run yet go first.
constexpr std::size_t crowd = 1024;
// What waits longer than this is worth waking another worker for.
constexpr Duration backlog_wait = std::chrono::microseconds(500);

}  // namespace

constinit thread_local Worker* this_worker = nullptr;

void Worker::List::push(Process& process) noexcept {
  process.run_next_ = nullptr;
  (first == nullptr ? first : last->run_next_) = &process;
  last = &process;
  ++count;
}

void Worker::List::push_front(Process& process) noexcept {
  process.run_next_ = first;
  if (first == nullptr) last = &process;
  first = &process;
  ++count;
}

Process* Worker::List::pop() noexcept {
  Process* process = first;
  if (process == nullptr) return nullptr;
  first = process->run_next_;
  --count;
  return process;
}

Worker::Worker(Runtime& runtime, unsigned index)
    : runtime_(runtime), index_(index), timer_table_(*this, index, [](Timer& timer) {
        auto& entry = static_cast<TimerEntry&>(timer);
        entry.worker.runtime().fire(entry);
      }) {
  free_slots_.reserve(free_slots_max);
}

Worker::~Worker() {
  delete doomed_;
  if (current_ != &driver_) delete current_;
  for (Fiber* pool : {pool_, spare_}) {
    while (pool != nullptr) delete std::exchange(pool, pool->next);
  }
}

Time Worker::run() {
  Worker* outer_worker = std::exchange(this_worker, this);
  Process* outer_process = set_running_process(nullptr);
  idle_.store(false, std::memory_order_relaxed);
  runtime_.arm_monitor();
  since_tick_ = 0;
  ticks_of_run_ = 0;
  gave_away_ = false;
  now_ = {};
  tick();
  if (current_ == nullptr) current_ = take_fiber();
  // Without a stack for its loop a worker cannot even say so; the executor tries again.
  if (current_ != nullptr) driver_.switch_to(*current_);
  idle_.store(true, std::memory_order_relaxed);
  runtime_.worker_rests();
  this_worker = outer_worker;
  set_running_process(outer_process);
  return std::exchange(interrupted_, false) ? now_ : next_timer_;
}

void Worker::loop_entry(void* worker) { static_cast<Worker*>(worker)->loop(); }

void Worker::adopt(Timer& timer, Duration wait) {
  {
    std::lock_guard guard(inbox_lock_);
    adopted_.emplace_back(&timer, wait);
    from_others_.fetch_add(1, std::memory_order_relaxed);
  }
  runtime_.executor().wake(*this);
}

void Worker::drop(TimerEntry& timer) {
  std::size_t waiting = 0;
  {
    std::lock_guard guard(inbox_lock_);
    dropped_.push_back(&timer);
    waiting = dropped_.size();
    from_others_.fetch_add(1, std::memory_order_relaxed);
  }
  // They cost memory only: a sleeping worker is worth a wake-up for many.
  if (waiting % 1024 == 0) runtime_.executor().wake(*this);
}

void Worker::tick() {
  if (from_others_.load(std::memory_order_relaxed) > 0) {
    std::vector<std::pair<Timer*, Duration>> adopted;
    std::vector<TimerEntry*> dropped;
    {
      // Both at once: a timer is adopted before it can be dropped.
      std::lock_guard guard(inbox_lock_);
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
  const Time before = std::exchange(now_, runtime_.clock().now());
  if (before != Time{} && since_tick_ > 0) weigh_backlog(now_ - before);
  since_tick_ = 0;
  next_timer_ = timers_.advance(now_);
}

/// How long would the last of the queue wait, if the queue goes on as it did? Twice in a row,
/// because one long slice, or one moment without a processor, makes all of them look long; and what
/// is given away is apart from whom it talks to for as long as it has a stack.
void Worker::weigh_backlog(Duration since_last_tick) noexcept {
  const auto taken = std::max<Duration::rep>(1, std::exchange(taken_in_turn_, 0));
  const Duration wait = since_last_tick / taken * static_cast<Duration::rep>(ready());
  const bool was_behind = std::exchange(behind_, wait > backlog_wait);
  if (was_behind && behind_) runtime_.wake_helper(*this);
}

[[gnu::always_inline]] inline void Worker::resume(Process& process) {
  Fiber* target = std::exchange(process.parked_, nullptr);
  Fiber* here = current_;
  recycle(here);
  current_ = target;
  here->switch_to(*target);
  // Somebody parked and took this fiber from the pool; `process` may be anything by now.
}

[[gnu::always_inline]] inline void Worker::step(Process& process) {
  if (!begin(process)) return;
  const bool strict = process.strict();
  if (strict) enter_strict(process);
  if (process.parked_ == nullptr) {
    process.run_slice();
  } else if (strict && !process.exit_ && !runtime_.gate_open() && runtime_.hold(process)) {
    process.release();  // a callback that was parked when the gate closed goes on when it opens
  } else {
    resume(process);
  }
}

void Worker::loop() {
  for (;;) {
    delete std::exchange(doomed_, nullptr);
    Process* process = std::exchange(handed_over_, nullptr);
    if (process == nullptr) {
      settle();
      process = find_work();
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

std::size_t Worker::stack_bytes() const noexcept {
  return current_->used_bytes(__builtin_frame_address(0));
}

/// nullptr: there is none, or the executor has its turn.
Process* Worker::find_work() {
  if (++since_tick_ >= slices_per_tick) {
    tick();
    if (links_at_ <= now_) turn_links();
    if (++ticks_of_run_ >= ticks_per_run) {
      interrupted_ = true;
      return nullptr;
    }
  }
  Process* process = next();
  if (process == nullptr) {
    tick();
    process = next();
  }
  for (bool more = true; process == nullptr && more;) {
    more = turn_links();
    if (more) tick();
    // Also where nothing has arrived: a turn tells of nodes that are gone, and of room to send.
    process = next();
    if (more) gave_away_ = process == nullptr && others_have_work();
  }
  return process;
}

void Worker::enter_strict(const Process& process) noexcept {
  strict_now_.store(true);
  if (runtime_.watch() != nullptr) runtime_.watch()->enter(index_, process.strict_name());
}

void Worker::end_strict() noexcept {
  if (runtime_.watch() != nullptr) runtime_.watch()->leave(index_);
  strict_now_.store(false, std::memory_order_release);
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

void Worker::recycle(Fiber* fiber) noexcept {
  if (pooled_ == FiberDepot::batch_fibers) {
    if (spare_ != nullptr && !runtime_.fibers().give(spare_)) {
      // The fiber is still running: whoever runs next frees it. Its frames own nothing.
      doomed_ = fiber;
      return;
    }
    spare_ = std::exchange(pool_, nullptr);
    pooled_ = 0;
  }
  fiber->next = pool_;
  pool_ = fiber;
  ++pooled_;
}

// ---- queues

void Worker::push(Process& process, bool pinned) {
  if (this_worker == this) {
    std::lock_guard guard(queues_);
    process.run_turn_ = turns_++;
    (pinned ? pinned_ : ready_).push(process);
    publish_ready();
    return;
  }
  bool first = false;
  {
    std::lock_guard guard(inbox_lock_);
    (pinned ? inbox_pinned_ : inbox_ready_).push(process);
    first = inbox_count_.load(std::memory_order_relaxed) == 0;
    inbox_count_.store(inbox_pinned_.count + inbox_ready_.count, std::memory_order_relaxed);
    inbox_ready_count_.store(inbox_ready_.count, std::memory_order_relaxed);
  }
  // Whoever put the first one in wakes the worker for all.
  if (first) runtime_.executor().wake(*this);
}

void Worker::join(List& own, List& others) noexcept {
  while (Process* process = others.pop()) {
    process->run_turn_ = turns_++;
    own.push(*process);
  }
}

void Worker::push_new(Process& process) {
  if (this_worker != this || ready_count_.load(std::memory_order_relaxed) <= crowd) {
    push(process, false);
    return;
  }
  std::lock_guard guard(queues_);
  fresh_.push_front(process);
  publish_ready();
}

void Worker::publish_ready() noexcept {
  ready_count_.store(ready_.count + fresh_.count, std::memory_order_relaxed);
}

void Worker::take_inbox() noexcept {
  List ready;
  List pinned;
  {
    std::lock_guard guard(inbox_lock_);
    std::swap(ready, inbox_ready_);
    std::swap(pinned, inbox_pinned_);
    inbox_count_.store(0, std::memory_order_relaxed);
    inbox_ready_count_.store(0, std::memory_order_relaxed);
  }
  std::lock_guard guard(queues_);
  join(ready_, ready);
  join(pinned_, pinned);
  publish_ready();
}

/// With the queues locked.
Process* Worker::next_in_turn() noexcept {
  Process* process = nullptr;
  Process* const woken = woken_.load(std::memory_order_relaxed);
  const bool others = ready_.first != nullptr || pinned_.first != nullptr;
  if ((woken != nullptr || fresh_.first != nullptr) &&
      (!others || out_of_turn_ < out_of_turn_max)) {
    ++out_of_turn_;
    if (woken != nullptr) {
      woken_.store(nullptr, std::memory_order_relaxed);
      return woken;
    }
    process = fresh_.pop();
  } else {
    out_of_turn_ = 0;
    // In the order in which they came: a sender waits for all whom it has given work.
    const bool pinned = pinned_.first != nullptr &&
                        (ready_.first == nullptr ||
                         ready_.first->run_turn_ - pinned_.first->run_turn_ < (1u << 31));
    process = (pinned ? pinned_ : ready_).pop();
  }
  ++taken_in_turn_;
  publish_ready();
  return process;
}

Process* Worker::next() {
  if (inbox_count_.load(std::memory_order_relaxed) > 0) take_inbox();
  if (Process* process = next_of_own()) return process;
  for (const auto& worker : runtime_.workers()) {
    if (worker.get() == this) continue;
    if (Process* process = steal_from(*worker)) return process;
  }
  return nullptr;
}

Process* Worker::steal_from(Worker& other) noexcept {
  if (!other.help_wanted_.load(std::memory_order_relaxed) ||
      !other.help_wanted_.exchange(false, std::memory_order_relaxed)) {
    return nullptr;
  }
  List stolen = other.give_half();
  Process* process = stolen.pop();
  if (stolen.first != nullptr) {
    std::lock_guard guard(queues_);
    join(ready_, stolen);
    publish_ready();
  }
  return process;
}

/// On the thief's thread. What has not reached this worker yet goes whole: it may be stuck.
Worker::List Worker::give_half() noexcept {
  List given;
  {
    std::lock_guard guard(inbox_lock_);
    std::swap(given, inbox_ready_);
    inbox_count_.store(inbox_pinned_.count, std::memory_order_relaxed);
    inbox_ready_count_.store(0, std::memory_order_relaxed);
  }
  queues_.lock_foreign();
  const std::size_t half = (ready_.count + 1) / 2;
  for (std::size_t i = 0; i < half; ++i) given.push(*ready_.pop());
  const std::size_t half_fresh = (fresh_.count + 1) / 2;
  for (std::size_t i = 0; i < half_fresh; ++i) given.push(*fresh_.pop());
  Process* const woken = woken_.load(std::memory_order_relaxed);
  if (given.first == nullptr && woken != nullptr &&
      !woken_pinned_.load(std::memory_order_relaxed)) {
    woken_.store(nullptr, std::memory_order_relaxed);
    given.push(*woken);
  }
  publish_ready();
  queues_.unlock_foreign();
  return given;
}

bool Worker::alone() noexcept {
  settle();
  if (inbox_count_.load(std::memory_order_relaxed) > 0) return false;
  std::lock_guard guard(queues_);
  return woken_.load(std::memory_order_relaxed) == nullptr && ready_.first == nullptr &&
         pinned_.first == nullptr && fresh_.first == nullptr;
}

}  // namespace coterie::detail
