#pragma once
// The strict names whose callbacks are running right now, kept in memory that the guardian shares:
// when the node dies, they are the suspects (a poison message kills the node that runs it). Bounded
// and lock-free; readable after a kill -9 at any instant: a name is there whole or not at all.
// All zeros is an empty table. Any thread of the node writes; the guardian and `status` read.

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coterie {

class RunningNameTable {
 public:
  static constexpr std::size_t slots_max = 256;
  static constexpr std::size_t name_bytes_max = 240;

  /// A slot of the caller's own until release(): a worker may keep one for its life. None when all
  /// are taken, which is counted.
  std::optional<std::size_t> claim() noexcept;
  void release(std::size_t slot) noexcept;

  /// Only the slot's owner. A longer name is not entered, and counted: half a name accuses
  /// somebody else.
  void enter(std::size_t slot, std::string_view name) noexcept;
  void leave(std::size_t slot) noexcept;

  /// Those running now, or when the writer died. Trusts nothing that it reads.
  std::vector<std::string> names() const;
  /// Names that found no room since the node started.
  std::uint64_t overflow() const noexcept;

 private:
  struct alignas(64) Slot {
    std::atomic<std::uint32_t> claimed{0};
    std::atomic<std::uint32_t> sequence{0};  // odd while the name is being written
    std::atomic<std::uint32_t> length{0};    // 0: nothing runs
    std::uint32_t reserved = 0;
    std::array<std::atomic<std::uint64_t>, name_bytes_max / 8> words{};
  };
  static_assert(sizeof(Slot) == 256);
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

  std::atomic<std::uint64_t> overflow_{0};
  std::atomic<std::uint32_t> next_{0};
  std::array<Slot, slots_max> slots_{};
};

/// Stands in the table while it lives.
class RunningName {
 public:
  RunningName(RunningNameTable& table, std::string_view name) noexcept
      : table_(table), slot_(table.claim()) {
    if (slot_) table_.enter(*slot_, name);
  }
  RunningName(const RunningName&) = delete;
  RunningName& operator=(const RunningName&) = delete;
  ~RunningName() {
    if (!slot_) return;
    table_.leave(*slot_);
    table_.release(*slot_);
  }

 private:
  RunningNameTable& table_;
  const std::optional<std::size_t> slot_;
};

}  // namespace coterie
