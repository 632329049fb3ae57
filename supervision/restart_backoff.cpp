#include "supervision/restart_backoff.hpp"

#include <algorithm>

namespace coterie::detail {

Duration RestartBackoff::pause(const Backoff& backoff, std::optional<Duration> ran,
                               std::uint64_t random_bits) {
  if (backoff.min <= Duration::zero()) return Duration::zero();
  if (ran && *ran >= backoff.reset_after) doublings_ = 0;
  const double longest = static_cast<double>(std::max(backoff.max, backoff.min).count());
  double pause = static_cast<double>(backoff.min.count());
  for (unsigned i = 0; i < doublings_ && pause < longest; ++i) pause *= 2;
  if (pause < longest) ++doublings_;
  pause = std::min(pause, longest);
  // Between -1 and 1, from the bits that a double can hold.
  const double swing = static_cast<double>(random_bits >> 11) / static_cast<double>(1ull << 52) - 1;
  pause *= 1 + swing * std::clamp(backoff.jitter, 0.0, 1.0);
  return std::max(Duration(static_cast<Duration::rep>(pause)), Duration(1));
}

}  // namespace coterie::detail
