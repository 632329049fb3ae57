#include <coterie/registry.hpp>

#include <stdexcept>
#include <utility>

#include "process/runtime.hpp"
#include "registry/local_names.hpp"

namespace coterie {
namespace {

LocalNames& names_here() {
  auto* names = dynamic_cast<LocalNames*>(detail::current_process().runtime().names());
  if (names == nullptr) throw std::logic_error("this node has no registries");
  return *names;
}

std::shared_ptr<LocalRegistry> need(const std::string& registry) {
  auto found = names_here().find(registry);
  if (!found) {
    throw std::invalid_argument("unknown registry: " + registry +
                                "; start it with Registry::start_link");
  }
  return found;
}

/// The registry's process has this local name.
std::string process_name(const std::string& registry) { return "registry." + registry; }

StartOptions start_options(const RegistryOptions& options) {
  StartOptions start;
  start.name = local(process_name(options.name));
  start.trap_exit = true;  // it outlives those registered in it
  return start;
}

}  // namespace

std::expected<Pid, StartError> Registry::start_link(RegistryOptions options) {
  auto start = start_options(options);
  return GenServer::start_link<Registry>(std::move(start), std::move(options));
}

std::expected<Pid, StartError> Registry::start(RegistryOptions options) {
  auto start = start_options(options);
  return GenServer::start<Registry>(std::move(start), std::move(options));
}

GenServer::Init Registry::init() {
  LocalNames& names = names_here();
  added_ = options_.scope == Scope::local ? names.add_local(options_.name) != nullptr
                                          : names.add_cluster(options_.name);
  if (added_) return ok();
  return stop_init(ExitReason::term(options_.scope == Scope::cluster
                                        ? "no_cluster_for_registry_" + options_.name
                                        : "registry_exists_" + options_.name));
}

Registry::~Registry() {
  // Names of cluster scope stay known: other nodes' processes may hold some.
  if (added_ && options_.scope == Scope::local) names_here().remove(options_.name);
}

void Registry::handle_info(const Exit& exit) {
  if (const auto registry = names_here().find(options_.name)) registry->remove_process(exit.from);
}

std::expected<void, Pid> Registry::register_name(const std::string& registry,
                                                 const std::string& key, Bytes value) {
  const auto found = need(registry);
  detail::Process& self = detail::current_process();
  auto registered = found->register_name(key, self.pid(), std::move(value));
  if (!registered) return registered;
  self.note_registered();
  // The registry's death ends those registered in it.
  if (const auto owner = whereis(process_name(registry))) link(*owner);
  return {};
}

bool Registry::unregister(const std::string& registry, const std::string& key) {
  return need(registry)->unregister(key, self());
}

bool Registry::update_value(const std::string& registry, const std::string& key, Bytes value) {
  return need(registry)->update_value(key, self(), std::move(value));
}

std::optional<RegistryEntry> Registry::lookup(const std::string& registry, const std::string& key) {
  auto entry = need(registry)->lookup(key);
  if (!entry) return std::nullopt;
  return RegistryEntry{entry->pid, std::move(entry->value)};
}

std::vector<std::string> Registry::keys(const std::string& registry, const Pid& pid) {
  return need(registry)->keys(pid);
}

std::size_t Registry::count(const std::string& registry) { return need(registry)->count(); }

}  // namespace coterie
