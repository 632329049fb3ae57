// Random faults on three simulated nodes: every outcome exactly once, and a seed replays a run.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sanitizer.hpp"
#include "tests/sim/sim_chaos.hpp"

namespace coterie::test {
namespace {

constexpr std::uint64_t seeds = 300 / work_divisor;

/// COTERIE_SEED replays one run.
std::pair<std::uint64_t, std::uint64_t> range() {
  const char* const one = std::getenv("COTERIE_SEED");
  if (one == nullptr) return {1, seeds + 1};
  const std::uint64_t seed = std::strtoull(one, nullptr, 10);
  return {seed, seed + 1};
}

TEST(SimSeeds, TheSameSeedGivesTheSameDigest) {
  const auto first = Chaos(42, {}).run();
  const auto again = Chaos(42, {}).run();
  const auto other = Chaos(43, {}).run();
  EXPECT_EQ(first.digest, again.digest);
  EXPECT_NE(first.digest, other.digest);
}

TEST(SimSeeds, EveryOutcomeExactlyOnceUnderRandomFaults) {
  std::uint64_t calls = 0, answered = 0, unknown = 0, downs = 0, exits = 0, notes = 0;
  const auto [begin, end] = range();
  for (std::uint64_t seed = begin; seed < end; ++seed) {
    ChaosOptions options;
    // Every third world has links that are nearly always full.
    if (seed % 3 == 0) options.window = 1 + seed % 4;
    const auto result = Chaos(seed, options).run();
    ASSERT_TRUE(result.violations.empty())
        << "COTERIE_SEED=" << seed << ": " << result.violations.size()
        << " violations, the first: " << result.violations.front();
    calls += result.calls;
    answered += result.answered;
    unknown += result.unknown;
    downs += result.downs;
    exits += result.exits;
    notes += result.notes;
  }
  std::printf("%llu calls (%llu answered, %llu unknown), %llu casts, %llu Downs, %llu Exits\n",
              static_cast<unsigned long long>(calls), static_cast<unsigned long long>(answered),
              static_cast<unsigned long long>(unknown), static_cast<unsigned long long>(notes),
              static_cast<unsigned long long>(downs), static_cast<unsigned long long>(exits));
  EXPECT_GT(answered, calls / 10);
  EXPECT_GT(unknown, 0u);
  EXPECT_GT(downs, 0u);
  EXPECT_GT(exits, 0u);
}

}  // namespace
}  // namespace coterie::test
