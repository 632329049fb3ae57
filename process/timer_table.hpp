#pragma once
// The messages that are to be sent later, of one worker. A timer's reference names its place in the
// table, so neither setting nor cancelling searches. The worker that owns the table locks it for
// next to nothing (BiasedLock); for others that is dear, and rare.
//
// A reference: bit 63 set, which no other reference has; 8 bits for the worker; 31 for how often
// the place has been used; 24 for the place. A place that has been used 2^31 times stays empty.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <coterie/process.hpp>

#include "process/biased_lock.hpp"
#include "process/timer.hpp"

namespace coterie::detail {

class Worker;

/// A message to be sent later: two cache lines, the first of which is the queue's.
struct alignas(64) TimerEntry final : Timer {
  TimerEntry(Fire fire, Worker& owner, std::uint32_t at_place) noexcept
      : Timer(fire), worker(owner), place(at_place) {}
  Worker& worker;
  const std::uint32_t place;
  std::uint32_t uses = 1;
  Time at{};  // to a tick of the worker's clock; for those who may not look into its queue
  Pid to_pid;
  std::unique_ptr<ServerRef> to_name;  // null: to the process
  MessagePtr message;                  // null: cancelled, or being sent
};

/// The message of every(): stays in its entry, and makes those that are sent.
struct Repeat {
  Repeat(MakeMessage m, Duration i)
      : make(std::make_shared<const MakeMessage>(std::move(m))), interval(i) {}
  std::shared_ptr<const MakeMessage> make;
  Duration interval;
};

static_assert(sizeof(TimerEntry) == 128);

class TimerTable {
 public:
  static constexpr std::size_t places_max = 1u << 24;

  TimerTable(Worker& owner, unsigned worker, Timer::Fire fire) noexcept
      : owner_(owner), worker_(worker), fire_(fire) {}
  ~TimerTable();
  TimerTable(const TimerTable&) = delete;
  TimerTable& operator=(const TimerTable&) = delete;

  /// The lock of all that follows, taken in the way that befits the calling thread.
  class Guard {
   public:
    Guard(TimerTable& table, bool owner) noexcept : lock_(table.lock_), owner_(owner) {
      owner_ ? lock_.lock() : lock_.lock_foreign();
    }
    ~Guard() { owner_ ? lock_.unlock() : lock_.unlock_foreign(); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    BiasedLock& lock_;
    const bool owner_;
  };

  /// nullptr: the table is full.
  TimerEntry* take();
  void give(TimerEntry& entry) noexcept;
  /// nullptr: it has been sent or cancelled.
  TimerEntry* find(Ref ref) noexcept;
  Ref ref_of(const TimerEntry& entry) const noexcept;

  /// Whose table a reference names; -1: it is not a timer's.
  static int worker_of(Ref ref) noexcept;

 private:
  // Most workers have few timers; those that have many get them in huge pages.
  static constexpr std::uint32_t first_entries = 512;
  static constexpr std::uint32_t segment_entries = (2u << 20) / sizeof(TimerEntry);
  TimerEntry& at(std::uint32_t place) const noexcept {
    if (place < first_entries) return segments_[0][place];
    const std::uint32_t after_first = place - first_entries;
    return segments_[1 + after_first / segment_entries][after_first % segment_entries];
  }
  static std::size_t bytes_of(std::size_t segment) noexcept {
    return (segment == 0 ? first_entries : segment_entries) * sizeof(TimerEntry);
  }

  Worker& owner_;
  const unsigned worker_;
  const Timer::Fire fire_;
  BiasedLock lock_;
  std::vector<TimerEntry*> segments_;
  std::uint32_t room_ = 0;  // entries in the segments
  std::uint32_t made_ = 0;
  std::vector<std::uint32_t> free_;  // places, reused last-in first-out
};

}  // namespace coterie::detail
