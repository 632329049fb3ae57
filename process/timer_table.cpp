#include "process/timer_table.hpp"

namespace coterie::detail {
namespace {

constexpr std::uint64_t timer_mark = std::uint64_t{1} << 63;
constexpr int worker_shift = 55;
constexpr int uses_shift = 24;
constexpr std::uint32_t uses_max = (1u << 31) - 1;
constexpr std::uint32_t place_bits = TimerTable::places_max - 1;

}  // namespace

TimerEntry* TimerTable::take() {
  if (!free_.empty()) {
    TimerEntry& entry = entries_[free_.back()];
    free_.pop_back();
    return &entry;
  }
  if (entries_.size() == places_max) return nullptr;
  // So that give() cannot fail.
  if (free_.capacity() == entries_.size()) free_.reserve(entries_.size() * 2 + 64);
  return &entries_.emplace_back(fire_, owner_, static_cast<std::uint32_t>(entries_.size()));
}

void TimerTable::give(TimerEntry& entry) noexcept {
  entry.to = Pid{};
  if (entry.uses++ < uses_max) free_.push_back(entry.place);
}

TimerEntry* TimerTable::find(Ref ref) noexcept {
  const auto bits = static_cast<std::uint64_t>(ref);
  const auto place = static_cast<std::uint32_t>(bits & place_bits);
  if (place >= entries_.size()) return nullptr;
  TimerEntry& entry = entries_[place];
  return entry.message && ref_of(entry) == ref ? &entry : nullptr;
}

Ref TimerTable::ref_of(const TimerEntry& entry) const noexcept {
  return Ref{timer_mark | std::uint64_t{worker_} << worker_shift |
             std::uint64_t{entry.uses} << uses_shift | entry.place};
}

int TimerTable::worker_of(Ref ref) noexcept {
  const auto bits = static_cast<std::uint64_t>(ref);
  return (bits & timer_mark) == 0 ? -1 : static_cast<int>(bits >> worker_shift & 0xff);
}

}  // namespace coterie::detail
