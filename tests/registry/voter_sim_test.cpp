// The `voters` engine as a whole: directed cases first, then many seeds of a cluster under faults.

#include <gtest/gtest.h>

#include <cstdio>

#include "tests/registry/voter_sim.hpp"

namespace coterie::testing {
namespace {

// Three voters of three nodes, started and agreed.
struct Three : ::testing::Test {
  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) sim.start(name, 1);
    sim.run_for(1s);
    ASSERT_TRUE(sim.all_agree());
  }
  void TearDown() override { EXPECT_EQ(sim.violations(), std::vector<std::string>{}); }
  void separate(const std::string& one, std::initializer_list<const char*> others, Duration time) {
    for (const char* other : others) {
      sim.cut(one, other, sim.now() + time);
      sim.cut(other, one, sim.now() + time);
    }
  }
  VoterSim sim{1, 3, 3};
};
using VoterEngine = Three;

// A node that is its own only voter is active at once, and again after a restart.
TEST(VoterEngineAlone, a_node_alone_is_active) {
  VoterSim sim(1, 1, 1);
  const auto node = sim.start("a", 1);
  sim.run_for(500ms);
  EXPECT_EQ(node->state, NodeState::active);
  sim.crash(node, false);
  const auto next = sim.start("a", 2, true);
  sim.run_for(500ms);
  EXPECT_EQ(next->state, NodeState::active);
  EXPECT_EQ(sim.last_view().tombstones.at("a"), 1u);
  EXPECT_TRUE(sim.violations().empty());
}

// Two nodes and a witness that owns nothing: one of the two may be lost, and comes back.
TEST(VoterEngineAlone, two_nodes_with_a_witness_survive_one) {
  VoterSim sim(1, 3, 3);
  sim.start("a", 1);
  const auto b = sim.start("b", 1);
  sim.start_witness("c");
  sim.run_for(1s);
  EXPECT_EQ(sim.last_view().members.size(), 2u);
  sim.crash(sim.live("a"));
  sim.run_for(3s);
  EXPECT_EQ(b->state, NodeState::active);
  EXPECT_EQ(sim.last_view().members.size(), 1u);
  const auto back = sim.start("a", 2);
  sim.run_for(1s);
  EXPECT_EQ(back->state, NodeState::active);
  EXPECT_TRUE(sim.violations().empty());
}

// Five voters survive two, and not three.
TEST(VoterEngineAlone, five_voters_survive_two) {
  VoterSim sim(1, 5, 5);
  for (const char* name : {"a", "b", "c", "d", "e"}) sim.start(name, 1);
  sim.run_for(1s);
  ASSERT_TRUE(sim.all_agree());
  sim.crash(sim.live("a"));
  sim.crash(sim.live("b"));
  sim.run_for(3s);
  EXPECT_TRUE(sim.all_agree());
  EXPECT_EQ(sim.last_view().members.size(), 3u);
  const std::uint64_t number = sim.last_view().number;
  sim.crash(sim.live("c"));
  sim.run_for(10s);
  EXPECT_EQ(sim.live("d")->state, NodeState::frozen);
  EXPECT_EQ(sim.last_view().number, number) << "nothing is guessed";
  EXPECT_TRUE(sim.violations().empty());
}

// A silent member freezes first and is removed then, inside the stated time.
TEST_F(VoterEngine, removes_the_silent_after_their_lease) {
  const Duration died = sim.now();
  sim.crash(sim.live("c"));
  while (sim.last_view().find("c") && sim.now() < died + 10s) sim.run_for(10ms);
  EXPECT_GE(sim.now() - died, 1700ms);
  EXPECT_LE(sim.now() - died, 2450ms);
}

// A death that a guardian confirms needs no waiting.
TEST_F(VoterEngine, removes_the_confirmed_dead_at_once) {
  const Duration died = sim.now();
  sim.crash(sim.live("c"), true);
  while (sim.last_view().find("c") && sim.now() < died + 10s) sim.run_for(1ms);
  EXPECT_LE(sim.now() - died, 200ms);
}

