#include <coterie/pid.hpp>

#include <array>
#include <charconv>

namespace coterie {
namespace {

std::string hex(std::uint64_t value) {
  std::array<char, 16> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return {digits.data(), end};
}

}  // namespace

std::string to_string(NodeId node) { return hex(static_cast<std::uint64_t>(node)); }

std::string to_string(const Pid& pid, NodeId here) {
  if (!pid) return "<none>";
  std::string text = "<";
  text += pid.node == here || pid.node == NodeId::none ? "0" : to_string(pid.node);
  text += '.' + std::to_string(pid.serial & 0xFFFFFFFFu) + '.' + std::to_string(pid.serial >> 32);
  return text + '>';
}

std::string to_string(const Incarnation& incarnation) {
  return std::to_string(incarnation.counter) + '#' + to_string(incarnation.id);
}

std::string to_string(const Epoch& epoch) {
  return std::to_string(epoch.view) + '.' + std::to_string(epoch.counter);
}

}  // namespace coterie
