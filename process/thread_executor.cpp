#include "process/thread_executor.hpp"

#include <algorithm>
#include <bit>

#include "process/misuse.hpp"
#include "process/thread_start.hpp"
#include "process/thread_strand.hpp"

namespace coterie {
namespace {

// Stands in a slot whose runnable has been removed: a search goes on past it.
constexpr char removed_mark = 0;

}  // namespace

ThreadExecutor::ThreadExecutor(const Clock& clock, Options options)
    : clock_(clock),
      options_(options),
      pool_(options.blocking_threads_max, options.blocking_idle_max) {}

ThreadExecutor::~ThreadExecutor() {
  for (const Slot& slot : slots_) {
    if (slot.thread.joinable()) {
      detail::misuse("executor", "destroyed while a runnable is still added");
    }
  }
}

std::unique_ptr<Strand> ThreadExecutor::make_strand(std::string name) {
  return std::make_unique<ThreadStrand>(clock_, std::move(name), options_.spin);
}

void ThreadExecutor::run_blocking(std::move_only_function<void()> job) {
  pool_.run(std::move(job));
}

std::size_t ThreadExecutor::hash(const void* key) noexcept {
  return static_cast<std::size_t>(std::bit_cast<std::uintptr_t>(key) * 0x9E3779B97F4A7C15ull >> 32);
}

ThreadExecutor::Slot* ThreadExecutor::find(const void* runnable) noexcept {
  const std::size_t home = hash(runnable);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[(home + i) % slots_.size()];
    // Acquire pairs with the releases in add() and remove().
    const void* there = slot.runnable.load(std::memory_order_acquire);
    if (there == runnable) return &slot;
    if (there == nullptr) return nullptr;
  }
  return nullptr;
}

void ThreadExecutor::add(Runnable& runnable, std::string name) {
  std::lock_guard lock(slots_mutex_);
  if (find(&runnable) != nullptr) detail::misuse("executor", "a runnable was added twice");
  const std::size_t home = hash(&runnable);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[(home + i) % slots_.size()];
    const void* there = slot.runnable.load(std::memory_order_relaxed);
    if (there != nullptr && there != &removed_mark) continue;
    slot.stopping.store(false, std::memory_order_relaxed);
    slot.ended.store(false, std::memory_order_relaxed);
    // Before the thread starts: a wake from now on is kept for it.
    slot.runnable.store(&runnable, std::memory_order_release);
    try {
      slot.thread = detail::start_thread(std::move(name), [this, &slot, &runnable] {
        while (!slot.stopping.load(std::memory_order_acquire)) {
          const Time next = runnable.run();
          Lookout* const lookout = runnable.lookout();
          if (lookout != nullptr && slot.parker.look_out(*lookout, next)) continue;
          slot.parker.park(clock_, next, options_.spin);
        }
        slot.ended.store(true, std::memory_order_release);
        notify(&slot.ended);
      });
    } catch (...) {
      slot.runnable.store(&removed_mark, std::memory_order_release);
      throw;
    }
    return;
  }
  detail::misuse("executor", "more runnables than runnables_max");
}

bool ThreadExecutor::remove(Runnable& runnable, Time until) {
  std::lock_guard lock(slots_mutex_);
  Slot* slot = find(&runnable);
  if (slot == nullptr) detail::misuse("executor", "a runnable was removed that is not there");
  if (slot->thread.get_id() == std::this_thread::get_id()) {
    detail::misuse("executor", "a runnable was removed by its own thread");
  }
  slot->stopping.store(true, std::memory_order_release);
  slot->parker.wake();
  const auto ended = [slot] { return slot->ended.load(std::memory_order_acquire); };
  wait(&slot->ended, ended, until);
  if (!ended()) return false;
  slot->thread.join();
  slot->thread = {};
  slot->runnable.store(&removed_mark, std::memory_order_release);
  return true;
}

void ThreadExecutor::wake(Runnable& runnable) {
  if (Slot* slot = find(&runnable)) slot->parker.wake();
}

ThreadExecutor::WaitList& ThreadExecutor::list_of(const void* key) noexcept {
  return wait_lists_[hash(key) % wait_lists_.size()];
}

/// Stands in the key's list while it lives, also when `ready` throws.
class ThreadExecutor::Waiting {
 public:
  Waiting(WaitList& list, const void* key) : list_(list) {
    {
      std::lock_guard lock(list_.mutex);
      list_.waiters.emplace_back(key, parker_);
    }
    // Pairs with the addition of zero in notify(): whichever comes second sees the other's writes,
    // so either `ready` finds what was written or notify() finds this waiter.
    list_.waiting.fetch_add(1, std::memory_order_acq_rel);
  }
  ~Waiting() {
    list_.waiting.fetch_sub(1, std::memory_order_acq_rel);
    std::lock_guard lock(list_.mutex);
    std::erase_if(list_.waiters, [&](const auto& waiter) { return waiter.second == parker_; });
  }
  detail::ThreadParker& parker() noexcept { return *parker_; }

 private:
  WaitList& list_;
  // Shared with a notify() that wakes after it has released the list.
  const std::shared_ptr<detail::ThreadParker> parker_ = std::make_shared<detail::ThreadParker>();
};

void ThreadExecutor::wait(const void* key, const std::function<bool()>& ready, Time until) {
  Waiting waiting(list_of(key), key);
  while (!ready() && clock_.now() < until) waiting.parker().park(clock_, until, options_.spin);
}

void ThreadExecutor::notify(const void* key) {
  WaitList& list = list_of(key);
  if (list.waiting.fetch_add(0, std::memory_order_acq_rel) == 0) return;
  std::vector<std::shared_ptr<detail::ThreadParker>> woken;
  {
    std::lock_guard lock(list.mutex);
    for (const auto& [wanted, parker] : list.waiters) {
      if (wanted == key) woken.push_back(parker);
    }
  }
  for (const auto& parker : woken) parker->wake();
}

}  // namespace coterie
