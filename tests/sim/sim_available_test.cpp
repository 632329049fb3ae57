// Registries of mode `available` on simulated nodes: every side of a partition goes on; after the
// heal each name has one process, the others are ended once and told why. Virtual time.

#include <gtest/gtest.h>

#include <coterie/registry.hpp>

#include "registry/available_registry.hpp"
#include "registry/local_names.hpp"
#include "tests/sim/sim_cluster.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_on;
using test::SimCluster;

struct Where {
  using Reply = std::string;
  static constexpr std::string_view type_name = "test.where";
};
struct Session final : GenServer {
  using Calls = Messages<Where>;
  std::string handle_call(const Where&) { return node_name(); }
};

struct NameNodes : SimCluster {
  using Order = decltype(RegistryOptions::survives);
  explicit NameNodes(std::uint64_t seed, Order survives = {})
      : SimCluster(seed), order(std::move(survives)) {}
  ~NameNodes() {
    while (!nodes.empty()) kill(nodes.begin()->first, true);
  }
  NodeId begin(const std::string& name) {
    const NodeId id = start(name);
    names.push_back(std::make_unique<LocalNames>());
    runtime(id).set_names(names.back().get());
    run_on(runtime(id), [this] {
      trap_exit(true);
      ASSERT_TRUE(Registry::start_link({.name = "sessions",
                                        .scope = Scope::cluster,
                                        .mode = Mode::available,
                                        .survives = order}));
      sleep(infinity);
    });
    world.run_for(1ms);
    return id;
  }
  /// Starts a session under the name; its end is noted.
  std::optional<Pid> session(NodeId node, const std::string& key) {
    std::optional<Pid> given;
    complete_on(node, [&] {
      const auto pid = GenServer::start<Session>({.name = via("sessions", key)});
      if (!pid) {
        EXPECT_EQ(pid.error().code, StartError::Code::already_started);
        return;
      }
      given = *pid;
      living[key].insert(*pid);
    });
    if (!given) return given;
    run_on(runtime(node), [this, key, pid = *given] {
      const auto down = receive_down(monitor(pid));
      living[key].erase(pid);
      ++ends[pid];
      reasons[pid] = to_string(down->reason);
    });
    return given;
  }
  std::string where(NodeId from, const std::string& key) {
    std::string answer;
    complete_on(from, [&] {
      const auto asked = call(via("sessions", key), Where{}, 2s);
      answer = asked ? *asked : to_string(asked.error().code());
    });
    return answer;
  }

  const Order order;
  std::vector<std::unique_ptr<LocalNames>> names;
  std::map<std::string, std::set<Pid>> living;
  std::map<Pid, int> ends;
  std::map<Pid, std::string> reasons;
};

// Goal: a name is one process's while all are connected, and free when that ends or is cut off.
TEST(SimAvailable, NamesAreSeenEverywhere) {
  NameNodes cluster(1);
  const NodeId a = cluster.begin("a"), b = cluster.begin("b");
  cluster.join_all();
  const Pid one = cluster.session(a, "k").value();
  EXPECT_FALSE(cluster.session(a, "k")) << "taken here";
  cluster.world.run_for(50ms);
  EXPECT_FALSE(cluster.session(b, "k")) << "taken there";
  EXPECT_EQ(cluster.where(b, "k"), "a");
  cluster.complete_on(b, [&] {
    const auto taken = GenServer::start<Session>({.name = via("sessions", "k")});
    EXPECT_EQ(taken.error().holder, one);
  });
  // A restart does not meet its own old name.
  cluster.complete_on(a, [&] {
    exit(one, ExitReason::kill());
    receive_down(monitor(one));
    EXPECT_EQ(whereis(ServerRef(via("sessions", "k"))), std::nullopt);
  });
  const Pid two = cluster.session(a, "k").value();
  cluster.world.run_for(50ms);
  EXPECT_EQ(cluster.where(b, "k"), "a");
  cluster.complete_on(b, [&] { exit(two, ExitReason::kill()); });
  cluster.world.run_for(50ms);
  EXPECT_EQ(cluster.where(b, "k"), "noproc");
  EXPECT_TRUE(cluster.session(b, "k"));
}

