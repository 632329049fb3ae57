#pragma once
// How long a supervisor waits before it starts a failed child again (Backoff in
// <coterie/child_spec.hpp>). Pure: the caller brings times and random bits.

#include <cstdint>

#include <coterie/child_spec.hpp>

namespace coterie::detail {

class RestartBackoff {
 public:
  /// A restart is due of a child that had run for `ran` (nothing: its start failed). Zero: at once.
  Duration pause(const Backoff& backoff, std::optional<Duration> ran, std::uint64_t random_bits);

 private:
  unsigned doublings_ = 0;
};

}  // namespace coterie::detail
