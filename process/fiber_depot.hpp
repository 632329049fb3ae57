#pragma once
// Fibers that no worker needs now, in batches. A worker keeps two batches for itself and trades
// with the node's depot, so that whoever makes a thousand processes finds the stacks of the last
// thousand, wherever those have ended: a new stack costs 6 us, and 20 while other threads make
// some, because the kernel changes one table for all. Idea: Bonwick's magazines (USENIX 2001).

#include <cstddef>

#include "process/fiber.hpp"
#include "process/spin_lock.hpp"

namespace coterie::detail {

class FiberDepot {
 public:
  static constexpr std::size_t batch_fibers = 128;

  explicit FiberDepot(std::size_t fibers_max) noexcept : batches_max_(fibers_max / batch_fibers) {}
  ~FiberDepot();
  FiberDepot(const FiberDepot&) = delete;
  FiberDepot& operator=(const FiberDepot&) = delete;

  /// batch_fibers of them, linked by `next`; or nullptr. Each must be restarted. Any thread.
  Fiber* take() noexcept;
  /// False: it has enough, and `batch` stays the caller's. None of them runs. Any thread.
  bool give(Fiber* batch) noexcept;

 private:
  const std::size_t batches_max_;
  SpinLock lock_;
  Fiber* first_ = nullptr;
  std::size_t batches_ = 0;
};

}  // namespace coterie::detail
