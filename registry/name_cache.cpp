#include "registry/name_cache.hpp"

#include <utility>

namespace coterie {

std::optional<Location> NameCache::find(std::string_view name) const {
  std::lock_guard lock(mutex_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return std::nullopt;
  Location location = entry->second->location;
  location.cached = true;
  return location;
}

void NameCache::remember(std::string_view name, const Location& location) {
  std::lock_guard lock(mutex_);
  if (const auto entry = entries_.find(name); entry != entries_.end()) {
    if (entry->second->location.epoch >= location.epoch) return;
    epochs_.erase(std::exchange(entry->second->location, location).epoch);
    epochs_.emplace(location.epoch, entry->second);
    return;
  }
  if (entries_max_ == 0) return;
  if (order_.size() == entries_max_) erase(order_.begin());
  order_.push_back({std::string(name), location});
  entries_.emplace(order_.back().name, std::prev(order_.end()));
  epochs_.emplace(location.epoch, std::prev(order_.end()));
}

void NameCache::forget(std::string_view name, const Epoch& epoch) {
  std::lock_guard lock(mutex_);
  const auto entry = entries_.find(name);
  if (entry != entries_.end() && entry->second->location.epoch <= epoch) erase(entry->second);
}

void NameCache::forget(const Epoch& epoch) {
  std::lock_guard lock(mutex_);
  const auto entry = epochs_.find(epoch);
  if (entry != epochs_.end()) erase(entry->second);
}

std::size_t NameCache::size() const {
  std::lock_guard lock(mutex_);
  return order_.size();
}

}  // namespace coterie