// Goal: cut off, both sides serve; healed, the older one stays and the other hears why it ends.
TEST(SimAvailable, OneSurvivesAHeal) {
  NameNodes cluster(2);
  const NodeId a = cluster.begin("a"), b = cluster.begin("b"), c = cluster.begin("c");
  cluster.join_all();
  const Pid older = cluster.session(a, "k").value();
  cluster.world.run_for(50ms);
  cluster.network.cut(a, b);
  cluster.network.cut(a, c);
  cluster.world.run_for(200ms);
  EXPECT_EQ(cluster.where(a, "k"), "a") << "a minority goes on";
  const Pid younger = cluster.session(c, "k").value();
  cluster.world.run_for(50ms);
  EXPECT_EQ(cluster.where(b, "k"), "c");
  cluster.join_all();
  cluster.world.run_for(200ms);
  for (const NodeId node : {a, b, c}) EXPECT_EQ(cluster.where(node, "k"), "a");
  EXPECT_EQ(cluster.living["k"], std::set{older});
  EXPECT_TRUE(cluster.reasons[younger].starts_with("{shutdown,{name_conflict,sessions,k,"))
      << cluster.reasons[younger];
}

// Goal: the end of a node's registry is the end of its registrants: nobody lives on unseen.
TEST(SimAvailable, ItsDeathEndsItsRegistrants) {
  NameNodes cluster(5);
  const NodeId a = cluster.begin("a"), b = cluster.begin("b");
  cluster.join_all();
  const Pid here = cluster.session(a, "here").value(), there = cluster.session(b, "there").value();
  cluster.world.run_for(50ms);
  cluster.complete_on(a, [] { exit(whereis("registry.sessions").value(), ExitReason::kill()); });
  cluster.world.run_for(50ms);
  EXPECT_EQ(cluster.reasons[here], "killed");
  EXPECT_EQ(cluster.living["there"], std::set{there});
  EXPECT_EQ(cluster.where(b, "here"), "noproc");
  EXPECT_EQ(cluster.where(b, "there"), "b");
}

// Goal: the program says who survives.
TEST(SimAvailable, AnOrderOfTheProgramsOwn) {
  NameNodes cluster(
      3, [](const NameClaim& one, const NameClaim& other) { return one.epoch > other.epoch; });
  const NodeId a = cluster.begin("a"), b = cluster.begin("b");
  cluster.join_all();
  cluster.session(a, "k").value();
  cluster.world.run_for(50ms);
  cluster.network.cut(a, b);
  cluster.world.run_for(200ms);
  const Pid younger = cluster.session(b, "k").value();
  cluster.join_all();
  cluster.world.run_for(200ms);
  EXPECT_EQ(cluster.living["k"], std::set{younger});
  EXPECT_EQ(cluster.where(a, "k"), "b");
}

TEST(SimAvailable, RefusesWhatIsAMistake) {
  NameNodes cluster(4);
  const NodeId a = cluster.begin("a");
  const auto reason = [](RegistryOptions options) {
    const auto started = Registry::start(std::move(options));
    return started ? std::string("started") : to_string(started.error().reason);
  };
  cluster.complete_on(a, [&] {
    EXPECT_EQ(reason({.name = "x", .mode = Mode::available}),
              "an_available_registry_has_cluster_scope");
    EXPECT_EQ(reason({.name = "x",
                      .scope = Scope::cluster,
                      .mode = Mode::available,
                      .keys = Keys::duplicate}),
              "duplicate_keys_of_cluster_scope_are_process_groups");
    EXPECT_EQ(reason({.name = "x", .scope = Scope::cluster, .keys = Keys::duplicate}),
              "duplicate_keys_of_cluster_scope_are_process_groups");
    EXPECT_EQ(
        Registry::start({.name = "sessions", .scope = Scope::cluster, .mode = Mode::available})
            .error()
            .code,
        StartError::Code::already_started);
  });
}

