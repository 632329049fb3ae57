#pragma once
// The real Clock. Made once by the composition root and passed by reference; any thread may use it.
// now() is CLOCK_MONOTONIC_RAW plus the time the machine was suspended (CLOCK_BOOTTIME minus
// CLOCK_MONOTONIC): NTP slews the ordinary clocks faster than the 1 % that leases allow for.
// All instances on one machine agree to well under a microsecond, in whatever process they live,
// so a moment may be handed to another process of the same machine. Right after the machine slept
// one of them may know it 50 us later than others; leases keep 20 ms of slack.

#include <atomic>

#include <coterie/time.hpp>

namespace coterie {

class SystemClock final : public Clock {
 public:
  SystemClock();
  /// Never goes back, on any thread. One read through the vDSO, and after 50 us two more; no system
  /// call.
  Time now() const noexcept override;
  WallTime wall() const noexcept override;

 private:
  std::int64_t suspended_ns() const noexcept;

  mutable std::atomic<std::int64_t> suspended_ns_;
  mutable std::atomic<std::int64_t> looked_at_ns_{0};  // for it, in running time; relaxed
};

}  // namespace coterie
