#include "process/resolve.hpp"

#include <utility>

namespace coterie::detail {
namespace {

CallError::Code call_code(NameError::Code code) noexcept {
  switch (code) {
    case NameError::Code::not_found:
    case NameError::Code::no_registry:
    case NameError::Code::taken:
      return CallError::Code::noproc;
    case NameError::Code::unavailable:
    case NameError::Code::stale_view:
      return CallError::Code::unavailable;
    case NameError::Code::data_unavailable:
      return CallError::Code::data_unavailable;
    case NameError::Code::quarantined:
      return CallError::Code::quarantined;
    case NameError::Code::failed:
      return CallError::Code::failed;
  }
  return CallError::Code::noproc;
}

struct Resolve {
  Process& self;
  Duration timeout;
  bool fresh;

  Destination operator()(const Pid& pid) const { return {.pid = pid}; }

  Destination operator()(const LocalName& name) const {
    Runtime& runtime = self.runtime();
    return {.pid = runtime.whereis(name.name).value_or(Pid{runtime.node(), 0}),
            .detail = "no process is registered as " + name.name};
  }

  Destination operator()(const RemoteName& name) const {
    Runtime& runtime = self.runtime();
    if (name.node == runtime.options().node) return (*this)(LocalName{name.name});
    const NodeId node = runtime.distribution() == nullptr
                            ? NodeId::none
                            : runtime.distribution()->connected(name.node);
    if (node == NodeId::none) {
      return {.code = CallError::Code::nodedown,
              .detail = "node " + name.node + " is not connected"};
    }
    return {.pid = Pid{node, 0}, .name = name.name};
  }

  Destination operator()(const ViaName& name) const {
    NameService* names = self.runtime().names();
    if (names == nullptr) {
      return {.detail = "there is no registry " + name.registry + " on this node"};
    }
    auto location = names->resolve(name.registry, name.key, fresh, timeout);
    if (!location) {
      return {.code = call_code(location.error().code), .detail = location.error().message};
    }
    return {.pid = location->pid, .epoch = location->epoch, .cached = location->cached};
  }
};

}  // namespace

Destination resolve(Process& self, const ServerRef& ref, Duration timeout, bool fresh) {
  return std::visit(Resolve{self, timeout, fresh}, ref);
}

void forget(Runtime& runtime, const ServerRef& ref, const Destination& destination) {
  const auto* name = std::get_if<ViaName>(&ref);
  if (name == nullptr || runtime.names() == nullptr) return;
  runtime.names()->forget(name->registry, name->key,
                          {destination.pid, destination.epoch, destination.cached});
}

}  // namespace coterie::detail
