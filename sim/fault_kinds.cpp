#include "sim/fault_kinds.hpp"

#include <algorithm>

namespace coterie::sim {
namespace {

bool holds(const std::vector<Placed>& group, const std::string& node) {
  return std::ranges::find(group, node, &Placed::text) != group.end();
}

}  // namespace

std::vector<std::string> apart_from_storage(const Action& partition,
                                            std::span<const std::string> nodes) {
  const std::vector<Placed>* side = nullptr;
  for (const std::string& node : nodes) {
    const auto group = std::ranges::find_if(
        partition.groups, [&](const std::vector<Placed>& one) { return holds(one, node); });
    if (group == partition.groups.end()) return {};
    if (side == nullptr || group->size() > side->size()) side = &*group;
  }
  std::vector<std::string> apart;
  for (const std::string& node : nodes) {
    if (!holds(*side, node)) apart.push_back(node);
  }
  return apart;
}

}  // namespace coterie::sim
