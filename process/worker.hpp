#pragma once
// A worker runs processes: it takes one from its queue, runs a slice on its current fiber, and goes
// on. When a callback parks, its fiber stays with the process and the worker continues on a pooled
// one, so a callback that does not block pays no switch. A worker never waits: run() returns its
// next timer, and the executor waits.
//
// What a running process wakes runs next and here: the other end of a conversation is warm, and
// waking another thread costs as much as hundreds of messages. Only what would wait long is work
// for others: then the worker asks for help, and an idle one steals half of its queue.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <coterie/pid.hpp>

#include "process/biased_lock.hpp"
#include "process/fiber.hpp"
#include "process/ports/executor.hpp"
#include "process/spin_lock.hpp"
#include "process/timer.hpp"
#include "process/timer_table.hpp"

namespace coterie::detail {

class Process;
class Runtime;

class Worker final : public Runnable {
 public:
  Worker(Runtime& runtime, unsigned index);
  ~Worker() override;

  Time run() override;
  Lookout* lookout() noexcept override;

  // ---- any thread
  /// Queues a process that the caller owns. `pinned`: only this worker may run it.
  void push(Process& process, bool pinned);
  bool idle() const noexcept { return idle_.load(std::memory_order_relaxed); }
  /// Processes that wait and that any worker might run.
  std::size_t ready() const noexcept {
    const bool woken = woken_.load(std::memory_order_relaxed) != nullptr &&
                       !woken_pinned_.load(std::memory_order_relaxed);
    return ready_count_.load(std::memory_order_relaxed) +
           inbox_ready_count_.load(std::memory_order_relaxed) + (woken ? 1 : 0);
  }
  bool runs_strict() const noexcept { return strict_now_.load(); }
  /// Grows with every slice; the monitor sees a stuck callback by it.
  std::uint64_t slices() const noexcept { return slices_.load(std::memory_order_relaxed); }
  /// Whose slice is the last one; nullptr: there was none.
  const Process* last_run() const noexcept { return last_run_.load(std::memory_order_acquire); }
  /// Lets idle workers steal from this one, once.
  void ask_for_help() noexcept { help_wanted_.store(true, std::memory_order_relaxed); }
  /// What this worker has done to the number of processes.
  struct Counts {
    std::atomic<std::uint64_t> spawned{0}, exited{0}, freed{0};
    /// The owner only: nobody else writes them, so it needs no atomic addition.
    static void add(std::atomic<std::uint64_t>& counter) noexcept {
      // Release: who sees a process freed here sees that it was spawned, wherever that was.
      counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
  };
  const Counts& counts() const noexcept { return counts_; }
  /// Fibers that are parked with their processes.
  std::size_t parked() const noexcept { return parked_.load(std::memory_order_relaxed); }
  /// The stack above the caller's frame, of the process that runs here.
  std::size_t stack_bytes() const noexcept;
  /// A process is already asked once its fiber counts as parked, before that has been left.
  bool runs_on(const Fiber* fiber) const noexcept { return fiber == current_; }
  /// Sets a timer from another thread. It fires here.
  void adopt(Timer& timer, Duration wait);
  /// A cancelled timer of this worker, cancelled by another thread: freed at the next tick.
  void drop(TimerEntry& timer);

  // ---- this worker's thread
  /// As push(), for a process that the running one has woken: it runs next.
  void push_woken(Process& process, bool pinned);
  /// As push(), for a process that has not run yet. Past many of them the newest go first: whoever
  /// has begun gets to its end before others begin, which bounds how many stacks are in use.
  void push_new(Process& process);
  /// Leaves the current fiber with `process` and goes on with others until it is resumed; with
  /// `requeue` it only goes to the end of the queue. False when no stack can be had.
  bool park(Process& process, bool requeue);
  /// Counts a fiber that is about to be parked. False: the node's bound is reached.
  bool admit_parked() noexcept {
    const std::size_t parked = parked_.load(std::memory_order_relaxed);
    if (parked == parked_granted_ && !grant_parked()) return false;
    parked_.store(parked + 1, std::memory_order_relaxed);
    return true;
  }
  void discharge_parked() noexcept {
    const std::size_t parked = parked_.load(std::memory_order_relaxed) - 1;
    parked_.store(parked, std::memory_order_relaxed);
    if (parked_granted_ - parked > parked_spare_max) return_parked();
  }
  /// Whether admit_parked() would say yes now.
  bool may_park() const noexcept {
    return parked_.load(std::memory_order_relaxed) < parked_granted_ || node_may_park();
  }
  /// The current fiber is never resumed: its frames are leaked, its process ends on another.
  [[noreturn]] void abandon(Process& process);
  bool alone() noexcept;  // nothing else to run
  /// Free slots of the node's, reused last-in first-out: they are warm. nullptr: it has none.
  Process* take_free_slot() noexcept {
    if (free_slots_.empty()) return nullptr;
    Process* process = free_slots_.back();
    free_slots_.pop_back();
    return process;
  }
  /// False: it has enough of them.
  bool keep_free_slot(Process& process) noexcept {
    if (free_slots_.size() == free_slots_max) return false;
    free_slots_.push_back(&process);
    return true;
  }
  TimerQueue& timers() noexcept { return timers_; }
  TimerTable& timer_table() noexcept { return timer_table_; }  // others: with its guard
  unsigned index() const noexcept { return index_; }
  Runtime& runtime() const noexcept { return runtime_; }
  Time now() const noexcept { return now_; }
  Ref make_ref() noexcept {
    if (ref_ == refs_end_) take_refs();
    return Ref{ref_++};
  }

