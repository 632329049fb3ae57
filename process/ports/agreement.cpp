#include "process/ports/agreement.hpp"

namespace coterie {

const Member* View::find(std::string_view name) const {
  auto member = members.find(std::string(name));
  return member == members.end() ? nullptr : &member->second;
}

const Member* View::find(NodeId id) const {
  for (const auto& [name, member] : members) {
    if (member.incarnation.id == id) return &member;
  }
  return nullptr;
}

std::string_view to_string(NodeState state) noexcept {
  switch (state) {
    case NodeState::joining:
      return "joining";
    case NodeState::active:
      return "active";
    case NodeState::frozen:
      return "frozen";
    case NodeState::excluded:
      return "excluded";
    case NodeState::down:
      return "down";
  }
  return "unknown";
}

}  // namespace coterie
