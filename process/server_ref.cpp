#include <coterie/server_ref.hpp>

namespace coterie {

std::string to_string(const ServerRef& ref) {
  struct Text {
    std::string operator()(const Pid& pid) const { return to_string(pid); }
    std::string operator()(const LocalName& name) const { return name.name; }
    std::string operator()(const RemoteName& name) const { return name.name + '@' + name.node; }
    std::string operator()(const ViaName& name) const { return name.registry + '/' + name.key; }
  };
  return std::visit(Text{}, ref);
}

}  // namespace coterie
