#include "process/fiber_depot.hpp"

#include <mutex>
#include <utility>

namespace coterie::detail {

FiberDepot::~FiberDepot() {
  while (Fiber* batch = take()) {
    while (batch != nullptr) delete std::exchange(batch, batch->next);
  }
}

Fiber* FiberDepot::take() noexcept {
  std::lock_guard guard(lock_);
  if (first_ == nullptr) return nullptr;
  --batches_;
  return std::exchange(first_, first_->next_batch);
}

bool FiberDepot::give(Fiber* batch) noexcept {
  std::lock_guard guard(lock_);
  if (batches_ == batches_max_) return false;
  ++batches_;
  batch->next_batch = std::exchange(first_, batch);
  return true;
}

}  // namespace coterie::detail