// Goal: a claim's group says key and epoch, whatever the key.
TEST(SimAvailable, ClaimsAreGroups) {
  using detail::claim_group;
  using detail::claim_of;
  const Pid pid{NodeId{1}, 2};
  for (const std::string key : {"", "k", "k\x1f",
                                "k\x1f"
                                "0000000000000001",
                                "0000000000000001"}) {
    for (const std::uint64_t epoch :
         {std::uint64_t{1}, std::uint64_t{0xABCDEF}, ~std::uint64_t{0}}) {
      const NameClaim claim = claim_of(claim_group(key, epoch), pid);
      EXPECT_EQ(claim.key, key);
      EXPECT_EQ(claim.epoch, epoch);
      EXPECT_EQ(claim.pid, pid);
    }
  }
  for (const std::string group : {"", "k",
                                  "k\x1f"
                                  "1",
                                  "0000000000000001", "k-0000000000000001",
                                  "k\x1f"
                                  "000000000000000g"}) {
    EXPECT_EQ(claim_of(group, pid).epoch, 0u) << group;
  }
  const auto table = std::make_shared<detail::GroupTable>(NodeId{1});
  table->join(claim_group("k", 7), {pid});
  table->join(claim_group("k\x1f"
                          "0000000000000007",
                          1),
              {{NodeId{1}, 3}});
  const detail::NameClaims claims(table, {});
  ASSERT_EQ(claims.of("k", [](const Pid&) { return false; }).size(), 1u);
  EXPECT_TRUE(claims.of("k", [](const Pid&) { return true; }).empty());
}

// Goal: sessions start and end, nodes come apart in all ways; once all are together again every
// name has one process at most, all nodes agree on it, each loser was ended once, and a name that
// somebody had when it became quiet is not without a process.
TEST(SimAvailable, AgreeOverManySeeds) {
  std::uint64_t conflicts = 0;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    NameNodes cluster(
        seed,
        seed % 2 == 0 ? NameNodes::Order() : [](const NameClaim& one, const NameClaim& other) {
          return one.pid.serial % 7 <
                 other.pid.serial % 7;  // of equals the registry's own order decides
        });
    std::vector<NodeId> ids;
    for (const std::string name : {"a", "b", "c", "d"}) ids.push_back(cluster.begin(name));
    cluster.join_all();
    const auto draw = [&](std::uint64_t bound) { return cluster.world.random().below(bound); };
    const auto some = [&] { return ids[draw(ids.size())]; };
    for (int i = 0; i < 150; ++i) {
      const std::string key = "key-" + std::to_string(draw(5));
      switch (draw(6)) {
        case 0:
        case 1:
        case 2:
          cluster.session(some(), key);
          break;
        case 3:
          if (auto& pids = cluster.living[key]; !pids.empty() && draw(3) == 0) {
            const Pid pid = *pids.begin();
            cluster.complete_on(pid.node, [pid] { exit(pid, ExitReason::kill()); });
          }
          break;
        case 4:
          if (const NodeId x = some(), y = some(); x != y) cluster.network.cut(x, y);
          break;
        default:
          if (draw(2) == 0) cluster.join_all();
      }
      cluster.world.run_for(std::chrono::milliseconds(draw(60)));
    }
    cluster.world.run_for(1s);
    std::set<std::string> had;
    for (const auto& [key, pids] : cluster.living) {
      if (!pids.empty()) had.insert(key);
    }
    cluster.join_all();
    cluster.world.run_for(30s);
    for (const auto& [key, pids] : cluster.living) {
      EXPECT_EQ(pids.size(), had.contains(key) ? 1u : 0u) << key;
      for (const NodeId node : ids) {
        const std::string owner =
            pids.empty() ? "noproc" : cluster.runtime(pids.begin()->node).options().node;
        EXPECT_EQ(cluster.where(node, key), owner) << key;
      }
    }
    for (const auto& [pid, times] : cluster.ends) EXPECT_EQ(times, 1);
    for (const auto& [pid, why] : cluster.reasons)
      conflicts += why.starts_with("{shutdown,{name_c");
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(conflicts, 50u) << "nothing was tried";
}

}  // namespace
}  // namespace coterie
