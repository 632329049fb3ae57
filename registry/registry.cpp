#include <coterie/registry.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <typeinfo>
#include <utility>

#include "process/runtime.hpp"
#include "registry/available_registry.hpp"
#include "registry/local_names.hpp"

namespace coterie {
namespace {

LocalNames& names_here() {
  NameService* names = detail::current_process().runtime().names();
  // A comparison of types, not a dynamic_cast: this is on the way of every look-up.
  if (names == nullptr || typeid(*names) != typeid(LocalNames)) {
    throw std::logic_error("this node has no registries");
  }
  return static_cast<LocalNames&>(*names);
}

LocalPlace& need(const std::string& registry) {
  LocalPlace* found = names_here().find_local(registry);
  if (found == nullptr) {
    throw std::invalid_argument("unknown registry: " + registry +
                                "; start it with Registry::start_link");
  }
  return *found;
}

StartOptions start_options(const RegistryOptions& options) {
  StartOptions start;
  start.name = local(detail::registry_process(options.name));
  start.trap_exit = true;  // it outlives those who link to it
  return start;
}

}  // namespace

// ---- the registry's process

std::expected<Pid, StartError> Registry::start_link(RegistryOptions options) {
  if (options.mode == Mode::available) return detail::start_available(std::move(options), true);
  auto start = start_options(options);
  return GenServer::start_link<Registry>(std::move(start), std::move(options));
}

std::expected<Pid, StartError> Registry::start(RegistryOptions options) {
  if (options.mode == Mode::available) return detail::start_available(std::move(options), false);
  auto start = start_options(options);
  return GenServer::start<Registry>(std::move(start), std::move(options));
}

GenServer::Init Registry::init() {
  LocalNames& names = names_here();
  if (options_.scope == Scope::cluster) {
    if (options_.keys == Keys::duplicate) return stop_init(detail::duplicate_in_cluster());
    if (names.add_cluster(options_.name)) return ok();
    return stop_init(ExitReason::term("no_cluster_for_registry_" + options_.name));
  }
  added_ = names.open_local(
      options_.name,
      {options_.keys, self(), &detail::current_process().runtime(), std::move(options_.listeners),
       std::max<std::size_t>(options_.partitions, 1), std::move(options_.meta)});
  if (added_) return ok();
  return stop_init(ExitReason::term("registry_exists_" + options_.name));
}

Registry::~Registry() {
  // Names of cluster scope stay known: other nodes' processes may hold some.
  if (!added_) return;
  const std::vector<Pid> registrants = names_here().close_local(options_.name);
  // To them it is the end of a link. Kept in the table alone: a link for each would cost every
  // registrant's start and end a message to this process.
  detail::Process& self = detail::current_process();
  const std::vector<Pid> linked = info().links;
  for (const Pid& pid : registrants) {
    if (std::ranges::find(linked, pid) != linked.end()) continue;  // hears of it anyhow
    self.runtime().signal(self.pid(), pid, Signal::exit, Ref::none, reason_);
  }
}

std::string Registry::format_status() const {
  std::string text = "{registry," + options_.name;
  text += options_.scope == Scope::cluster ? ",cluster"
          : options_.keys == Keys::unique  ? ",unique"
                                           : ",duplicate";
  if (added_) text += ",{count," + std::to_string(count(options_.name)) + "}";
  text += ",{partitions," + std::to_string(options_.partitions) + "},{locks," +
          std::to_string(locks_.size()) + "},{listeners,[";
  if (added_) {
    for (const std::string& listener : need(options_.name).listeners()) {
      text += (text.back() == '[' ? "" : ",") + listener;
    }
  }
  return text + "]}}";
}

// ---- registrations of the calling process

std::expected<Pid, AlreadyRegistered> Registry::register_name(const std::string& registry,
                                                              const std::string& key,
                                                              RegistryValue value) {
  LocalPlace& place = need(registry);
  detail::Process& self = detail::current_process();
  self.note_registered();
  const bool told = place.listened();
  const RegistryValue copy = told ? value : RegistryValue();
  if (const auto done = place.table.register_name(key, self.pid(), std::move(value)); !done) {
    if (!done.error()) need(registry);  // it has ended meanwhile: throws
    return std::unexpected(AlreadyRegistered{done.error()});
  }
  if (told) place.announce_registered(key, self.pid(), copy);
  return place.owner();
}

bool Registry::unregister(const std::string& registry, const std::string& key) {
  LocalPlace& place = need(registry);
  const Pid mine = self();
  if (place.table.unregister(key, mine) == 0) return false;
  place.announce_unregistered(key, mine);
  return true;
}

std::size_t Registry::unregister_match(const std::string& registry, const std::string& key,
                                       const std::function<bool(const RegistryValue&)>& matches) {
  LocalPlace& place = need(registry);
  const Pid mine = self();
  const std::size_t gone = place.table.unregister_match(key, mine, matches);
  // Its listeners hear of the process's last one, as Elixir's do.
  if (gone > 0 && place.table.values(key, mine).empty()) place.announce_unregistered(key, mine);
  return gone;
}

std::optional<std::pair<RegistryValue, RegistryValue>> Registry::update_value(
    const std::string& registry, const std::string& key,
    const std::function<RegistryValue(const RegistryValue&)>& update) {
  LocalPlace& place = need(registry);
  if (place.table.keys() == Keys::duplicate) {
    throw std::invalid_argument("Registry::update_value needs unique keys; \"" + registry +
                                "\" has duplicate ones");
  }
  const Pid mine = self();
  // Only its holder changes a value, so nobody does between these two.
  const auto held = place.table.values(key, mine);
  if (held.empty()) return std::nullopt;
  RegistryValue changed = update(held.front());
  if (!place.table.update_value(key, mine, changed)) return std::nullopt;
  return std::pair(std::move(changed), held.front());
}

// ---- everybody's

std::optional<Pid> Registry::whereis_name(const std::string& registry, const std::string& key) {
  return need(registry).table.whereis(key);
}

std::vector<RegistryEntry> Registry::lookup(const std::string& registry, const std::string& key) {
  return need(registry).table.lookup(key);
}

std::vector<RegistryEntry> Registry::match(
    const std::string& registry, const std::string& key,
    const std::function<bool(const RegistryValue&)>& matches) {
  auto entries = lookup(registry, key);
  std::erase_if(entries, [&](const RegistryEntry& entry) { return !matches(entry.value); });
  return entries;
}

std::size_t Registry::count_match(const std::string& registry, const std::string& key,
                                  const std::function<bool(const RegistryValue&)>& matches) {
  return match(registry, key, matches).size();
}

std::vector<RegistryRow> Registry::select(const std::string& registry,
                                          const std::function<bool(const RegistryRow&)>& matches) {
  auto rows = need(registry).table.rows();
  std::erase_if(rows, [&](const RegistryRow& row) { return !matches(row); });
  return rows;
}

std::size_t Registry::count_select(const std::string& registry,
                                   const std::function<bool(const RegistryRow&)>& matches) {
  return select(registry, matches).size();
}

std::vector<std::string> Registry::keys(const std::string& registry, const Pid& pid) {
  return need(registry).table.keys(pid);
}

std::vector<RegistryValue> Registry::values(const std::string& registry, const std::string& key,
                                            const Pid& pid) {
  return need(registry).table.values(key, pid);
}

std::size_t Registry::count(const std::string& registry) { return need(registry).table.count(); }

void Registry::dispatch(const std::string& registry, const std::string& key,
                        const std::function<void(std::span<const RegistryEntry>)>& callback,
                        DispatchOptions options) {
  const LocalPlace& place = need(registry);
  const auto entries = place.table.lookup(key);
  if (entries.empty()) return;
  const std::size_t parts = std::min(place.partitions(), entries.size());
  if (!options.parallel || place.partitions() < 2) {
    callback(entries);
    return;
  }
  std::set<Ref> running;
  const Pid caller = self();
  for (std::size_t part = 0; part < parts; ++part) {
    const auto begin = entries.begin() + std::ptrdiff_t(entries.size() * part / parts);
    const auto end = entries.begin() + std::ptrdiff_t(entries.size() * (part + 1) / parts);
    // Copies: the caller may be killed, and its stack be gone, before the part ends.
    auto run = [callback, caller, some = std::vector(begin, end)] {
      callback(some);
      unlink(caller);  // a caller that traps exits shall not hear of a good end
    };
    running.insert(spawn_monitor(std::move(run), {.link = true}).second);
  }
  while (!running.empty()) {
    receive(when([&](const Down& down) { return running.contains(down.ref); },
                 [&](const Down& down) {
                   running.erase(down.ref);
                   if (down.reason != ExitReason::normal()) exit(down.reason);
                 }));
  }
}

std::optional<RegistryValue> Registry::meta(const std::string& registry, const std::string& key) {
  return need(registry).meta(key);
}
void Registry::put_meta(const std::string& registry, const std::string& key, RegistryValue value) {
  need(registry).put_meta(key, std::move(value));
}
void Registry::delete_meta(const std::string& registry, const std::string& key) {
  need(registry).delete_meta(key);
}

// ---- locks

Registry::Locked::Locked(const std::string& registry, const std::string& key)
    : registry_(need(registry).owner()), key_(key) {
  static_cast<void>(call(registry_, Lock(key_), infinity).value());
}

Registry::Locked::~Locked() { cast(registry_, Unlock(key_)); }

void Registry::handle_call(const Lock& request, From<Lock> from) {
  auto& turns = locks_[request.key];
  turns.push_back({monitor(from.pid()), from});
  if (turns.size() == 1) from.reply(true);
}

void Registry::handle_cast(const Unlock& request) {
  const auto turns = locks_.find(request.key);
  if (turns == locks_.end() || turns->second.front().from.pid() != request.holder) return;
  demonitor(turns->second.front().monitor);
  leave(turns, 0);
}

void Registry::handle_info(const Down& down) {
  for (auto turns = locks_.begin(); turns != locks_.end();) {
    const auto left = std::ranges::find(turns->second, down.ref, &Turn::monitor);
    const auto position = left - turns->second.begin();
    const auto found = left != turns->second.end() ? turns : locks_.end();
    ++turns;
    if (found == locks_.end()) continue;
    leave(found, static_cast<std::size_t>(position));
    return;
  }
}

/// Whoever held the lock, or waited for it, does no more.
void Registry::leave(Locks::iterator turns, std::size_t position) {
  turns->second.erase(turns->second.begin() + static_cast<std::ptrdiff_t>(position));
  if (turns->second.empty()) {
    locks_.erase(turns);
  } else if (position == 0) {
    turns->second.front().from.reply(true);
  }
}

// ---- registries of the program's own

bool add_via_registry(const std::string& name, std::shared_ptr<ViaRegistry> registry) {
  detail::Process& self = detail::current_process();
  NameService* names = self.runtime().names();
  if (names == nullptr || !names->add_via(name, std::move(registry), self.pid())) return false;
  self.note_registered();
  return true;
}

}  // namespace coterie
