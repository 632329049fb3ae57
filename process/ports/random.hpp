#pragma once
// The source of randomness, injected so that a seed replays a run. Thread-safe implementations
// only.

#include <cstdint>

namespace coterie {

class Random {
 public:
  Random() = default;
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;
  virtual ~Random() = default;

  /// 64 uniformly distributed bits.
  virtual std::uint64_t next() noexcept = 0;
  /// Uniform in [0, bound); bound > 0. The bias of the multiplication is below 2^-32 for small
  /// bounds.
  std::uint64_t below(std::uint64_t bound) noexcept {
    return static_cast<std::uint64_t>(
        (__extension__ static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
};

}  // namespace coterie
