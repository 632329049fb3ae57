#include "registry/name_cache.hpp"

#include <algorithm>
#include <utility>

namespace coterie {
namespace {

constexpr std::size_t part_count = 16;
constexpr std::size_t worth_parts = 1000;  // entries

std::size_t parts_for(std::size_t entries_max) {
  return entries_max < worth_parts ? 1 : part_count;
}

}  // namespace

NameCache::NameCache(std::size_t entries_max, bool bounded)
    : parts_(parts_for(entries_max)),
      entries_max_(entries_max),
      part_max_(entries_max / parts_.size()),
      bounded_(bounded) {}

const NameCache::Part& NameCache::part_of(std::string_view name) const noexcept {
  // The table of the part takes the low bits of the same hash.
  return parts_[(std::hash<std::string_view>()(name) >> 32) % parts_.size()];
}
NameCache::Part& NameCache::part_of(std::string_view name) noexcept {
  return const_cast<Part&>(std::as_const(*this).part_of(name));
}

void NameCache::Part::erase(Entries::iterator entry) {
  const auto place = entry->second;
  epochs.erase(place->location.epoch);
  entries.erase(entry);  // before the text that its key points to
  order.erase(place);
}

std::optional<Location> NameCache::find(std::string_view name) const {
  const Part& part = part_of(name);
  std::lock_guard lock(part.mutex);
  const auto entry = part.entries.find(name);
  if (entry == part.entries.end()) return std::nullopt;
  Location location = entry->second->location;
  location.cached = true;
  return location;
}

void NameCache::remember(std::string_view name, const Location& location) {
  Part& part = part_of(name);
  std::lock_guard lock(part.mutex);
  if (const auto entry = part.entries.find(name); entry != part.entries.end()) {
    if (entry->second->location.epoch >= location.epoch) return;
    part.epochs.erase(std::exchange(entry->second->location, location).epoch);
    part.epochs.emplace(location.epoch, entry->second);
    return;
  }
  if (part_max_ == 0) return;
  if (part.order.size() == part_max_ && bounded_) part.erase(part.order.begin());
  part.order.push_back({std::string(name), location});
  part.entries.emplace(part.order.back().name, std::prev(part.order.end()));
  part.epochs.emplace(location.epoch, std::prev(part.order.end()));
}

void NameCache::forget(std::string_view name, const Epoch& epoch) {
  Part& part = part_of(name);
  std::lock_guard lock(part.mutex);
  const auto entry = part.entries.find(name);
  if (entry != part.entries.end() && entry->second->location.epoch <= epoch) part.erase(entry);
}

void NameCache::forget(const Epoch& epoch) {
  for (Part& part : parts_) {
    std::lock_guard lock(part.mutex);
    const auto entry = part.epochs.find(epoch);
    if (entry != part.epochs.end()) return part.erase(entry->second);
  }
}

std::size_t NameCache::size() const {
  std::size_t count = 0;
  for (const Part& part : parts_) {
    std::lock_guard lock(part.mutex);
    count += std::max({part.order.size(), part.entries.size(), part.epochs.size()});
  }
  return count;
}

}  // namespace coterie