// Whoever lost the majority freezes, says which voters are silent, and decides nothing; with the
// majority back all thaw in the same view, and nobody was removed.
TEST_F(VoterEngine, a_lost_majority_freezes_and_thaws) {
  const std::uint64_t number = sim.last_view().number;
  separate("a", {"b", "c"}, 10s);
  separate("b", {"a", "c"}, 10s);
  sim.run_for(5s);
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(sim.live(name)->state, NodeState::frozen) << name;
    ASSERT_FALSE(sim.live(name)->notices.empty());
  }
  EXPECT_EQ(sim.live("a")->notices.back(), "frozen: voters that answer: a; silent: b, c");
  sim.run_for(6s);
  EXPECT_TRUE(sim.all_agree());
  EXPECT_EQ(sim.last_view().number, number);
}

// Without the wait after an outage the first voters to meet again remove those not heard yet.
TEST(VoterEngineMutants, an_outage_must_be_waited_out) {
  VoterProtections protections;
  protections.outage_waits = false;
  VoterSim sim(1, 3, 3, {}, protections);
  for (const char* name : {"a", "b", "c"}) sim.start(name, 1);
  sim.run_for(1s);
  const std::uint64_t number = sim.last_view().number;
  for (const char* from : {"a", "b", "c"}) {
    for (const char* to : {"a", "b", "c"}) {
      if (std::string_view(from) != to) sim.cut(from, to, sim.now() + 10s);
    }
  }
  sim.run_for(12s);
  EXPECT_NE(sim.last_view().number, number);
}

// A minority of one freezes before the others go on without it, and comes back as a new run.
TEST_F(VoterEngine, a_minority_is_excluded) {
  const auto alone = sim.live("c");
  separate("c", {"a", "b"}, 5s);
  sim.run_for(4s);
  EXPECT_EQ(alone->state, NodeState::frozen);
  EXPECT_EQ(sim.last_view().members.size(), 2u);
  sim.run_for(2s);
  EXPECT_EQ(alone->state, NodeState::excluded);
  EXPECT_EQ(alone->departure->kind, Departure::Kind::removed);
  sim.start("c", 2);
  sim.run_for(2s);
  EXPECT_TRUE(sim.all_agree());
}

// A node that can send but not hear is not kept alive by its own voice (V8).
TEST_F(VoterEngine, who_cannot_hear_is_removed) {
  const auto deaf = sim.live("c");
  for (const char* name : {"a", "b"}) sim.cut(name, "c", sim.now() + 60s);
  sim.run_for(5s);
  EXPECT_FALSE(sim.last_view().find("c"));
  EXPECT_NE(deaf->state, NodeState::active);
}

TEST(VoterEngineMutants, renewals_need_an_echo) {
  VoterProtections protections;
  protections.young_echo = false;
  VoterSim sim(1, 3, 3, {}, protections);
  for (const char* name : {"a", "b", "c"}) sim.start(name, 1);
  sim.run_for(1s);
  for (const char* name : {"a", "b"}) sim.cut(name, "c", sim.now() + 60s);
  sim.run_for(20s);
  EXPECT_TRUE(sim.last_view().find("c")) << "frozen and in every view, for ever: P2 is broken";
}

// A single cut link costs no ballots and no writes.
TEST_F(VoterEngine, one_cut_link_costs_nothing) {
  separate("c", {"a"}, 15s);
  const std::uint64_t saves = sim.saves, number = sim.last_view().number;
  sim.run_for(14s);
  EXPECT_EQ(sim.saves, saves);
  EXPECT_EQ(sim.last_view().number, number);
  EXPECT_EQ(sim.live("c")->state, NodeState::active) << "two of three promise";
}

