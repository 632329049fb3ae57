// Whole clusters of pure cores under drawn faults: no child ever runs twice, what was acknowledged
// comes back, what was deleted stays away; and each protection, switched off, is missed.

#include <gtest/gtest.h>

#include "tests/supervision/model_cluster.hpp"

namespace coterie::test {
namespace {

ModelFaults everything() {
  return {.storage_lost_percent = 15,
          .start_fails_percent = 8,
          .child_crash_percent = 10,
          .node_crash_permille = 25,
          .drain_permille = 10};
}

TEST(ClusterSimulation, HoldsUnderDrawnFaults) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    ModelCluster cluster(seed, 3 + seed % 3, everything());
    const std::string broken = cluster.run();
    ASSERT_EQ(broken, "") << "seed " << seed;
  }
}

// Goal: the simulation would notice. One seed that breaks is enough for each protection.
bool breaks(detail::ClusterCore::Mutations mutations) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    ModelCluster cluster(seed, 3 + seed % 3, everything(), mutations);
    if (!cluster.run().empty()) return true;
  }
  return false;
}

TEST(ClusterSimulation, MissesCompareAndSet) {
  EXPECT_TRUE(breaks({.claim_without_compare = true}));
}
TEST(ClusterSimulation, MissesTheViewOfARow) { EXPECT_TRUE(breaks({.judge_newer_rows = true})); }
TEST(ClusterSimulation, MissesTheMemoryOfDeletions) {
  EXPECT_TRUE(breaks({.adopt_during_erase = true}));
}

}  // namespace
}  // namespace coterie::test
