#include "registry/local_registry.hpp"

#include <algorithm>
#include <utility>

namespace coterie {

// The table decides; the notes of a process's keys follow. A process's registrations happen before
// its end is announced, so remove_process, which goes by the notes, misses none.
std::expected<void, Pid> LocalRegistry::register_name(std::string_view key, Pid pid, Bytes value) {
  {
    NameShard& shard = names_of(key);
    std::lock_guard lock(shard.mutex);
    auto [name, is_new] = shard.names.try_emplace(std::string(key), Entry{pid, std::move(value)});
    if (!is_new) return std::unexpected(name->second.pid);
  }
  ProcessShard& shard = processes_of(pid);
  std::lock_guard lock(shard.mutex);
  shard.keys[pid].emplace(key);
  return {};
}

bool LocalRegistry::unregister(std::string_view key, Pid pid) {
  {
    NameShard& shard = names_of(key);
    std::lock_guard lock(shard.mutex);
    const auto name = shard.names.find(key);
    if (name == shard.names.end() || name->second.pid != pid) return false;
    shard.names.erase(name);
  }
  ProcessShard& shard = processes_of(pid);
  std::lock_guard lock(shard.mutex);
  const auto keys = shard.keys.find(pid);
  if (keys == shard.keys.end()) return true;
  keys->second.erase(std::string(key));
  if (keys->second.empty()) shard.keys.erase(keys);
  return true;
}

bool LocalRegistry::update_value(std::string_view key, Pid pid, Bytes value) {
  NameShard& shard = names_of(key);
  std::lock_guard lock(shard.mutex);
  const auto name = shard.names.find(key);
  if (name == shard.names.end() || name->second.pid != pid) return false;
  name->second.value = std::move(value);
  return true;
}

std::optional<LocalRegistry::Entry> LocalRegistry::lookup(std::string_view key) const {
  const NameShard& shard = names_of(key);
  std::lock_guard lock(shard.mutex);
  const auto name = shard.names.find(key);
  if (name == shard.names.end()) return std::nullopt;
  return name->second;
}

std::vector<std::string> LocalRegistry::keys(Pid pid) const {
  const ProcessShard& shard = processes_of(pid);
  std::lock_guard lock(shard.mutex);
  const auto keys = shard.keys.find(pid);
  if (keys == shard.keys.end()) return {};
  std::vector<std::string> sorted(keys->second.begin(), keys->second.end());
  std::ranges::sort(sorted);
  return sorted;
}

std::size_t LocalRegistry::count() const {
  std::size_t names = 0;
  for (const NameShard& shard : names_) {
    std::lock_guard lock(shard.mutex);
    names += shard.names.size();
  }
  return names;
}

std::size_t LocalRegistry::remove_process(Pid pid) {
  std::unordered_set<std::string> keys;
  {
    ProcessShard& shard = processes_of(pid);
    std::lock_guard lock(shard.mutex);
    if (auto found = shard.keys.extract(pid)) keys = std::move(found.mapped());
  }
  std::size_t removed = 0;
  for (const std::string& key : keys) {
    NameShard& shard = names_of(key);
    std::lock_guard lock(shard.mutex);
    const auto name = shard.names.find(key);
    if (name == shard.names.end() || name->second.pid != pid) continue;
    shard.names.erase(name);
    ++removed;
  }
  return removed;
}

}  // namespace coterie
