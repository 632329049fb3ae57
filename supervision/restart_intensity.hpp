#pragma once
// How many restarts are too many: OTP's max_restarts within max_seconds. Exactly N restarts inside
// the window are allowed, the N+1st is fatal. Pure: the caller brings the time.

#include <cstddef>
#include <deque>
#include <optional>

#include <coterie/exit_reason.hpp>
#include <coterie/time.hpp>

namespace coterie::detail {

class RestartIntensity {
 public:
  RestartIntensity(std::size_t max_restarts, Duration window) noexcept
      : max_restarts_(max_restarts), window_(window) {}

  /// Notes a restart; times never go back. False: one too many. A restart exactly `window` ago
  /// still counts, as in supervisor.erl.
  bool add(Time now);
  /// Takes back one restart noted for that moment: it turned out to be another's fault.
  void forget(Time noted);
  /// Restarts that count at `now`.
  std::size_t count(Time now);

 private:
  void expire(Time now);

  std::size_t max_restarts_;
  Duration window_;
  std::deque<Time> restarts_;  // at most max_restarts_ + 1, oldest first
};

/// Why a supervisor does not start with this window; in none, no restart would ever be too many.
std::optional<ExitReason> bad_period(Duration window);

}  // namespace coterie::detail
