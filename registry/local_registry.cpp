#include "registry/local_registry.hpp"

#include <algorithm>
#include <utility>

namespace coterie {

using detail::SpinLock;
using Guard = std::unique_lock<SpinLock>;

namespace {

std::size_t mix(std::size_t bits) noexcept {
  bits *= 0x9E3779B97F4A7C15ull;
  return bits ^ (bits >> 32);
}

/// Room in `many` for as many as there are, which may change while it is made without the lock.
template <class Many, class Count>
void reserve(Guard& guard, Many& many, const Count& count) {
  while (many.capacity() < count()) {
    const std::size_t size = count();
    guard.unlock();
    many.reserve(size);
    guard.lock();
  }
}

}  // namespace

std::size_t LocalRegistry::hash_of(std::string_view key) noexcept {
  return std::hash<std::string_view>{}(key);
}
std::size_t LocalRegistry::hash_of(const Pid& pid) noexcept {
  // The slot is in the low half of the serial: both halves must reach all bits.
  return mix(pid.serial + static_cast<std::uint64_t>(pid.node));
}
std::size_t LocalRegistry::hash_of(const Pid& pid, std::size_t key_hash) noexcept {
  return mix(hash_of(pid) ^ key_hash);
}

void LocalRegistry::open(Keys keys) {
  keys_.store(keys, std::memory_order_relaxed);
  for (KeyStripe& stripe : tables_->keys) {
    Guard guard(stripe.lock);
    stripe.open = true;
  }
}

std::vector<Pid> LocalRegistry::close() {
  std::vector<EntryPtr> gone;
  for (KeyStripe& stripe : tables_->keys) {
    std::vector<EntryPtr> entries;
    Guard guard(stripe.lock);
    stripe.open = false;
    reserve(guard, entries, [&] { return stripe.entries; });
    ++stripe.generation;
    stripe.table.for_each([&](Entry& first) {
      for (Entry* entry = &first; entry != nullptr; entry = entry->next_same) {
        entry->in_table = false;
        entries.emplace_back(entry);
      }
    });
    stripe.table.clear();
    stripe.entries = 0;
    guard.unlock();
    std::ranges::move(entries, std::back_inserter(gone));
  }
  std::vector<Pid> registrants;
  for (ProcessStripe& stripe : tables_->processes) {
    std::vector<Owner*> owners;
    Guard guard(stripe.lock);
    reserve(guard, owners, [&] { return stripe.owners.size(); });
    ++stripe.generation;
    stripe.owners.for_each([&](Owner& owner) { owners.push_back(&owner); });
    stripe.owners.clear();
    stripe.mine.clear();
    guard.unlock();
    for (Owner* owner : owners) {
      registrants.push_back(owner->pid);
      for (Entry* entry = owner->first; entry != nullptr;) {
        EntryPtr held(std::exchange(entry, entry->next_own));
      }
      delete owner;
    }
  }
  return registrants;
}

LocalRegistry::Entry* LocalRegistry::find(const KeyStripe& stripe, std::size_t hash,
                                          std::string_view key) noexcept {
  return stripe.table.find(hash, [&](const Entry& entry) { return entry.key == key; });
}

// ---- registering

std::expected<void, Pid> LocalRegistry::register_name(std::string_view key, const Pid& pid,
                                                      RegistryValue value) {
  const std::size_t hash = hash_of(key);
  auto made = std::make_unique<Entry>(key, pid, std::move(value), hash, hash_of(pid, hash));
  std::uint64_t generation = 0;
  if (auto added = add_to_key(*made, generation); !added) return added;
  EntryPtr entry(made.release());  // for the process's side
  if (add_to_process(*entry, generation)) {
    static_cast<void>(entry.release());
    return {};
  }
  return std::unexpected(Pid{});  // closed meanwhile
}

std::expected<void, Pid> LocalRegistry::add_to_key(Entry& entry, std::uint64_t& generation) {
  KeyStripe& stripe = stripe_of(entry.hash);
  Guard guard(stripe.lock);
  while (!has_room(guard, stripe.table)) {
  }
  if (!stripe.open) return std::unexpected(Pid{});
  Entry* first = find(stripe, entry.hash, entry.key);
  if (first == nullptr) {
    entry.last_same = &entry;
    stripe.table.insert(entry);
  } else if (keys() == Keys::unique) {
    return std::unexpected(first->pid);
  } else {
    entry.previous_same = first->last_same;
    first->last_same->next_same = &entry;
    first->last_same = &entry;
  }
  entry.in_table = true;
  ++stripe.entries;
  generation = stripe.generation;
  return {};
}

bool LocalRegistry::add_to_process(Entry& entry, std::uint64_t generation) {
  ProcessStripe& stripe = stripe_of(entry.pid);
  const std::size_t hash = hash_of(entry.pid);
  std::unique_ptr<Owner> made;
  Owner* owner = nullptr;
  Guard guard(stripe.lock);
  for (;;) {
    if (stripe.generation != generation) return false;
    if (!has_room(guard, stripe.mine)) continue;
    owner = stripe.owners.find(hash, [&](const Owner& o) { return o.pid == entry.pid; });
    if (owner != nullptr) break;
    if (!has_room(guard, stripe.owners)) continue;
    if (made) {
      owner = made.release();
      stripe.owners.insert(*owner);
      break;
    }
    guard.unlock();
    made = std::make_unique<Owner>(entry.pid, hash);
    guard.lock();
  }
  entry.previous_own = owner->last;
  (owner->last != nullptr ? owner->last->next_own : owner->first) = &entry;
  owner->last = &entry;
  stripe.mine.insert(entry);
  return true;
}

// ---- unregistering

void LocalRegistry::unlink(KeyStripe& stripe, Entry& entry) noexcept {
  entry.in_table = false;
  --stripe.entries;
  Entry* const next = entry.next_same;
  if (entry.previous_same != nullptr) {
    entry.previous_same->next_same = next;
    if (next != nullptr) {
      next->previous_same = entry.previous_same;
    } else {
      find(stripe, entry.hash, entry.key)->last_same = entry.previous_same;
    }
  } else if (next != nullptr) {
    next->previous_same = nullptr;
    next->last_same = entry.last_same;
    stripe.table.replace(entry, *next);
  } else {
    stripe.table.erase(entry);
  }
}

void LocalRegistry::remove_from_key(Entry& entry) {
  KeyStripe& stripe = stripe_of(entry.hash);
  {
    const Guard guard(stripe.lock);
    if (!entry.in_table) return;  // closed meanwhile
    unlink(stripe, entry);
  }
  const EntryPtr held(&entry);
}

std::unique_ptr<LocalRegistry::Owner> LocalRegistry::unlink(ProcessStripe& stripe, Owner& owner,
                                                            Entry& entry) noexcept {
  stripe.mine.erase(entry);
  (entry.previous_own != nullptr ? entry.previous_own->next_own : owner.first) = entry.next_own;
  (entry.next_own != nullptr ? entry.next_own->previous_own : owner.last) = entry.previous_own;
  if (owner.first != nullptr) return nullptr;
  stripe.owners.erase(owner);
  return std::unique_ptr<Owner>(&owner);
}

/// Takes away the entries of `pid` under `key` that are `wanted`.
template <class Wanted>
std::size_t LocalRegistry::take_own(std::string_view key, const Pid& pid, const Wanted& wanted) {
  const std::size_t hash = hash_of(pid, hash_of(key));
  ProcessStripe& stripe = stripe_of(pid);
  std::size_t taken = 0;
  for (;; ++taken) {
    EntryPtr entry;
    {
      std::unique_ptr<Owner> leaving;
      const Guard guard(stripe.lock);
      entry.reset(stripe.mine.find(
          hash, [&](const Entry& e) { return e.pid == pid && e.key == key && wanted(&e); }));
      if (!entry) return taken;
      Owner* owner = stripe.owners.find(hash_of(pid), [&](const Owner& o) { return o.pid == pid; });
      leaving = unlink(stripe, *owner, *entry);
    }
    remove_from_key(*entry);
  }
}

std::size_t LocalRegistry::unregister(std::string_view key, const Pid& pid) {
  return take_own(key, pid, [](const Entry*) { return true; });
}

std::size_t LocalRegistry::unregister_match(std::string_view key, const Pid& pid,
                                            const Matches& matches) {
  std::vector<EntryPtr> matching;  // held, so that none can be mistaken for a later one
  for (Own& own : own_entries(key, pid)) {
    if (matches(own.value)) matching.push_back(std::move(own.entry));
  }
  std::size_t taken = 0;
  for (const EntryPtr& entry : matching) {
    taken += take_own(key, pid, [&](const Entry* e) { return e == entry.get(); });
  }
  return taken;
}

std::vector<std::string> LocalRegistry::remove_process(const Pid& pid) {
  ProcessStripe& stripe = stripe_of(pid);
  std::unique_ptr<Owner> owner;
  {
    const Guard guard(stripe.lock);
    owner.reset(stripe.owners.find(hash_of(pid), [&](const Owner& o) { return o.pid == pid; }));
    if (!owner) return {};
    stripe.owners.erase(*owner);
    // The newest first: it stands first in its chain.
    for (Entry* entry = owner->last; entry != nullptr; entry = entry->previous_own) {
      stripe.mine.erase(*entry);
    }
  }
  std::vector<std::string> keys;
  for (Entry* next = owner->first; next != nullptr;) {
    const EntryPtr entry(std::exchange(next, next->next_own));
    remove_from_key(*entry);
    keys.push_back(entry->key);
  }
  return keys;
}

// ---- asking

bool LocalRegistry::update_value(std::string_view key, const Pid& pid, RegistryValue value) {
  const std::size_t hash = hash_of(key);
  KeyStripe& stripe = stripe_of(hash);
  const Guard guard(stripe.lock);
  Entry* entry = find(stripe, hash, key);
  if (entry == nullptr || entry->pid != pid) return false;
  std::swap(entry->value, value);  // the old one goes when the lock is released
  return true;
}

std::optional<Pid> LocalRegistry::whereis(std::string_view key) const {
  const std::size_t hash = hash_of(key);
  const KeyStripe& stripe = stripe_of(hash);
  const Guard guard(stripe.lock);
  const Entry* entry = find(stripe, hash, key);
  return entry != nullptr ? std::optional<Pid>(entry->pid) : std::nullopt;
}

std::vector<RegistryEntry> LocalRegistry::lookup(std::string_view key) const {
  const std::size_t hash = hash_of(key);
  const KeyStripe& stripe = stripe_of(hash);
  std::vector<RegistryEntry> entries;
  entries.reserve(1);
  Guard guard(stripe.lock);
  const Entry* entry = find(stripe, hash, key);
  if (entry != nullptr && entry->next_same != nullptr) {
    // Counted again whenever the room for them was made without the lock.
    reserve(guard, entries, [&] {
      std::size_t count = 0;
      for (const Entry* e = entry = find(stripe, hash, key); e != nullptr; e = e->next_same) {
        ++count;
      }
      return count;
    });
  }
  for (; entry != nullptr; entry = entry->next_same) {
    entries.push_back({entry->pid, entry->value});
  }
  return entries;
}

std::vector<LocalRegistry::Own> LocalRegistry::own_entries(std::string_view key,
                                                           const Pid& pid) const {
  const std::size_t hash = hash_of(pid, hash_of(key));
  const auto is_it = [&](const Entry& e) { return e.pid == pid && e.key == key; };
  std::vector<Own> found;
  {
    const ProcessStripe& stripe = stripe_of(pid);
    Guard guard(stripe.lock);
    reserve(guard, found, [&] {
      std::size_t count = 0;
      stripe.mine.find(hash, [&](const Entry& e) { return count += is_it(e), false; });
      return count;
    });
    stripe.mine.find(hash, [&](Entry& entry) {
      if (!is_it(entry)) return false;
      entry.holders.fetch_add(1, std::memory_order_relaxed);
      found.push_back({EntryPtr(&entry), {}});
      return false;
    });
  }
  const KeyStripe& stripe = stripe_of(hash_of(key));
  const Guard guard(stripe.lock);
  for (Own& own : found) own.value = own.entry->value;
  std::ranges::reverse(found);  // a chain has its newest entry first
  return found;
}

std::vector<RegistryValue> LocalRegistry::values(std::string_view key, const Pid& pid) const {
  std::vector<RegistryValue> values;
  for (Own& own : own_entries(key, pid)) values.push_back(std::move(own.value));
  return values;
}

std::vector<std::string> LocalRegistry::keys(const Pid& pid) const {
  std::vector<EntryPtr> held;
  {
    const ProcessStripe& stripe = stripe_of(pid);
    Guard guard(stripe.lock);
    const Owner* owner = nullptr;
    reserve(guard, held, [&] {
      owner = stripe.owners.find(hash_of(pid), [&](const Owner& o) { return o.pid == pid; });
      std::size_t count = 0;
      for (const Entry* e = owner ? owner->first : nullptr; e != nullptr; e = e->next_own) ++count;
      return count;
    });
    for (Entry* e = owner ? owner->first : nullptr; e != nullptr; e = e->next_own) {
      e->holders.fetch_add(1, std::memory_order_relaxed);
      held.emplace_back(e);
    }
  }
  std::vector<std::string> keys;
  keys.reserve(held.size());
  for (const EntryPtr& entry : held) keys.push_back(entry->key);
  std::ranges::sort(keys);
  return keys;
}

std::vector<RegistryRow> LocalRegistry::rows() const {
  std::vector<RegistryRow> rows;
  for (const KeyStripe& stripe : tables_->keys) {
    std::vector<Own> held;
    {
      Guard guard(stripe.lock);
      reserve(guard, held, [&] { return stripe.entries; });
      stripe.table.for_each([&](Entry& first) {
        for (Entry* entry = &first; entry != nullptr; entry = entry->next_same) {
          entry->holders.fetch_add(1, std::memory_order_relaxed);
          held.push_back({EntryPtr(entry), entry->value});
        }
      });
    }
    for (Own& own : held) {
      rows.push_back({own.entry->key, own.entry->pid, std::move(own.value)});
    }
  }
  return rows;
}

std::size_t LocalRegistry::count() const {
  std::size_t entries = 0;
  for (const KeyStripe& stripe : tables_->keys) {
    const Guard guard(stripe.lock);
    entries += stripe.entries;
  }
  return entries;
}

}  // namespace coterie
