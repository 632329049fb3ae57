// Which keys the clients of a failover test ask, and how often.

#include "sim/failover_feed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace coterie::sim {
namespace {

class Keys final : public Workload::Source {
 public:
  WorkloadOperation start(std::size_t index) override {
    return {std::to_string(index), {}, {}, {}};
  }
  WorkloadOperation next(std::size_t index) override { return {std::to_string(index), {}, {}, {}}; }
};

// Every key is asked again within two rounds, whatever the seed, and some keys twice in a row.
TEST(FailoverFeed, AsksEveryKeyInEachRound) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Keys source;
    constexpr std::size_t keys = 50;
    SideBySideFeed feed(source, keys, seed);
    std::vector<std::size_t> rounds(keys, 0);  // in which round a key was asked last
    std::size_t distinct = 0, repeats = 0;
    std::string last;
    for (int i = 0; i < 5'000; ++i) {
      const auto command = feed.next();
      ASSERT_TRUE(command);
      if (command->key == last) {
        ++repeats;
        continue;
      }
      last = command->key;
      const std::size_t round = distinct++ / keys;
      std::size_t& seen = rounds[std::stoul(command->key)];
      // A round that begins with the key that ended the one before looks like a repeat.
      EXPECT_LE(round - seen, 2u);
      seen = round;
    }
    EXPECT_GT(repeats, 1'000u);
    EXPECT_LT(repeats, 1'500u);
  }
  Keys source;
  SideBySideFeed one(source, 1, 7);
  EXPECT_EQ(one.next()->key, "0");
  EXPECT_EQ(one.next()->key, "0");
}

}  // namespace
}  // namespace coterie::sim
