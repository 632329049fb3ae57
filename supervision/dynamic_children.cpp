#include "supervision/dynamic_children.hpp"

#include <utility>

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

static_assert(sizeof(DynamicChild) == 48);

DynamicChild::DynamicChild(const Pid& pid, ChildSpec&& spec)
    : restart(spec.restart),
      type(spec.type),
      brutal_(spec.effective_shutdown().is_brutal_kill()),
      serial_(pid.serial) {
  if (restart != Restart::temporary) start = std::move(spec.start);
}

Shutdown DynamicChildren::shutdown(const DynamicChild& child) const noexcept {
  if (child.brutal_) return Shutdown::brutal_kill();
  const DynamicChild::Extras* extras = this->extras(child);
  if (extras != nullptr && extras->shutdown_wait) return *extras->shutdown_wait;
  return ChildSpec{.type = child.type}.effective_shutdown();
}

ChildSpec DynamicChildren::spec(const DynamicChild& child) const {
  ChildSpec spec;
  if (const DynamicChild::Extras* extras = this->extras(child)) spec.id = extras->id;
  spec.restart = child.restart;
  spec.shutdown = shutdown(child);
  spec.type = child.type;
  return spec;
}

std::uint32_t DynamicChildren::keep(DynamicChild::Extras extras) {
  if (free_extras_.empty()) {
    extras_.push_back(nullptr);
    free_extras_.reserve(extras_.capacity());  // so that erase() cannot fail
    free_extras_.push_back(static_cast<std::uint32_t>(extras_.size() - 1));
  }
  const std::uint32_t place = free_extras_.back();
  extras_[place] = std::make_unique<DynamicChild::Extras>(std::move(extras));
  free_extras_.pop_back();
  return place;
}

void DynamicChildren::add(const Pid& pid, ChildSpec&& spec) {
  if (children_.size() * 2 >= index_.size()) grow();
  node_ = pid.node;
  const Shutdown shutdown = spec.effective_shutdown();
  const bool waits =
      !shutdown.is_brutal_kill() && shutdown != ChildSpec{.type = spec.type}.effective_shutdown();
  const bool backs_off = spec.backoff.min > Duration::zero();
  std::uint32_t extras = none;
  if (!spec.id.empty() || backs_off || waits) {
    DynamicChild::Extras few;
    few.id = std::move(spec.id);
    few.backoff = spec.backoff;
    if (waits) few.shutdown_wait = shutdown.wait();
    if (backs_off) few.started = current_process().runtime().clock().now();
    extras = keep(std::move(few));
  }
  children_.emplace_back(pid, std::move(spec)).extras_ = extras;
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
  if (child.extras_ != none) {
    extras_[child.extras_] = nullptr;
    free_extras_.push_back(child.extras_);
  }
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
  extras_.clear();
  free_extras_.clear();
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