// A voter that lost its disk waits; the others go on; and it says so.
TEST_F(VoterEngine, a_voter_without_its_disk_waits) {
  sim.crash(sim.live("c"), true);
  sim.lose_disk("c");
  const auto back = sim.start("c", 2, true);
  sim.run_for(3s);
  EXPECT_TRUE(sim.all_agree()) << "it is a member again";
  EXPECT_FALSE(back->voter->voting());
  ASSERT_FALSE(back->notices.empty());
  EXPECT_NE(back->notices.front().find("disk is empty"), std::string::npos);
}

// An empty disk whose fellow voters are away might have voted with them: it waits for all.
TEST(VoterEngineMutants, an_empty_disk_does_not_vote_at_once) {
  const auto views = [](bool founding) {
    VoterProtections protections;
    protections.founding = founding;
    VoterSim sim(3, 3, 3, {}, protections);
    sim.start("a", 1);
    sim.start("b", 1);
    sim.start("c", 1);
    sim.run_for(1s);
    sim.crash(sim.live("c"));
    sim.run_for(4s);
    sim.crash(sim.live("b"));
    sim.crash(sim.live("a"));  // view 4 or so is known to a and b alone, and b loses its disk
    sim.lose_disk("b");
    sim.start("b", 2);
    sim.start("c", 2);
    sim.run_for(6s);
    return sim.violations();
  };
  EXPECT_TRUE(views(true).empty());
  const auto broken = views(false);
  ASSERT_FALSE(broken.empty());
  EXPECT_NE(broken.front().find("I8"), std::string::npos) << broken.front();
}

// The first start waits for every voter, and goes on when the last one arrives.
TEST(VoterEngineAlone, the_first_start_waits_for_all_voters) {
  VoterSim sim(1, 3, 3);
  const auto a = sim.start("a", 1);
  sim.start("b", 1);
  sim.run_for(5s);
  EXPECT_EQ(a->state, NodeState::joining);
  sim.start("c", 1);
  sim.run_for(2s);
  EXPECT_TRUE(sim.all_agree());
}

// Drained nodes are marked, those that leave are gone at once, without a lease waited for.
TEST_F(VoterEngine, drains_and_leaves) {
  const auto node = sim.live("b");
  sim.drain(node);
  sim.run_for(500ms);
  EXPECT_TRUE(sim.last_view().find("b")->draining);
  const Duration asked = sim.now();
  sim.leave(node);
  EXPECT_FALSE(sim.gate_open(*node));
  while (sim.last_view().find("b") && sim.now() < asked + 5s) sim.run_for(1ms);
  EXPECT_LE(sim.now() - asked, 200ms);
  sim.run_for(300ms);
  EXPECT_EQ(node->departure->kind, Departure::Kind::left);
}

// One that leaves while it waits to join, its old run still a member, is gone at once.
TEST_F(VoterEngine, leaves_before_it_has_joined) {
  sim.crash(sim.live("c"));
  const auto next = sim.start("c", 2);
  sim.run_for(500ms);
  EXPECT_EQ(next->state, NodeState::joining);
  sim.leave(next);
  ASSERT_TRUE(next->departure);
  EXPECT_EQ(next->departure->kind, Departure::Kind::left);
  sim.run_for(3s);
  EXPECT_EQ(sim.last_view().members.size(), 2u);
}

// A joiner that dies while the voters are asked about it is not added, and nothing breaks.
TEST_F(VoterEngine, forgets_a_joiner_that_dies_meanwhile) {
  for (int ms = 0; ms < 60; ++ms) {
    const std::uint64_t counter = 2 + static_cast<std::uint64_t>(ms);
    if (const auto old = sim.live("c")) sim.crash(old, true);
    sim.run_for(400ms);
    const auto joiner = sim.start("c", counter);
    sim.run_for(std::chrono::milliseconds(ms));
    sim.crash(joiner, true);
  }
  sim.run_for(3s);
  EXPECT_TRUE(sim.all_agree());
  EXPECT_EQ(sim.last_view().members.size(), 2u);
}

