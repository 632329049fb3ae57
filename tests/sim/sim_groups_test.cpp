// Process groups over simulated nodes and their ordinary links: what OTP's pg_SUITE checks between
// nodes, and that members agree after partitions of every kind. Virtual time.

#include <gtest/gtest.h>

#include <coterie/process_groups.hpp>

#include "registry/local_names.hpp"
#include "tests/sim/sim_cluster.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_on;
using test::SimCluster;
using Pids = std::vector<Pid>;

struct GroupNodes : SimCluster {
  explicit GroupNodes(std::uint64_t seed, sim::SimNetworkOptions options = {})
      : SimCluster(seed, options) {}
  ~GroupNodes() {
    while (!nodes.empty()) kill(nodes.begin()->first, true);
  }

  NodeId begin(const std::string& name) {
    const NodeId id = start(name);
    names.push_back(std::make_unique<LocalNames>());
    runtime(id).set_names(names.back().get());
    run_on(runtime(id), [] {
      trap_exit(true);
      for (;;) {
        const auto scope = pg::start_link("chat");
        ASSERT_TRUE(scope);
        receive([&](const Exit& exit) { EXPECT_EQ(exit.from, *scope); });
      }
    });
    world.run_for(1ms);
    return id;
  }
  Pid member(NodeId node, const std::string& group, int times = 1) {
    return run_on(runtime(node), [group, times] {
      for (int i = 0; i < times; ++i) pg::join("chat", group, self());
      sleep(infinity);
    });
  }
  void end(const Pid& pid) {
    complete_on(pid.node, [pid] { exit(pid, ExitReason::kill()); });
  }
  Pids seen(NodeId node, const std::string& group) {
    Pids pids;
    complete_on(node, [&] { pids = pg::get_members("chat", group); });
    return pids;
  }
  std::map<std::string, Pids> all(NodeId node) {
    std::map<std::string, Pids> groups;
    complete_on(node, [&] {
      for (const auto& group : pg::which_groups("chat")) {
        groups[group] = pg::get_members("chat", group);
      }
    });
    return groups;
  }
  std::vector<std::unique_ptr<LocalNames>> names;
};

// Goal: members of all nodes are seen on all nodes; each kind of end takes them away.
TEST(SimGroups, AreSeenEverywhere) {
  GroupNodes cluster(1);
  const NodeId a = cluster.begin("a"), b = cluster.begin("b");
  const Pid one = cluster.member(a, "room");
  cluster.world.run_for(10ms);
  cluster.join_all();
  const Pid two = cluster.member(b, "room", 2);
  cluster.world.run_for(50ms);
  for (const NodeId node : {a, b}) EXPECT_EQ(cluster.seen(node, "room"), (Pids{one, two, two}));
  cluster.complete_on(b, [&] {
    EXPECT_THROW(pg::join("chat", "room", one), std::invalid_argument);
    EXPECT_EQ(pg::get_local_members("chat", "room"), (Pids{two, two}));
  });

  const NodeId c = cluster.begin("c");
  cluster.join_all();
  cluster.world.run_for(50ms);
  EXPECT_EQ(cluster.seen(c, "room"), (Pids{one, two, two})) << "a node that comes later";
  cluster.end(one);
  cluster.world.run_for(50ms);
  EXPECT_EQ(cluster.seen(c, "room"), (Pids{two, two})) << "a member ended";
  cluster.kill(b, true);
  cluster.world.run_for(200ms);
  EXPECT_EQ(cluster.seen(c, "room"), Pids{}) << "a node ended";
}

// Goal: each side of a partition sees its own, is told so, and everybody again afterwards.
TEST(SimGroups, APartitionHeals) {
  GroupNodes cluster(2);
  const NodeId a = cluster.begin("a"), b = cluster.begin("b");
  cluster.join_all();
  const Pid here = cluster.member(a, "room"), there = cluster.member(b, "room");
  cluster.world.run_for(50ms);
  std::vector<std::string> told;
  run_on(cluster.runtime(a), [&] {
    static_cast<void>(pg::monitor_scope("chat"));
    for (;;) {
      receive(
          [&](const pg::Joined& m) {
            told.push_back("+" + m.group + std::to_string(m.pids.size()));
          },
          [&](const pg::Left& m) {
            told.push_back("-" + m.group + std::to_string(m.pids.size()));
          });
    }
  });
  cluster.network.cut(a, b);
  cluster.world.run_for(200ms);
  EXPECT_EQ(cluster.seen(a, "room"), Pids{here});
  EXPECT_EQ(cluster.seen(b, "room"), Pids{there});
  const Pid meanwhile = cluster.member(b, "hall");
  cluster.world.run_for(50ms);
  cluster.join_all();
  cluster.world.run_for(50ms);
  for (const NodeId node : {a, b}) {
    EXPECT_EQ(cluster.seen(node, "room"), (Pids{here, there}));
    EXPECT_EQ(cluster.seen(node, "hall"), Pids{meanwhile});
  }
  EXPECT_EQ(told, (std::vector<std::string>{"-room1", "+hall1", "+room1"}));
}

