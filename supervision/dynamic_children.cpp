#include "supervision/dynamic_children.hpp"

#include <utility>

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

static_assert(sizeof(DynamicChild) <= 64);

DynamicChild::DynamicChild(const Pid& pid, ChildSpec&& spec)
    : restart(spec.restart),
      type(spec.type),
      brutal_(spec.effective_shutdown().is_brutal_kill()),
      serial_(pid.serial),
      shutdown_wait_(spec.effective_shutdown().wait()) {
  if (restart != Restart::temporary) start = std::move(spec.start);
  const bool backs_off = spec.backoff.min > Duration::zero();
  if (spec.id.empty() && !backs_off) return;
  extras = std::make_unique<Extras>();
  extras->id = std::move(spec.id);
  extras->backoff = spec.backoff;
  if (backs_off) extras->started = current_process().runtime().clock().now();
}

ChildSpec DynamicChild::spec() const {
  ChildSpec spec;
  if (extras) spec.id = extras->id;
  spec.restart = restart;
  spec.shutdown = shutdown();
  spec.type = type;
  return spec;
}

void DynamicChildren::add(const Pid& pid, ChildSpec&& spec) {
  if (children_.size() * 2 >= index_.size()) grow();
  node_ = pid.node;
  children_.emplace_back(pid, std::move(spec));
  put(pid.serial, static_cast<std::uint32_t>(children_.size() - 1));
}

void DynamicChildren::rename(DynamicChild& child, const Pid& pid) noexcept {
  const std::size_t slot = slot_of(child.serial_);
  const std::uint32_t place = index_[slot];
  leave(slot);
  child.serial_ = pid.serial;
  put(pid.serial, place);
}

void DynamicChildren::erase(DynamicChild& child) noexcept {
  const std::size_t slot = slot_of(child.serial_);
  DynamicChild& last = children_.back();
  if (&child != &last) {
    index_[slot_of(last.serial_)] = index_[slot];
    child = std::move(last);
  }
  leave(slot);
  children_.pop_back();
}

void DynamicChildren::clear() noexcept {
  children_.clear();
  index_.clear();
}

std::size_t DynamicChildren::slot_of(std::uint64_t serial) const noexcept {
  std::size_t slot = home(serial);
  while (index_[slot] != none && children_[index_[slot]].serial_ != serial) slot = after(slot);
  return slot;
}

void DynamicChildren::put(std::uint64_t serial, std::uint32_t place) noexcept {
  std::size_t slot = home(serial);
  while (index_[slot] != none) slot = after(slot);
  index_[slot] = place;
}

/// Empties a slot, and moves back what stood behind it because of it (algorithm R).
void DynamicChildren::leave(std::size_t gap) noexcept {
  for (std::size_t slot = after(gap); index_[slot] != none; slot = after(slot)) {
    const std::size_t wanted = home(children_[index_[slot]].serial_);
    const bool stays =
        gap <= slot ? gap < wanted && wanted <= slot : gap < wanted || wanted <= slot;
    if (stays) continue;
    index_[gap] = index_[slot];
    gap = slot;
  }
  index_[gap] = none;
}

void DynamicChildren::grow() {
  index_.assign(index_.empty() ? 16 : index_.size() * 2, none);
  for (std::uint32_t place = 0; place < children_.size(); ++place) {
    put(children_[place].serial_, place);
  }
}

}  // namespace coterie::detail
