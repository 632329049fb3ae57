#include "node/distributed_core.hpp"

#include <algorithm>

namespace coterie {

std::size_t DistributedCore::group_of(const std::string& node) const {
  const auto found = std::ranges::find_if(
      nodes_, [&](const auto& group) { return std::ranges::find(group, node) != group.end(); });
  return static_cast<std::size_t>(found - nodes_.begin());
}

DistributedAct DistributedCore::step(const DistributedSeen& seen) {
  using Kind = DistributedAct::Kind;
  const std::size_t own = group_of(own_);
  if (seen.holder) {
    last_ = *seen.holder;
    free_since_.reset();
    const bool mine = *seen.holder == own_;
    if (mine || own >= group_of(*seen.holder)) return {};
    return {Kind::take_over, taken_over(*seen.holder)};
  }
  if (!free_since_) free_since_ = seen.now;
  if (own == nodes_.size()) return {};
  Duration wait = last_ ? timeout_ : Duration::zero();
  bool all_before = true;
  for (std::size_t group = 0; group < own; ++group) {
    const bool there = std::ranges::any_of(
        nodes_[group], [&](const std::string& node) { return seen.connected.contains(node); });
    if (there) wait += turn;
    all_before = all_before && there;
  }
  // At a first start those before may still be on their way.
  if (!last_ && !all_before) wait = std::max(wait, sync_);
  if (seen.now - *free_since_ < wait) return {};
  if (!last_) return {Kind::start, {}};
  return {Kind::start, {StartType::Kind::failover, *last_, {}}};
}

}  // namespace coterie
