// Whole nodes that start together: how many views they make, and how long it takes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "sim/sim_cluster.hpp"
#include "sim/sim_draw.hpp"
#include "tests/sim/drawn_program.hpp"

namespace coterie::test {
namespace {

using namespace std::chrono_literals;
using sim::SimCluster;
using sim::SimRun;
using sim::SimWorld;

struct Joined {
  std::uint64_t views = 0;
  Duration took{};
};

/// Until all are active members of one view of all.
Joined start_together(std::size_t nodes, bool together) {
  const auto plan = sim::draw_plan(program(), nodes, 7, {.agreement = AgreementEngine::store});
  EXPECT_TRUE(plan) << plan.error();
  SimWorld world(7);
  const Time begin = world.now();
  SimCluster cluster(world, plan->config, program().applications);
  cluster.protections().agreement.joins_together = together;
  for (const NodeSection& node : plan->config.nodes) EXPECT_TRUE(cluster.host(node.name).start());
  const auto is_in = [&](const NodeSection& node) {
    SimRun* const run = cluster.host(node.name).run();
    const Agreement* const agreement =
        run != nullptr && run->parts() != nullptr ? run->parts()->agreement() : nullptr;
    return agreement != nullptr && agreement->state() == coterie::NodeState::active &&
           agreement->view()->members.size() == nodes;
  };
  while (!std::ranges::all_of(plan->config.nodes, is_in) && world.now() < begin + 30s) {
    world.run_for(5ms);
  }
  EXPECT_TRUE(std::ranges::all_of(plan->config.nodes, is_in));
  const Joined joined{.views = cluster.views().views(), .took = world.now() - begin};
  std::printf("%zu nodes%s: %lu views, %.3f s\n", nodes, together ? "" : " each for itself",
              joined.views, static_cast<double>(joined.took.count()) / 1e9);
  return joined;
}

// Goal: a cluster of many that starts at once agrees on a few views, not on one for each node.
TEST(SimJoins, ManyStartTogetherInFewViews) {
  // Those who read a view and have written the next one before anybody else make one each: as many
  // as fit into the time of one read, however many nodes there are.
  EXPECT_LE(start_together(50, true).views, 50u / 4);
  EXPECT_EQ(start_together(50, false).views, 50u);
}

}  // namespace
}  // namespace coterie::test
