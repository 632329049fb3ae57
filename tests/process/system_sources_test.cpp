// The real clock and the random sources, against what their headers promise.

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"

namespace coterie {
namespace {

std::int64_t read_ns(clockid_t clock) {
  timespec at{};
  clock_gettime(clock, &at);
  return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

// Goal: time never goes back, also when many threads read one clock at once.
TEST(SystemClock, NeverGoesBackOnAnyThread) {
  SystemClock clock;
  std::atomic<std::int64_t> latest{0};
  std::atomic<int> went_back{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        const std::int64_t seen = latest.load();
        const std::int64_t now = clock.now().time_since_epoch().count();
        if (now < seen) ++went_back;
        std::int64_t known = seen;
        while (known < now && !latest.compare_exchange_weak(known, now)) {
        }
      }
    });
  }
  threads.clear();
  EXPECT_EQ(went_back, 0);
}

// Goal: the clock is raw time plus suspended time, so that two processes of a machine agree.
TEST(SystemClock, IsRawTimePlusSuspendedTime) {
  SystemClock clock;
  const std::int64_t before = read_ns(CLOCK_MONOTONIC_RAW);
  const std::int64_t now = clock.now().time_since_epoch().count();
  const std::int64_t after = read_ns(CLOCK_MONOTONIC_RAW);
  std::int64_t suspended_bound = 0;
  for (int i = 0; i < 16; ++i) {
    const std::int64_t monotonic = read_ns(CLOCK_MONOTONIC);
    const std::int64_t sample = read_ns(CLOCK_BOOTTIME) - monotonic;
    suspended_bound = i == 0 ? sample : std::min(suspended_bound, sample);
  }
  EXPECT_GE(now, before);
  EXPECT_LE(now, after + suspended_bound);
}

// Goal: a seed replays a run, and another seed is another run.
TEST(SeededRandom, ReplaysBySeed) {
  SeededRandom first(7), second(7), other(8);
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t drawn = first.next();
    EXPECT_EQ(drawn, second.next());
    EXPECT_NE(drawn, other.next());
  }
}

// Goal: the published test vector of SplitMix64 holds, so recorded seeds stay valid for ever.
TEST(SeededRandom, MatchesThePublishedVector) {
  SeededRandom random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317ull);
  EXPECT_EQ(random.next(), 3203168211198807973ull);
  EXPECT_EQ(random.next(), 9817491932198370423ull);
}

// Goal: below() stays below its bound and reaches every value.
TEST(SeededRandom, BelowCoversItsRange) {
  SeededRandom random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1'000; ++i) seen.insert(random.below(10));
  EXPECT_EQ(seen.size(), 10u);
  EXPECT_EQ(*seen.rbegin(), 9u);
}

// Goal: threads that share a source never get the same number.
TEST(SystemRandom, ThreadsGetDifferentNumbers) {
  SystemRandom random;
  std::vector<std::vector<std::uint64_t>> drawn(4);
  std::vector<std::jthread> threads;
  for (auto& mine : drawn) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) mine.push_back(random.next());
    });
  }
  threads.clear();
  std::set<std::uint64_t> all;
  for (const auto& mine : drawn) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 20'000u);
}

// Goal: two sources made in a row are not the same source.
TEST(SystemRandom, IsSeededAnewEachTime) {
  SystemRandom first, second;
  EXPECT_NE(first.next(), second.next());
}

}  // namespace
}  // namespace coterie
