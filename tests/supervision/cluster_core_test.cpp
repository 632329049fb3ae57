// One situation at a time: what an instance of a cluster-scope supervisor does.

#include <gtest/gtest.h>

#include "tests/supervision/model_cluster.hpp"

namespace coterie::test {
namespace {

using namespace std::chrono_literals;
using detail::SpecState;
using Code = ChildError::Code;

const ExitReason boom = ExitReason::error("std::runtime_error", "boom");

struct ClusterCoreTest : ::testing::Test {
  ModelCluster cluster{7, 3, {}};

  void start(const std::string& at, const std::string& key, Restart restart = Restart::permanent,
             OnNodeDown down = OnNodeDown::failover) {
    const auto id = cluster.start(at, key, restart, down);
    cluster.settle(200ms);
    const auto answer = cluster.answer(id);
    ASSERT_TRUE(answer.has_value());
    ASSERT_TRUE(answer->has_value()) << to_string(answer->error());
    ASSERT_EQ(cluster.runs_on(key), at);
  }
  Code refused(detail::RequestId id) {
    const auto answer = cluster.answer(id);
    return answer && !*answer ? answer->error().code : Code::unknown;
  }
  void TearDown() override { EXPECT_EQ(cluster.broken(), ""); }
};

TEST_F(ClusterCoreTest, WritesTheRowBeforeItAnswers) {
  const auto id = cluster.start("a", "x");
  while (!cluster.answer(id)) {
    EXPECT_FALSE(cluster.answer(id));
    cluster.settle(1ms);
  }
  ASSERT_TRUE(cluster.row("x").has_value());
  EXPECT_EQ(cluster.row("x")->owner, "a");
}

TEST_F(ClusterCoreTest, SecondStartAnswersAlreadyStarted) {
  start("a", "x");
  const auto same = cluster.start("a", "x"), other = cluster.start("b", "x");
  cluster.settle(200ms);
  EXPECT_EQ(refused(same), Code::already_started);
  EXPECT_EQ(refused(other), Code::already_started);
}

TEST_F(ClusterCoreTest, FailedFirstStartLeavesNothing) {
  cluster.fail_starts("a", true);
  const auto id = cluster.start("a", "x");
  cluster.settle(200ms);
  EXPECT_EQ(refused(id), Code::start_failed);
  EXPECT_FALSE(cluster.row("x").has_value());
}

TEST_F(ClusterCoreTest, SurvivorsStartTheChildrenOfALostNode) {
  for (int i = 0; i < 40; ++i) start("a", "k" + std::to_string(i));
  cluster.crash("a");
  cluster.settle(2s);
  EXPECT_EQ(cluster.running(), 40u);
  EXPECT_GT(cluster.status("b").running, 0u);
  EXPECT_GT(cluster.status("c").running, 0u);
  EXPECT_EQ(cluster.status("b").claimed_total + cluster.status("c").claimed_total, 40u);
}

// The loss of a node is one event, not one restart for each of its children.
TEST_F(ClusterCoreTest, ManyChildrenOfOneNodeEscalateNothing) {
  for (int i = 0; i < 20; ++i) start("a", "k" + std::to_string(i));
  cluster.crash("a");
  cluster.settle(2s);
  EXPECT_FALSE(cluster.escalated("b"));
  EXPECT_FALSE(cluster.escalated("c"));
}

TEST_F(ClusterCoreTest, TemporaryChildrenGoWithTheirNode) {
  start("a", "t", Restart::permanent, OnNodeDown::temporary);
  start("a", "u", Restart::temporary);
  cluster.crash("a");
  cluster.settle(2s);
  EXPECT_EQ(cluster.running(), 0u);
  EXPECT_FALSE(cluster.row("t").has_value());
  EXPECT_FALSE(cluster.row("u").has_value());
}

TEST_F(ClusterCoreTest, WaitingChildrenWaitForTheirNode) {
  start("a", "w", Restart::permanent, OnNodeDown::wait);
  cluster.crash("a");
  cluster.settle(5s);
  EXPECT_EQ(cluster.runs_on("w"), "");
  cluster.boot("a");
  cluster.settle(2s);
  EXPECT_EQ(cluster.runs_on("w"), "a");
}

TEST_F(ClusterCoreTest, RestartsOnTheSameNode) {
  start("a", "x");
  cluster.child_exit("x", boom);
  cluster.settle(500ms);
  EXPECT_EQ(cluster.runs_on("x"), "a");
  EXPECT_EQ(cluster.status("a").restarts_total, 1u);
}

TEST_F(ClusterCoreTest, CleanEndOfATransientChildDeletesItsRow) {
  start("a", "x", Restart::transient);
  cluster.child_exit("x", ExitReason::normal());
  cluster.settle(500ms);
  EXPECT_FALSE(cluster.row("x").has_value());
}

// A node that is fenced stops its strict children: that is no end of theirs.
TEST_F(ClusterCoreTest, FencingKeepsTheRow) {
  start("a", "x", Restart::transient);
  cluster.child_exit("x", ExitReason::shutdown("fenced"));
  cluster.settle(500ms);
  EXPECT_TRUE(cluster.row("x").has_value());
  cluster.crash("a");
  cluster.settle(2s);
  EXPECT_NE(cluster.runs_on("x"), "");
}

TEST_F(ClusterCoreTest, RepeatedFailureMovesOnThenFails) {
  start("a", "x");
  for (const auto* node : {"a", "b", "c"}) cluster.fail_starts(node, true);
  cluster.child_exit("x", boom);
  cluster.settle(60s);
  ASSERT_TRUE(cluster.row("x").has_value());
  EXPECT_EQ(cluster.row("x")->state, SpecState::failed);
  EXPECT_EQ(cluster.row("x")->reason, "no");
  EXPECT_EQ(cluster.status("b").failed, 1u);
  const auto again = cluster.start("b", "x");
  cluster.settle(200ms);
  EXPECT_EQ(refused(again), Code::failed);
}

TEST_F(ClusterCoreTest, FailureHereMovesTheChildElsewhere) {
  start("a", "x");
  cluster.fail_starts("a", true);
  cluster.child_exit("x", boom);
  cluster.settle(5s);
  EXPECT_NE(cluster.runs_on("x"), "");
  EXPECT_NE(cluster.runs_on("x"), "a");
}

TEST_F(ClusterCoreTest, TerminateDeletesTheRowAndStops) {
  start("a", "x");
  const auto id = cluster.terminate("a", "x");
  cluster.settle(500ms);
  ASSERT_TRUE(cluster.answer(id).has_value());
  EXPECT_TRUE(cluster.answer(id)->has_value());
  EXPECT_EQ(cluster.runs_on("x"), "");
  EXPECT_FALSE(cluster.row("x").has_value());
  cluster.crash("a");
  cluster.settle(3s);
  EXPECT_EQ(cluster.runs_on("x"), "");
}

TEST_F(ClusterCoreTest, TerminateDuringStartWins) {
  const auto begun = cluster.start("a", "x");
  const auto ended = cluster.terminate("a", "x");
  cluster.settle(1s);
  EXPECT_TRUE(cluster.answer(begun).has_value());
  ASSERT_TRUE(cluster.answer(ended).has_value());
  EXPECT_TRUE(cluster.answer(ended)->has_value());
  EXPECT_FALSE(cluster.row("x").has_value());
  EXPECT_EQ(cluster.runs_on("x"), "");
}

// Poison: a name that was running callbacks in two crashes is not tried a third time.
TEST_F(ClusterCoreTest, TwoCrashesQuarantine) {
  start("a", "poison");
  start("a", "innocent");
  cluster.report_death("a", {"poison"});
  cluster.crash("a");
  cluster.settle(2s);
  const std::string second = cluster.runs_on("poison");
  ASSERT_NE(second, "");
  cluster.report_death(second, {"poison"});
  cluster.crash(second);
  cluster.settle(2s);
  EXPECT_EQ(cluster.runs_on("poison"), "");
  EXPECT_EQ(cluster.row("poison")->state, SpecState::quarantined);
  EXPECT_NE(cluster.runs_on("innocent"), "");
}

TEST_F(ClusterCoreTest, AReportAfterTheClaimCountsToo) {
  start("a", "poison");
  cluster.report_death("a", {"poison"});
  cluster.crash("a");
  cluster.settle(2s);
  const std::string second = cluster.runs_on("poison");
  cluster.crash(second);
  cluster.settle(2s);
  EXPECT_NE(cluster.runs_on("poison"), "");
  cluster.report_death(second, {"poison"});
  cluster.settle(1s);
  EXPECT_EQ(cluster.runs_on("poison"), "");
  EXPECT_EQ(cluster.row("poison")->state, SpecState::quarantined);
}

// Probation is 5 s in the model: who ran well for so long is not suspected any more.
TEST_F(ClusterCoreTest, ProbationEndsSuspicion) {
  start("a", "x");
  cluster.report_death("a", {"x"});
  cluster.crash("a");
  cluster.settle(8s);
  const std::string second = cluster.runs_on("x");
  ASSERT_NE(second, "");
  EXPECT_TRUE(cluster.row("x")->suspect_in.empty());
  cluster.report_death(second, {"x"});
  cluster.crash(second);
  cluster.settle(2s);
  EXPECT_NE(cluster.runs_on("x"), "");
}

TEST_F(ClusterCoreTest, DrainHandsOverEverything) {
  cluster.rows_per_page = 64;
  for (int i = 0; i < 30; ++i) start("a", "k" + std::to_string(i));
  cluster.drain("a");
  cluster.settle(4s);
  EXPECT_EQ(cluster.status("a").running, 0u);
  EXPECT_EQ(cluster.status("a").handed_over_total, 30u);
  EXPECT_EQ(cluster.running(), 30u);
  const auto late = cluster.start("a", "late");
  EXPECT_EQ(refused(late), Code::unavailable);
}

// Storage away: nothing starts empty, nothing is lost, and it goes on where it was.
TEST_F(ClusterCoreTest, WaitsForStorage) {
  start("a", "x");
  cluster.storage(false);
  const auto id = cluster.start("a", "y");
  cluster.crash("a");
  cluster.settle(10s);
  EXPECT_EQ(cluster.running(), 0u);
  EXPECT_FALSE(cluster.answer(id).has_value());
  cluster.storage(true);
  cluster.settle(5s);
  EXPECT_NE(cluster.runs_on("x"), "");
}

// Commits are batched: many names cost few commits (8 rows each in the model).
TEST_F(ClusterCoreTest, ClaimsInBatches) {
  cluster.rows_per_page = 16;
  for (int i = 0; i < 64; ++i) cluster.start("a", "k" + std::to_string(i));
  cluster.settle(5s);
  ASSERT_EQ(cluster.running(), 64u);
  const auto before = cluster.commits();
  cluster.crash("a");
  cluster.settle(3s);
  ASSERT_EQ(cluster.running(), 64u);
  EXPECT_LE(cluster.commits() - before, 12u);
}

}  // namespace
}  // namespace coterie::test
