// Whole nodes in one thread: they start, serve contracts, and bring back those of a dead one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "examples/contracts/contract_workload.hpp"
#include "examples/contracts/contracts.hpp"
#include "node/workload_caller.hpp"
#include "sim/sim_cluster.hpp"

namespace coterie::test {
namespace {

using namespace std::chrono_literals;
using sim::SimCluster;
using sim::SimWorld;

const ClusterConfig& config() {
  static const ClusterConfig read = [] {
    auto loaded = load_config(COTERIE_SOURCE_DIR "/cluster-configs/local-3.toml");
    EXPECT_TRUE(loaded) << to_string(loaded.error());
    return *std::move(loaded);
  }();
  return read;
}

struct Clients {
  explicit Clients(SimCluster& simulated)
      : cluster(simulated),
        workload(contracts::application().workloads.front()),
        source(workload->source(7, {})) {}

  /// Sends the command to one node after another until it is answered.
  bool answered(const WorkloadOperation& operation, Duration within) {
    const Time end = after(cluster.world().now(), within);
    for (std::size_t i = 0; cluster.world().now() < end; ++i) {
      std::optional<Client::Answer> answer;
      cluster.doors().submit(1, config().nodes[i % config().nodes.size()].name,
                             request_of(workload->call(operation), operation.request_id, 1s),
                             [&answer](Client::Answer got) { answer = std::move(got); });
      cluster.world().run_until([&answer] { return answer.has_value(); }, 2s);
      if (answer && *answer) return true;
      cluster.world().run_for(20ms);
    }
    return false;
  }

  SimCluster& cluster;
  std::shared_ptr<const Workload> workload;
  std::unique_ptr<Workload::Source> source;
};

struct Outcome {
  std::uint64_t digest = 0;
  std::uint64_t steps = 0;
};

constexpr std::size_t contracts = 12;

Outcome kill_the_owner(std::uint64_t seed) {
  SimWorld world(seed);
  {
    SimCluster cluster(world, config(), {contracts::application()});
    std::vector<std::string> all;
    for (const NodeSection& node : config().nodes) {
      all.push_back(node.name);
      EXPECT_TRUE(cluster.host(node.name).start());
    }
    EXPECT_TRUE(world.run_until([&] { return cluster.whole(all); }, 20s)) << "seed " << seed;
    Clients clients(cluster);
    for (std::size_t i = 0; i < contracts; ++i) {
      EXPECT_TRUE(clients.answered(clients.source->start(i), 10s)) << "seed " << seed;
    }
    const auto on = [&](const std::string& node) {
      return cluster.running(node, "contracts").size();
    };
    const std::string owner =
        *std::ranges::max_element(all, {}, [&](const std::string& node) { return on(node); });
    EXPECT_GT(on(owner), 0u);
    EXPECT_EQ(on(all[0]) + on(all[1]) + on(all[2]), contracts);
    EXPECT_TRUE(cluster.host(owner).end_program(9));
    std::vector<std::string> rest = all;
    std::erase(rest, owner);
    EXPECT_TRUE(world.run_until(
        [&] { return cluster.whole(rest) && on(rest[0]) + on(rest[1]) == contracts; }, 10s))
        << "seed " << seed;
    for (std::size_t i = 0; i < contracts; ++i) {
      EXPECT_TRUE(clients.answered(clients.source->next(i), 10s)) << "seed " << seed;
    }
    // The file says `respawn`: its guardian starts it again.
    EXPECT_TRUE(world.run_until([&] { return cluster.whole(all); }, 20s)) << "seed " << seed;
    for (const auto& violation : cluster.violations()) {
      ADD_FAILURE() << "seed " << seed << ": " << violation.text;
    }
    EXPECT_GT(cluster.owners().callbacks(), contracts);
    EXPECT_GT(cluster.store().appends, contracts);
  }
  return {world.digest(), world.steps()};
}

TEST(SimCluster, AKilledNodesContractsComeBack) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) kill_the_owner(seed);
}

TEST(SimCluster, TheSameSeedIsTheSameRun) {
  const Outcome first = kill_the_owner(11);
  const Outcome second = kill_the_owner(11);
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.steps, second.steps);
  EXPECT_NE(first.digest, kill_the_owner(12).digest);
}

}  // namespace
}  // namespace coterie::test
