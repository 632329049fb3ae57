#pragma once
// Monotonic time, wall time, and the clock through which all of coterie reads them.
// Every component takes a Clock by reference, so a simulator can run N nodes on virtual time.
// Time never goes back and counts time spent in suspend; it means nothing on another machine.

#include <chrono>
#include <cstdint>

namespace coterie {

using Duration = std::chrono::nanoseconds;

/// Tag of the monotonic time line. It has no now(): ask a Clock.
struct MonotonicTimeline {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  static constexpr bool is_steady = true;
};

using Time = std::chrono::time_point<MonotonicTimeline, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// A wait without an end. A wait for longer than a hundred years counts as infinite too.
inline constexpr Duration infinity = Duration::max();

/// The moment `wait` after `start`, without overflow. A wait that is over already, as what is left
/// until a moment that has passed, ends at `start`.
constexpr Time after(Time start, Duration wait) noexcept {
  if (wait < Duration::zero()) return start;
  if (wait == infinity || start.time_since_epoch() > Duration::max() - wait) return Time::max();
  return start + wait;
}

/// A source of time. Implementations may be called from every thread at once.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  /// Monotonic, not slewed by NTP, includes suspended time.
  virtual Time now() const noexcept = 0;
  /// For people to read and for time stamps in records. Never compared between nodes.
  virtual WallTime wall() const noexcept = 0;
};

}  // namespace coterie
