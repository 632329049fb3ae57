#pragma once
// A set of small plain entries in one block of memory: nothing while it is empty, a list that is
// searched while it is short, and a hash index beside it when it is long. Most processes have one
// link and one watcher; a supervisor has a million. Entries keep the order in which they came,
// except that the last one takes the place of one that is erased.

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <coterie/pid.hpp>

#include "process/near_home.hpp"

namespace coterie::detail {

// What counts up in a key: of the same node's, pids and references.
inline std::uint64_t number_of(const Pid& pid) noexcept {
  return static_cast<std::uint64_t>(pid.node) ^ pid.serial;
}
inline std::uint64_t number_of(Ref ref) noexcept { return static_cast<std::uint64_t>(ref); }

/// `Entry::key()` is what must be unique: comparable, with a number_of(key) that tells most keys
/// apart.
template <class Entry>
class FlatTable {
  static_assert(std::is_trivially_copyable_v<Entry>);

 public:
  using Key = std::remove_cvref_t<decltype(std::declval<const Entry&>().key())>;

  FlatTable() = default;
  FlatTable(const FlatTable&) = delete;
  FlatTable& operator=(const FlatTable&) = delete;
  ~FlatTable() { ::operator delete(block_); }

  std::size_t size() const noexcept { return block_ == nullptr ? 0 : block_->count; }
  bool empty() const noexcept { return size() == 0; }
  Entry* begin() noexcept { return entries(); }
  Entry* end() noexcept { return entries() + size(); }
  const Entry* begin() const noexcept { return entries(); }
  const Entry* end() const noexcept { return entries() + size(); }

  /// nullptr: it is not there. Valid until the next change.
  Entry* find(const Key& key) noexcept {
    const std::uint32_t place = place_of(key);
    return place == none ? nullptr : entries() + place;
  }
  bool contains(const Key& key) const noexcept { return place_of(key) != none; }
  /// False: the key is there already, nothing is changed.
  bool insert(const Entry& entry) {
    if (contains(entry.key())) return false;
    if (block_ == nullptr || block_->count == block_->capacity) grow();
    const std::uint32_t place = block_->count++;
    new (entries() + place) Entry(entry);
    if (block_->slots != 0) put_in_index(place);
    return true;
  }
  bool erase(const Key& key) noexcept {
    const std::uint32_t place = place_of(key);
    if (place == none) return false;
    const std::uint32_t last = --block_->count;
    const std::uint32_t gap = block_->slots == 0 ? none : slot_in_index(key);
    if (place != last) {
      if (gap != none) index()[slot_of(last)] = place;
      entries()[place] = entries()[last];
    }
    if (gap != none) close_gap(gap);
    if (last == 0 && block_->slots != 0) ::operator delete(std::exchange(block_, nullptr));
    return true;
  }

 private:
  struct Block {
    std::uint32_t count;
    std::uint32_t capacity;
    std::uint32_t slots;  // of the index; 0: there is none
    std::uint32_t unused;
  };
  static_assert(sizeof(Block) % alignof(Entry) == 0);
  static constexpr std::uint32_t none = UINT32_MAX;
  static constexpr std::uint32_t searched_max = 16;

  Entry* entries() const noexcept {
    return block_ == nullptr ? nullptr : std::launder(reinterpret_cast<Entry*>(block_ + 1));
  }
  std::uint32_t* index() const noexcept {
    return reinterpret_cast<std::uint32_t*>(entries() + block_->capacity);
  }
  std::uint32_t home(const Key& key) const noexcept {
    return static_cast<std::uint32_t>(near_home(number_of(key), block_->slots));
  }
  std::uint32_t after(std::uint32_t slot) const noexcept {
    return (slot + 1) & (block_->slots - 1);
  }

  /// The slot of the index that names the entry of `key`, or the free one where it would stand.
  std::uint32_t slot_in_index(const Key& key) const noexcept {
    std::uint32_t slot = home(key);
    while (index()[slot] != none && !(entries()[index()[slot]].key() == key)) slot = after(slot);
    return slot;
  }
  /// The slot that names a place, found by the place itself.
  std::uint32_t slot_of(std::uint32_t place) const noexcept {
    std::uint32_t slot = home(entries()[place].key());
    while (index()[slot] != place) slot = after(slot);
    return slot;
  }
  /// Its key is not in the index yet, so no other key is looked at: each would be a cache miss.
  void put_in_index(std::uint32_t place) noexcept {
    std::uint32_t slot = home(entries()[place].key());
    while (index()[slot] != none) slot = after(slot);
    index()[slot] = place;
  }
  std::uint32_t place_of(const Key& key) const noexcept {
    if (block_ == nullptr) return none;
    if (block_->slots != 0) return index()[slot_in_index(key)];
    for (std::uint32_t i = 0; i < block_->count; ++i) {
      if (entries()[i].key() == key) return i;
    }
    return none;
  }
  /// Empties a slot and moves back what stood behind it because of it (Knuth 6.4, algorithm R).
  void close_gap(std::uint32_t gap) noexcept {
    for (std::uint32_t slot = after(gap); index()[slot] != none; slot = after(slot)) {
      const std::uint32_t wanted = home(entries()[index()[slot]].key());
      const bool stays =
          gap <= slot ? gap < wanted && wanted <= slot : gap < wanted || wanted <= slot;
      if (stays) continue;
      index()[gap] = index()[slot];
      gap = slot;
    }
    index()[gap] = none;
  }
  void grow() {
    const std::uint32_t capacity = block_ == nullptr ? 1 : block_->capacity * 2;
    const std::uint32_t slots = capacity > searched_max ? std::bit_ceil(capacity * 2) : 0;
    Block* const old = block_;
    const Entry* const from = entries();
    block_ = new (
        ::operator new(sizeof(Block) + capacity * sizeof(Entry) + slots * sizeof(std::uint32_t)))
        Block{old == nullptr ? 0 : old->count, capacity, slots, 0};
    if (old != nullptr) std::uninitialized_copy_n(from, old->count, entries());
    ::operator delete(old);
    if (slots == 0) return;
    std::uninitialized_fill_n(index(), slots, none);
    for (std::uint32_t i = 0; i < block_->count; ++i) put_in_index(i);
  }

  Block* block_ = nullptr;
};

/// A process's links: who it is tied to.
struct Link {
  Pid pid;
  const Pid& key() const noexcept { return pid; }
};
/// What a process monitors, by reference; each is an alias too.
struct Monitor {
  Ref ref;
  Pid target;
  Ref key() const noexcept { return ref; }
};
/// Who monitors it: a reference is unique within the node that made it.
struct Watcher {
  struct Key {
    NodeId node;
    Ref ref;
    friend bool operator==(const Key&, const Key&) = default;
    friend std::uint64_t number_of(const Key& key) noexcept {
      return static_cast<std::uint64_t>(key.node) ^ static_cast<std::uint64_t>(key.ref);
    }
  };
  Pid pid;
  Ref ref;
  Key key() const noexcept { return {pid.node, ref}; }
};
struct OpenAlias {
  Ref ref;
  bool once;          // the first message closes it
  bool ends_monitor;  // and the monitor of the same reference, which closes it too
  bool closed;        // by unalias(), while that monitor goes on
  Ref key() const noexcept { return ref; }
};

}  // namespace coterie::detail
