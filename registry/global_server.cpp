#include "registry/global_server.hpp"

#include <coterie/requests.hpp>

#include "process/runtime.hpp"
#include "registry/local_names.hpp"
#include "registry/name_holding.hpp"

namespace coterie::detail {

void drop_global(const std::string& name, const Pid& pid, Duration timeout) {
  const ViaName dropped{global_registry, name};
  if (drop_name(dropped, pid, timeout)) abcast(GlobalServer::local_name, NameDropped{dropped});
}

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
    drop_global(drop.name, drop.pid, std::chrono::milliseconds(drop.timeout_ms));
    from.reply();
  });
  return noreply();
}

std::vector<std::string> GlobalServer::handle_call(const Held&) {
  const auto* names = dynamic_cast<LocalNames*>(current_process().runtime().names());
  return names == nullptr ? std::vector<std::string>() : names->held(global_registry);
}

void GlobalServer::handle_cast(const Watching& watching) {
  const std::pair watch{Key{watching.name.registry, watching.name.key}, watching.pid};
  watching_.emplace(monitor(watching.pid), watch);
  watchers_.insert(watch);
}

void GlobalServer::handle_cast(const NameDropped& dropped) {
  const Key key{dropped.name.registry, dropped.name.key};
  for (auto at = watchers_.lower_bound({key, Pid{}}); at != watchers_.end(); ++at) {
    if (at->first != key) break;
    send(at->second, dropped);
  }
}

void GlobalServer::handle_info(const Down& down) {
  locks_.erase(down.ref);
  const auto ended = watching_.extract(down.ref);
  if (!ended.empty()) watchers_.erase(ended.mapped());
}

std::string GlobalServer::format_status() const {
  return "{global,{locks," + std::to_string(locks_.size()) + "},{monitors," +
         std::to_string(watchers_.size()) + "}}";
}

}  // namespace coterie::detail
