#pragma once
// A lock for a few instructions between workers: run queues and the like. Never held over user code
// or a system call, never two at once.

#include <atomic>
#include <thread>

namespace coterie::detail {

class SpinLock {
 public:
  void lock() noexcept {
    for (int spins = 0; flag_.test_and_set(std::memory_order_acquire); ++spins) pause(spins);
  }
  void unlock() noexcept { flag_.clear(std::memory_order_release); }
  /// Between two looks at what another thread holds for a few instructions.
  static void pause(int spins) noexcept {
    // The holder may have lost its processor: two cores and many threads are common.
    if (spins > 64) std::this_thread::yield();
  }

 private:
  std::atomic_flag flag_;
};

}  // namespace coterie::detail
