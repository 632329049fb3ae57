#pragma once
// The table of one node's local Registry: keys, each with the processes that have it and a value.
// Any thread may use it. Entries of one process are made and removed by the thread that runs it
// (and all of them when the registry ends), so the two sides of an entry, its key's and its
// process's, are changed one after the other, each under the spin lock of its stripe; the key's
// side decides. No lock is held over a second lock, an allocation or a value's destructor.
//
// A look-up is one hash, one uncontended exchange and a walk of a short chain. Every operation on
// an entry is O(1), whatever the number of keys of its process and of processes of its key.

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/pid.hpp>
#include <coterie/registry_value.hpp>

#include "process/spin_lock.hpp"
#include "registry/chain_table.hpp"

namespace coterie {

class LocalRegistry final {
 public:
  LocalRegistry() = default;
  ~LocalRegistry() { close(); }
  LocalRegistry(const LocalRegistry&) = delete;
  LocalRegistry& operator=(const LocalRegistry&) = delete;

  /// It takes no registrations before. Once closed, it may be opened again.
  void open(Keys keys);
  /// Forgets everything; the processes that had entries, each once.
  std::vector<Pid> close();
  Keys keys() const noexcept { return keys_.load(std::memory_order_relaxed); }

  /// The error is the holder of a unique key (also `pid` itself); no process: it is closed.
  std::expected<void, Pid> register_name(std::string_view key, const Pid& pid,
                                         RegistryValue value = {});

  /// All that `pid` has under that key; how many there were.
  std::size_t unregister(std::string_view key, const Pid& pid);
  using Matches = std::function<bool(const RegistryValue&)>;
  std::size_t unregister_match(std::string_view key, const Pid& pid, const Matches& matches);
  /// Of a unique key; false if `pid` does not hold it.
  bool update_value(std::string_view key, const Pid& pid, RegistryValue value);

  /// The oldest registration's process.
  std::optional<Pid> whereis(std::string_view key) const;
  /// Oldest first.
  std::vector<RegistryEntry> lookup(std::string_view key) const;
  std::vector<RegistryValue> values(std::string_view key, const Pid& pid) const;
  /// Sorted; once for each registration.
  std::vector<std::string> keys(const Pid& pid) const;
  std::vector<RegistryRow> rows() const;
  std::size_t count() const;
  /// Every entry of a process that has ended; their keys, oldest first. Called before its exit can
  /// be seen, so that a restart never meets its own old name.
  std::vector<std::string> remove_process(const Pid& pid);

 private:
  struct Entry {
    Entry(std::string_view k, const Pid& p, RegistryValue v, std::size_t h, std::size_t m)
        : hash(h), key(k), pid(p), value(std::move(v)), hash_mine(m) {}
    // What a look-up reads stands together, in the first 64 bytes: among a million names each line
    // of the cache is a miss. Never changed, but for the chain and the value: under the key's lock.
    Entry* next_key = nullptr;
    const std::size_t hash;
    const std::string key;
    const Pid pid;
    RegistryValue value;
    // The key's side. The first entry of a key stands in the table and knows the last one.
    Entry* previous_same = nullptr;
    Entry* next_same = nullptr;
    Entry* last_same = nullptr;
    bool in_table = false;
    // The process's side.
    Entry* next_mine = nullptr;  // in the table of (process, key)
    const std::size_t hash_mine;
    Entry* previous_own = nullptr;
    Entry* next_own = nullptr;
    std::atomic<unsigned> holders{2};  // the two sides, and who reads it without a lock
  };
  struct Owner {
    explicit Owner(const Pid& p, std::size_t h) : hash(h), pid(p) {}
    Owner* next = nullptr;
    const std::size_t hash;
    const Pid pid;
    Entry* first = nullptr;
    Entry* last = nullptr;
  };
  struct FreeEntry {
    void operator()(Entry* entry) const noexcept {
      if (entry->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete entry;
    }
  };
  using EntryPtr = std::unique_ptr<Entry, FreeEntry>;  // one holder
  /// An entry and what its value was.
  struct Own {
    EntryPtr entry;
    RegistryValue value;
  };

  struct alignas(64) KeyStripe {
    mutable detail::SpinLock lock;
    bool open = false;
    std::uint64_t generation = 0;  // grows with each close
    std::size_t entries = 0;
    detail::ChainTable<Entry, &Entry::next_key, &Entry::hash> table;
  };
  struct alignas(64) ProcessStripe {
    mutable detail::SpinLock lock;
    std::uint64_t generation = 0;
    detail::ChainTable<Owner, &Owner::next, &Owner::hash> owners;
    detail::ChainTable<Entry, &Entry::next_mine, &Entry::hash_mine> mine;
  };
  static constexpr std::size_t stripes = 64;
  struct Tables {
    std::array<KeyStripe, stripes> keys;
    std::array<ProcessStripe, stripes> processes;
  };

  static std::size_t hash_of(std::string_view key) noexcept;
  static std::size_t hash_of(const Pid& pid) noexcept;
  static std::size_t hash_of(const Pid& pid, std::size_t key_hash) noexcept;
  // The chains are chosen by the low bits.
  KeyStripe& stripe_of(std::size_t key_hash) const noexcept {
    return tables_->keys[key_hash >> 58];
  }
  ProcessStripe& stripe_of(const Pid& pid) const noexcept {
    return tables_->processes[hash_of(pid) >> 58];
  }
  static Entry* find(const KeyStripe& stripe, std::size_t hash, std::string_view key) noexcept;

  std::expected<void, Pid> add_to_key(Entry& entry, std::uint64_t& generation);
  bool add_to_process(Entry& entry, std::uint64_t generation);
  void remove_from_key(Entry& entry);
  static void unlink(KeyStripe& stripe, Entry& entry) noexcept;
  /// The owner if it has nothing left: for the caller to delete without the lock.
  static std::unique_ptr<Owner> unlink(ProcessStripe& stripe, Owner& owner, Entry& entry) noexcept;
  std::vector<Own> own_entries(std::string_view key, const Pid& pid) const;
  template <class Wanted>
  std::size_t take_own(std::string_view key, const Pid& pid, const Wanted& wanted);

  std::unique_ptr<Tables> tables_ = std::make_unique<Tables>();
  std::atomic<Keys> keys_{Keys::unique};
};

}  // namespace coterie