// Goal: a scope that crashes loses its own members, and learns those of the others again.
TEST(SimGroups, AScopeThatCrashesIsFoundAgain) {
  GroupNodes cluster(3);
  const NodeId a = cluster.begin("a"), b = cluster.begin("b");
  cluster.join_all();
  cluster.member(a, "room");
  const Pid there = cluster.member(b, "room");
  cluster.world.run_for(50ms);
  cluster.complete_on(a, [] { exit(whereis("chat").value(), ExitReason::kill()); });
  cluster.world.run_for(50ms);
  for (const NodeId node : {a, b}) EXPECT_EQ(cluster.seen(node, "room"), Pids{there});
  const Pid again = cluster.member(a, "room");
  cluster.world.run_for(50ms);
  for (const NodeId node : {a, b}) EXPECT_EQ(cluster.seen(node, "room"), (Pids{again, there}));
}

// Goal: a node without the scope hears of nobody and is asked once, not for ever.
TEST(SimGroups, ANodeWithoutTheScopeIsLeftAlone) {
  GroupNodes cluster(4);
  const NodeId a = cluster.begin("a");
  const NodeId bare = cluster.start("bare");
  cluster.join_all();
  cluster.member(a, "room");
  cluster.world.run_for(1min);
  cluster.complete_on(bare, [] { EXPECT_LE(node_counters().dead_letters, 2u); });
  EXPECT_EQ(cluster.seen(a, "room").size(), 1u);
}

// Goal: joins, leaves, ends, cuts, crashes at random; once it is quiet, all nodes show the same,
// and that is what there is.
TEST(SimGroups, AgreeOverManySeeds) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GroupNodes cluster(seed, {.window = 4});
    std::vector<NodeId> ids;
    for (const std::string name : {"a", "b", "c", "d"}) ids.push_back(cluster.begin(name));
    cluster.join_all();
    const auto draw = [&](std::uint64_t bound) { return cluster.world.random().below(bound); };
    const auto some = [&] { return ids[draw(ids.size())]; };
    std::set<Pid> alive;
    for (int i = 0; i < 120; ++i) {
      const std::string group = "group-" + std::to_string(draw(4));
      switch (draw(8)) {
        case 0:
        case 1:
        case 2:
        case 3:
          alive.insert(cluster.member(some(), group, 1 + static_cast<int>(draw(3))));
          break;
        case 4:
          if (alive.empty()) break;
          cluster.end(*alive.begin());
          alive.erase(alive.begin());
          break;
        case 5:
          if (const NodeId x = some(), y = some(); x != y) cluster.network.cut(x, y);
          break;
        case 6:
          cluster.join_all();
          break;
        default:
          if (draw(4) == 0) {
            const NodeId node = some();
            cluster.complete_on(node, [] {
              if (const auto scope = whereis("chat")) exit(*scope, ExitReason::kill());
            });
          }
      }
      cluster.world.run_for(std::chrono::milliseconds(draw(30)));
    }
    cluster.world.run_for(1s);
    cluster.join_all();
    cluster.world.run_for(30s);
    std::map<std::string, Pids> expected;
    for (const NodeId node : ids) {
      cluster.complete_on(node, [&] {
        for (const auto& group : pg::which_local_groups("chat")) {
          const Pids mine = pg::get_local_members("chat", group);
          for (const Pid& pid : mine) EXPECT_TRUE(is_alive(pid));
          expected[group].insert(expected[group].end(), mine.begin(), mine.end());
        }
      });
    }
    EXPECT_FALSE(expected.empty());
    for (const NodeId node : ids) EXPECT_EQ(cluster.all(node), expected);
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace coterie
