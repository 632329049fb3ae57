#include "node/call_target.hpp"

namespace coterie {

std::expected<CallTarget, std::string> parse_call_target(std::string_view text) {
  const auto refuse = [&](std::string_view what) {
    return std::unexpected("expected " + std::string(what) + ", found \"" + std::string(text) +
                           '"');
  };
  if (const std::size_t slash = text.find('/'); slash != text.npos) {
    const std::string registry(text.substr(0, slash)), key(text.substr(slash + 1));
    if (registry.empty() || key.empty()) {
      return refuse("REGISTRY/KEY, such as contracts/contract-7");
    }
    return CallTarget{ViaName{registry, key}, {}, registry};
  }
  const std::size_t at = text.rfind('@');
  const std::string name(text.substr(0, at));
  const std::string node(at == text.npos ? "" : text.substr(at + 1));
  if (name.empty() || (at != text.npos && node.empty())) {
    return refuse("REGISTRY/KEY, NAME or NAME@NODE");
  }
  return CallTarget{LocalName{name}, node, name};
}

std::string full_type(const CallTarget& target, std::string_view type) {
  if (type.find('.') != type.npos) return std::string(type);
  return target.prefix + '.' + std::string(type);
}

}  // namespace coterie