 private:
  friend class Process;
  friend class Runtime;

  // Of the node's bound of parked fibers, kept for the next ones.
  static constexpr std::size_t parked_spare_max = 64;

  struct List {
    Process* first = nullptr;
    Process* last = nullptr;
    std::size_t count = 0;
    void push(Process& process) noexcept;
    void push_front(Process& process) noexcept;
    Process* pop() noexcept;
  };
  static constexpr std::size_t free_slots_max = 1024;
  static constexpr unsigned slices_per_tick = 32;
  // Between two processes that keep waking each other, others have their turn.
  static constexpr unsigned out_of_turn_max = 64;

  static void loop_entry(void* worker);
  [[noreturn]] void loop();
  void step(Process& process);
  bool begin(Process& process);
  Process* find_work();
  Process* next_with_stack() noexcept;
  void enter_strict(const Process& process) noexcept;
  void leave_strict() noexcept;
  void end_strict() noexcept;
  void resume(Process& process);
  Process* next();
  Process* next_of_own() noexcept;
  Process* next_in_turn() noexcept;
  void prefetch_woken() const noexcept;
  bool take_dozing(const Process& process) noexcept;
  void settle();
  void take_inbox() noexcept;
  bool turn_links();
  bool others_have_work() const noexcept;
  Process* steal_from(Worker& other) noexcept;
  List give_half() noexcept;
  void publish_ready() noexcept;
  void tick();
  void weigh_backlog(Duration since_last_tick) noexcept;
  void join(List& own, List& others) noexcept;
  void take_refs() noexcept;
  bool grant_parked() noexcept;
  void return_parked() noexcept;
  bool node_may_park() const noexcept;
  Fiber* take_fiber() noexcept {
    if (pool_ == nullptr && !fill_pool()) return nullptr;
    --pooled_;
    return std::exchange(pool_, pool_->next);
  }
  Fiber* make_fiber() noexcept;
  bool fill_pool() noexcept;
  void recycle(Fiber* fiber) noexcept;

  Runtime& runtime_;
  const unsigned index_;

  // The worker's own queues. Others lock them only to steal.
  BiasedLock queues_;
  // Atomic, so that others may see without a lock that somebody waits.
  std::atomic<Process*> woken_{nullptr};  // runs next
  std::atomic<bool> woken_pinned_{false};
  // Has parked, and is not yet put to rest: only this worker could run it anyway, and if what runs
  // now wakes it, as the other end of a conversation does, two atomic operations are saved.
  Process* dozing_ = nullptr;
  unsigned out_of_turn_ = 0;  // in a row
  List ready_;
  List pinned_;
  List fresh_;               // newest first
  std::uint32_t turns_ = 0;  // given to those who wait in both lists: the lower one is the first
  Process* handed_over_ = nullptr;  // from a stack that was left to the loop: the next one
  unsigned since_tick_ = 0;
  unsigned ticks_of_run_ = 0;
  Time links_at_{};             // the next turn for the links, however much else there is to do
  bool gave_away_ = false;      // what arrived last was for processes of others
  unsigned taken_in_turn_ = 0;  // since the last tick, of those who wait in a list
  bool behind_ = false;         // at the last tick: the last of them would wait long
  bool interrupted_ = false;    // the run ended with work left
  std::uint64_t ref_ = 0, refs_end_ = 0;  // references that only this worker gives out
  std::size_t parked_granted_ = 0;        // of the node's bound
  std::vector<Process*> free_slots_;      // with room for free_slots_max

  // Written by the worker, read by others.
  alignas(64) std::atomic<std::size_t> ready_count_{0};
  std::atomic<std::uint64_t> slices_{0};
  std::atomic<const Process*> last_run_{nullptr};
  std::atomic<std::size_t> parked_{0};
  Counts counts_;
  std::atomic<bool> idle_{true};

  // Written by others.
  alignas(64) mutable SpinLock inbox_lock_;  // guards what follows
  List inbox_ready_;
  List inbox_pinned_;
  std::vector<std::pair<Timer*, Duration>> adopted_;
  std::vector<TimerEntry*> dropped_;
  std::atomic<std::size_t> from_others_{0};  // in these two
  std::atomic<std::size_t> inbox_count_{0};  // in both lists
  std::atomic<std::size_t> inbox_ready_count_{0};
  std::atomic<bool> help_wanted_{false};

  // Sequentially consistent with the gate's end: who sees the gate closed and this false knows that
  // no strict callback runs.
  alignas(64) std::atomic<bool> strict_now_{false};

  Fiber driver_;
  Fiber* current_ = nullptr;  // the running fiber, or the one to continue with
  Fiber* pool_ = nullptr;     // up to a batch of them, the last one first
  Fiber* spare_ = nullptr;    // a whole batch
  Fiber* doomed_ = nullptr;   // left for good; freed by the next fiber that runs
  std::size_t pooled_ = 0;
  TimerQueue timers_;
  TimerTable timer_table_;
  Time now_{};
  Time next_timer_ = Time::max();
};

extern constinit thread_local Worker* this_worker;

/// The worker whose run() is on the calling thread's stack, or nullptr.
inline Worker* running_worker() noexcept { return this_worker; }

}  // namespace coterie::detail
