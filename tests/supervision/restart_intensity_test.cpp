// Restart intensity: exactly N within the window are allowed, the N+1st is fatal (conformance 17).

#include "supervision/restart_intensity.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "process/seeded_random.hpp"

namespace coterie::detail {
namespace {

using namespace std::chrono_literals;

Time at(Duration since) { return Time(since); }

TEST(RestartIntensity, AllowsExactlyTheMaximum) {
  RestartIntensity intensity(3, 5s);
  EXPECT_TRUE(intensity.add(at(0s)));
  EXPECT_TRUE(intensity.add(at(1s)));
  EXPECT_TRUE(intensity.add(at(2s)));
  EXPECT_FALSE(intensity.add(at(3s)));
}

TEST(RestartIntensity, CountsARestartExactlyOneWindowAgo) {
  RestartIntensity edge(1, 5s);
  EXPECT_TRUE(edge.add(at(0s)));
  EXPECT_FALSE(edge.add(at(5s)));
  RestartIntensity past(1, 5s);
  EXPECT_TRUE(past.add(at(0s)));
  EXPECT_TRUE(past.add(at(5s) + Duration(1)));
}

TEST(RestartIntensity, ZeroAllowsNone) {
  RestartIntensity intensity(0, 5s);
  EXPECT_FALSE(intensity.add(at(0s)));
}

TEST(RestartIntensity, ForgetsWhatIsTakenBack) {
  RestartIntensity intensity(1, 5s);
  EXPECT_TRUE(intensity.add(at(1s)));
  intensity.forget(at(2s));  // never noted: nothing happens
  EXPECT_EQ(intensity.count(at(1s)), 1u);
  intensity.forget(at(1s));
  EXPECT_TRUE(intensity.add(at(2s)));
  EXPECT_FALSE(intensity.add(at(3s)));
}

// Goal: agrees with the definition, counted over the whole history, on random sequences.
TEST(RestartIntensity, AgreesWithTheDefinition) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SeededRandom random(seed);
    const std::size_t max = random.below(5);
    const Duration window = std::chrono::milliseconds(1 + random.below(50));
    RestartIntensity intensity(max, window);
    std::vector<Time> history;
    Time now{};
    for (int i = 0; i < 100; ++i) {
      now += std::chrono::milliseconds(random.below(30));
      history.push_back(now);
      std::size_t within = 0;
      for (const Time t : history) within += now - t <= window;
      const bool allowed = intensity.add(now);
      ASSERT_EQ(allowed, within <= max) << "seed " << seed << " step " << i;
      if (!allowed) break;  // the supervisor is gone
    }
  }
}

}  // namespace
}  // namespace coterie::detail
