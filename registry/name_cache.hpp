#pragma once
// Where names were last seen, beside the callers. Bounded; any thread; in parts with a lock each,
// held for a look-up or a change. What it says may be out of date: the owner checks the epoch and
// answers `stale`.

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "process/ports/name_service.hpp"

namespace coterie {

class NameCache final {
 public:
  /// A bound of a thousand or more is kept by each part for itself: names are spread evenly.
  /// `bounded` false: a mutant of tests.
  explicit NameCache(std::size_t entries_max, bool bounded = true);

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
    for (Part& part : parts_) {
      std::lock_guard lock(part.mutex);
      for (auto entry = part.order.begin(); entry != part.order.end();) {
        const auto next = std::next(entry);
        if (gone(entry->location.pid.node)) part.erase(entry);
        entry = next;
      }
    }
  }
  /// Of whatever it keeps the most of.
  std::size_t size() const;
  std::size_t entries_max() const noexcept { return entries_max_; }

 private:
  struct Entry {
    std::string name;
    Location location;
  };
  using Order = std::list<Entry>;                                         // oldest first
  using Entries = std::unordered_map<std::string_view, Order::iterator>;  // keys point into order
  struct EpochHash {
    std::size_t operator()(const Epoch& epoch) const noexcept {
      return (epoch.counter ^ (epoch.view << 40)) * 0x9E3779B97F4A7C15ull;
    }
  };
  struct alignas(64) Part {
    void erase(Entries::iterator entry);
    void erase(Order::iterator entry) { erase(entries.find(entry->name)); }

    mutable std::mutex mutex;
    Order order;
    Entries entries;
    std::unordered_map<Epoch, Order::iterator, EpochHash> epochs;
  };
  const Part& part_of(std::string_view name) const noexcept;
  Part& part_of(std::string_view name) noexcept;

  std::vector<Part> parts_;
  const std::size_t entries_max_;
  const std::size_t part_max_;
  const bool bounded_;
};

}  // namespace coterie
