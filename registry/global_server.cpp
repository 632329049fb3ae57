#include "registry/global_server.hpp"

#include "process/runtime.hpp"
#include "registry/local_names.hpp"
#include "registry/name_holding.hpp"

namespace coterie::detail {

GenServer::Next GlobalServer::handle_call(const Hold& hold, From<Hold> from) {
  spawn([hold, from] {
    const auto held = hold_name({global_registry, hold.name}, hold.pid,
                                std::chrono::milliseconds(hold.timeout_ms));
    if (held) {
      from.reply({.epoch = *held});
    } else {
      from.reply({.error = held.error().code,
                  .holder = held.error().holder,
                  .detail = held.error().detail});
    }
  });
  return noreply();
}

GenServer::Next GlobalServer::handle_call(const Drop& drop, From<Drop> from) {
  spawn([drop, from] {
    static_cast<void>(drop_name({global_registry, drop.name}, drop.pid,
                                std::chrono::milliseconds(drop.timeout_ms)));
    from.reply();
  });
  return noreply();
}

std::vector<std::string> GlobalServer::handle_call(const Held&) {
  const auto* names = dynamic_cast<LocalNames*>(current_process().runtime().names());
  return names == nullptr ? std::vector<std::string>() : names->held(global_registry);
}

std::string GlobalServer::format_status() const {
  return "{global,{locks," + std::to_string(locks_.size()) + "}}";
}

}  // namespace coterie::detail
