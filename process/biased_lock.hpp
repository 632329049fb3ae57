#pragma once
// A lock that costs its owner two plain stores, and anybody else a system call: for what one thread
// uses all the time and others hardly ever, such as a worker's own run queues and those who steal
// from them. The asymmetry is membarrier(2)'s: it makes the owner's store of `held_` and load of
// `wanted_` as good as ordered, without a fence in the owner's path. Where the kernel does not have
// it, the owner pays for the fence. Idea: Dice, Moir, Scherer, "Quickly Reacquirable Locks".

#include <atomic>

#include "process/spin_lock.hpp"

namespace coterie::detail {

/// Once before the first lock of the program; more often is harmless.
void prepare_biased_locks() noexcept;

class BiasedLock {
 public:
  // ---- the owner's thread
  void lock() noexcept {
    // Sequentially consistent, as everything that decides who is first: of the owner's store and
    // the thief's, one is seen by the other side's load. The cheap store is made so by membarrier.
    if (fences_needed_.load(std::memory_order_relaxed)) {
      held_.store(true);
    } else {
      held_.store(true, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    // It also acquires what unlock_foreign() releases: the owner sees what a thief has changed.
    if (wanted_.load()) wait_for_thief();
  }
  // Release pairs with the acquire in lock_foreign().
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

  // ---- any other thread
  void lock_foreign() noexcept;
  void unlock_foreign() noexcept {
    wanted_.store(false, std::memory_order_release);
    thieves_.unlock();
  }

 private:
  friend void prepare_biased_locks() noexcept;
  void wait_for_thief() noexcept;

  static std::atomic<bool> fences_needed_;

  std::atomic<bool> held_{false};
  std::atomic<bool> wanted_{false};
  SpinLock thieves_;  // one at a time
};

}  // namespace coterie::detail
