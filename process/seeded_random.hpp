#pragma once
// A Random that replays: the same seed gives the same numbers, call by call. For simulations and
// tests; not for secrets. SplitMix64 (Steele, Lea, Flood 2014): its state is a counter, so one
// atomic addition makes it safe for any number of threads, and no value repeats within 2^64 calls.

#include <atomic>

#include "process/ports/random.hpp"

namespace coterie {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept override {
    // Relaxed: the numbers order nothing else.
    return mix(state_.fetch_add(golden, std::memory_order_relaxed) + golden);
  }

  /// The seed of an independent source, for a part that must not shift the draws of others.
  std::uint64_t split() noexcept { return mix(next() ^ 0x5851F42D4C957F2Dull); }

 private:
  static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15ull;
  static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  std::atomic<std::uint64_t> state_;
};

}  // namespace coterie
