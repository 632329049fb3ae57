#pragma once
// The names of one node's local Registry: unique keys, each with the process that has it and a
// value, as Elixir's Registry with `keys: :unique`. A container that any thread may use; who dies
// is told to it with remove_process. Keys are spread over shards, each behind its own lock, held
// for a look-up or a change and over nothing else.

#include <array>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <coterie/bytes.hpp>
#include <coterie/pid.hpp>

namespace coterie {

class LocalRegistry final {
 public:
  struct Entry {
    Pid pid;
    Bytes value;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  /// The holder, if the key is taken (also by `pid` itself).
  std::expected<void, Pid> register_name(std::string_view key, Pid pid, Bytes value = {});
  /// Only the holder's own; false if `pid` does not hold the key.
  bool unregister(std::string_view key, Pid pid);
  /// Replaces the value; false if `pid` does not hold the key.
  bool update_value(std::string_view key, Pid pid, Bytes value);
  std::optional<Entry> lookup(std::string_view key) const;
  /// Sorted.
  std::vector<std::string> keys(Pid pid) const;
  std::size_t count() const;
  /// Every name of a process that has ended; how many there were. Called before its exit can be
  /// seen, so that a restart never meets its own old name.
  std::size_t remove_process(Pid pid);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept {
      return std::hash<std::string_view>{}(key);
    }
  };
  struct NameShard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Entry, Hash, std::equal_to<>> names;
  };
  struct ProcessShard {
    mutable std::mutex mutex;
    std::unordered_map<Pid, std::unordered_set<std::string>> keys;
  };
  static constexpr std::size_t shards = 16;

  NameShard& names_of(std::string_view key) { return names_[Hash{}(key) % shards]; }
  const NameShard& names_of(std::string_view key) const { return names_[Hash{}(key) % shards]; }
  ProcessShard& processes_of(Pid pid) { return processes_[std::hash<Pid>{}(pid) % shards]; }
  const ProcessShard& processes_of(Pid pid) const {
    return processes_[std::hash<Pid>{}(pid) % shards];
  }

  std::array<NameShard, shards> names_;
  std::array<ProcessShard, shards> processes_;
};

}  // namespace coterie
