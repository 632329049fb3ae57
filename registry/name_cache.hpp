#pragma once
// Where names were last seen, beside the callers. Bounded; any thread; one lock, held for a look-up
// or a change. What it says may be out of date: the owner checks the epoch and answers `stale`.

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "process/ports/name_service.hpp"

namespace coterie {

class NameCache final {
 public:
  explicit NameCache(std::size_t entries_max) : entries_max_(entries_max) {}

  std::optional<Location> find(std::string_view name) const;
  /// Unless a newer registration is known. At the bound the oldest entry goes.
  void remember(std::string_view name, const Location& location);
  /// If it is still the one with that epoch, or an older one.
  void forget(std::string_view name, const Epoch& epoch);
  /// The one with exactly that epoch: no two registrations share one.
  void forget(const Epoch& epoch);
  /// Everything on nodes for which `gone(node)` is true.
  template <class Gone>
  void forget_nodes(Gone gone) {
    std::lock_guard lock(mutex_);
    for (auto entry = order_.begin(); entry != order_.end();) {
      const auto next = std::next(entry);
      if (gone(entry->location.pid.node)) erase(entry);
      entry = next;
    }
  }
  std::size_t size() const;

 private:
  struct Entry {
    std::string name;
    Location location;
  };
  using Order = std::list<Entry>;  // oldest first
  void erase(Order::iterator entry) {
    epochs_.erase(entry->location.epoch);
    entries_.erase(entry->name);
    order_.erase(entry);
  }

  const std::size_t entries_max_;
  mutable std::mutex mutex_;
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> entries_;  // keys point into order_
  std::map<Epoch, Order::iterator> epochs_;
};

}  // namespace coterie
