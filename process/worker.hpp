#pragma once
// A worker runs processes: it takes one from its queue, runs a slice on its current fiber, and goes
// on. When a callback parks, its fiber stays with the process and the worker continues on a pooled
// one, so a callback that does not block pays no switch. An idle worker steals. A worker never
// waits: run() returns its next timer, and the executor waits.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "process/fiber.hpp"
#include "process/ports/executor.hpp"
#include "process/spin_lock.hpp"
#include "process/timer.hpp"

namespace coterie::detail {

class Process;
class Runtime;
struct TimerEntry;

class Worker final : public Runnable {
 public:
  Worker(Runtime& runtime, unsigned index);
  ~Worker() override;

  Time run() override;

  // ---- any thread
  /// Queues a process whose `scheduled_` the caller has just set. `pinned`: only this worker may
  /// run it.
  void push(Process& process, bool pinned);
  bool idle() const noexcept { return idle_.load(std::memory_order_relaxed); }
  std::size_t ready() const noexcept { return ready_count_.load(std::memory_order_relaxed); }
  bool runs_strict() const noexcept { return strict_now_.load(); }
  /// Grows with every slice; the monitor sees a stuck callback by it.
  std::uint64_t slices() const noexcept { return slices_.load(std::memory_order_relaxed); }
  Process* steal() noexcept;
  /// Sets a timer from another thread. It fires here.
  void adopt(Timer& timer, Duration wait);
  /// A cancelled timer of this worker, cancelled by another thread: freed at the next tick.
  void drop(TimerEntry& timer);

  // ---- this worker's thread
  /// Leaves the current fiber with `process` and goes on with others until it is resumed; with
  /// `requeue` it only goes to the end of the queue. False when no stack can be had.
  bool park(Process& process, bool requeue);
  /// The current fiber is never resumed: its frames are leaked, its process ends on another.
  [[noreturn]] void abandon(Process& process);
  bool alone() const noexcept;  // nothing else to run
  TimerQueue& timers() noexcept { return timers_; }
  unsigned index() const noexcept { return index_; }
  Runtime& runtime() const noexcept { return runtime_; }
  Time now() const noexcept { return now_; }

 private:
  struct List {
    Process* first = nullptr;
    Process* last = nullptr;
    void push(Process& process) noexcept;
    Process* pop() noexcept;
  };

  static void loop_entry(void* worker);
  [[noreturn]] void loop();
  void step(Process& process);
  void enter_strict(const Process& process) noexcept;
  void leave_strict() noexcept;
  void resume(Process& process);
  Process* next();
  void tick();
  Fiber* take_fiber();
  void recycle(Fiber* fiber) noexcept;

  Runtime& runtime_;
  const unsigned index_;
  mutable SpinLock lock_;  // guards the lists and the next
  std::vector<std::pair<Timer*, Duration>> adopted_;
  std::vector<TimerEntry*> dropped_;
  std::atomic<std::size_t> from_others_{0};  // in these two
  List ready_;
  List pinned_;
  std::atomic<std::size_t> ready_count_{0};
  std::atomic<std::size_t> pinned_count_{0};
  std::atomic<bool> idle_{true};
  // Sequentially consistent with the gate's end: who sees the gate closed and this false knows that
  // no strict callback runs.
  std::atomic<bool> strict_now_{false};
  std::atomic<std::uint64_t> slices_{0};

  Fiber driver_;
  Fiber* current_ = nullptr;  // the running fiber, or the one to continue with
  Fiber* pool_ = nullptr;
  Fiber* doomed_ = nullptr;  // left for good; freed by the next fiber that runs
  std::size_t pooled_ = 0;
  TimerQueue timers_;
  Time now_{};
  Time next_timer_ = Time::max();
  unsigned since_tick_ = 0;
};

/// The worker whose run() is on the calling thread's stack, or nullptr.
Worker* running_worker() noexcept;

}  // namespace coterie::detail
