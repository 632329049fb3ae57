#include "process/timer_table.hpp"

#include <new>

#include "process/slab.hpp"

namespace coterie::detail {
namespace {

constexpr std::uint64_t timer_mark = std::uint64_t{1} << 63;
constexpr int worker_shift = 55;
constexpr int uses_shift = 24;
constexpr std::uint32_t uses_max = (1u << 31) - 1;
constexpr std::uint32_t place_bits = TimerTable::places_max - 1;

}  // namespace

TimerTable::~TimerTable() {
  for (std::uint32_t place = 0; place < made_; ++place) at(place).~TimerEntry();
  for (std::size_t s = 0; s < segments_.size(); ++s) give_slab(segments_[s], bytes_of(s));
}

TimerEntry* TimerTable::take() {
  if (!free_.empty()) {
    TimerEntry& entry = at(free_.back());
    free_.pop_back();
    return &entry;
  }
  if (made_ == places_max) return nullptr;
  if (made_ == room_) {
    segments_.reserve(segments_.size() + 1);
    const std::size_t bytes = bytes_of(segments_.size());
    free_.reserve(room_ + bytes / sizeof(TimerEntry));  // so that give() cannot fail
    segments_.push_back(static_cast<TimerEntry*>(take_slab(bytes)));
    room_ += static_cast<std::uint32_t>(bytes / sizeof(TimerEntry));
  }
  const std::uint32_t place = made_++;
  return new (&at(place)) TimerEntry(fire_, owner_, place);
}

void TimerTable::give(TimerEntry& entry) noexcept {
  entry.to_name.reset();
  if (entry.uses++ < uses_max) free_.push_back(entry.place);
}

TimerEntry* TimerTable::find(Ref ref) noexcept {
  const auto bits = static_cast<std::uint64_t>(ref);
  const auto place = static_cast<std::uint32_t>(bits & place_bits);
  if (place >= made_) return nullptr;
  TimerEntry& entry = at(place);
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
