#include "process/biased_lock.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coterie::detail {
namespace {

/// False: the kernel refuses.
bool membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

constinit std::atomic<bool> BiasedLock::fences_needed_{true};

void prepare_biased_locks() noexcept {
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)) {
    BiasedLock::fences_needed_.store(false, std::memory_order_relaxed);
  }
}

void BiasedLock::lock_foreign() noexcept {
  thieves_.lock();
  wanted_.store(true);
  if (!fences_needed_.load(std::memory_order_relaxed)) {
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  }
  // It also acquires what unlock() releases: this thread sees what the owner did.
  for (int spins = 0; held_.load(); ++spins) SpinLock::pause(spins);
}

void BiasedLock::wait_for_thief() noexcept {
  do {
    held_.store(false, std::memory_order_release);
    for (int spins = 0; wanted_.load(std::memory_order_acquire); ++spins) SpinLock::pause(spins);
    held_.store(true);
  } while (wanted_.load());
}

}  // namespace coterie::detail
