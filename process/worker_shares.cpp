// What a worker takes of the node's in advance, so that not every process asks for it: references,
// fibers, and the right to park them.

#include <new>
#include <utility>

#include "process/runtime.hpp"
#include "process/worker.hpp"

namespace coterie::detail {
namespace {

constexpr std::uint64_t refs_at_once = 1024;

}  // namespace

void Worker::take_refs() noexcept {
  ref_ = runtime_.next_ref_.fetch_add(refs_at_once, std::memory_order_relaxed);
  refs_end_ = ref_ + refs_at_once;
}

bool Worker::fill_pool() noexcept {
  pool_ = std::exchange(spare_, nullptr);
  if (pool_ == nullptr) {
    pool_ = runtime_.fibers().take();
    for (Fiber* f = pool_; f != nullptr; f = f->next) f->restart(&loop_entry, this);
  }
  pooled_ = pool_ != nullptr ? FiberDepot::batch_fibers : 0;
  if (pool_ != nullptr) return true;
  pool_ = make_fiber();
  if (pool_ == nullptr) return false;
  ++pooled_;
  return true;
}

Fiber* Worker::make_fiber() noexcept {
  try {
    return new Fiber(runtime_.options().stack_bytes, &loop_entry, this);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

bool Worker::grant_parked() noexcept {
  const std::size_t limit = runtime_.options().parked_fibers;
  // What other workers keep for themselves is not in use: then the exact sum decides.
  if (runtime_.parked_granted_.fetch_add(1, std::memory_order_relaxed) >= limit &&
      runtime_.parked() >= limit) {
    runtime_.parked_granted_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  ++parked_granted_;
  return true;
}

void Worker::return_parked() noexcept {
  constexpr std::size_t back = parked_spare_max / 2;
  parked_granted_ -= back;
  runtime_.parked_granted_.fetch_sub(back, std::memory_order_relaxed);
}

bool Worker::node_may_park() const noexcept {
  return runtime_.parked() < runtime_.options().parked_fibers;
}

}  // namespace coterie::detail