// Who may not come in is told why, and removes nobody.
TEST_F(VoterEngine, refuses_joiners_with_the_reason) {
  const auto twin = sim.start("a", 5);
  sim.run_for(3s);
  ASSERT_TRUE(twin->departure);
  EXPECT_EQ(twin->departure->kind, Departure::Kind::name_taken);
  EXPECT_EQ(sim.last_view().members.size(), 3u);
  sim.crash(sim.live("c"), true);
  sim.run_for(1s);
  const auto stale = sim.start("c", 1);
  sim.run_for(1s);
  ASSERT_TRUE(stale->departure);
  EXPECT_EQ(stale->departure->kind, Departure::Kind::raise_counter);
  EXPECT_EQ(stale->departure->counter, 1u);
  const auto differs = sim.start("c", 2, false, "another digest");
  sim.run_for(2s);
  ASSERT_TRUE(differs->departure);
  EXPECT_EQ(differs->departure->kind, Departure::Kind::config_differs);
}

VoterFaults drawn_faults(std::uint64_t seed) {
  std::mt19937_64 random(seed * 77);
  auto chance = [&] { return std::uniform_real_distribution<double>(0, 1)(random); };
  VoterFaults faults;
  if (chance() < 0.5) faults.lost = chance() * 0.1;
  if (chance() < 0.5) faults.doubled = chance() * 0.2;
  if (chance() < 0.4) faults.slow = chance() * 0.1;
  if (chance() < 0.7) faults.drift = 1.0;
  if (chance() < 0.6) faults.crash_every = 8s;
  if (chance() < 0.6) faults.pause_every = 6s;
  if (chance() < 0.5) faults.cut_every = 4s;
  if (chance() < 0.5) faults.split_every = 8s;
  if (chance() < 0.3) faults.leave_every = 20s;
  if (chance() < 0.3) faults.twin_every = 15s;
  if (chance() < 0.5) faults.guardian = 0.8;
  if (chance() < 0.3) faults.counter_kept = 0.3;
  return faults;
}

// 3 to 5 nodes with 3 voters, 5 to 7 with 5.
VoterSim drawn_sim(std::uint64_t seed, LeaseProtections lease = {}) {
  const std::size_t voters = seed % 4 == 3 ? 5 : 3;
  return VoterSim(seed, voters + seed % 3, voters, drawn_faults(seed), {}, lease);
}

// One owner and one history of views, whatever happens; agreement again when it is over.
TEST(VoterSimSeeds, keep_their_promises_under_faults) {
  std::uint64_t removals = 0, thaws = 0, views = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    VoterSim sim = drawn_sim(seed);
    sim.run(60s);
    ASSERT_TRUE(sim.violations().empty()) << "seed " << seed << ": " << sim.violations().front();
    removals += sim.removals;
    thaws += sim.thaws;
    views += sim.last_view().number;
  }
  std::printf("%lu removals, %lu thaws, %lu views\n", removals, thaws, views);
  EXPECT_GT(removals, 300u);
  EXPECT_GT(thaws, 100u);
}

// A failing seed can be run again to the same end.
TEST(VoterSimSeeds, replay_exactly) {
  VoterSim one = drawn_sim(7), same = drawn_sim(7), other = drawn_sim(8);
  one.run(20s);
  same.run(20s);
  other.run(20s);
  EXPECT_EQ(one.digest, same.digest);
  EXPECT_NE(one.digest, other.digest);
}

// Without the margins for clocks that drift a lease outlives the promises it rests on.
TEST(VoterEngineMutants, leases_need_the_drift_margin) {
  LeaseProtections lease;
  lease.drift_margin = false;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    VoterSim sim = drawn_sim(seed, lease);
    sim.run(60s);
    for (const std::string& violation : sim.violations()) {
      if (violation.find("I1") == std::string::npos) continue;
      std::printf("caught by seed %lu: %s\n", seed, violation.c_str());
      return;
    }
  }
  FAIL() << "no seed noticed";
}

}  // namespace
}  // namespace coterie::testing
