// Strategies as tables: who is stopped, dropped and started when a child has ended.

#include "supervision/strategy.hpp"

#include <gtest/gtest.h>

#include "supervision/child_shutdown.hpp"

namespace coterie::detail {
namespace {

using namespace std::chrono_literals;
using Indexes = std::vector<std::size_t>;

const std::vector<ChildView> five = {{Restart::permanent, true},
                                     {Restart::temporary, true},
                                     {Restart::permanent, false},  // the one that failed
                                     {Restart::transient, true},
                                     {Restart::temporary, true}};

TEST(Strategy, OneForOneTouchesOnlyTheFailed) {
  EXPECT_EQ(decide_restart(Strategy::one_for_one, five, 2),
            (RestartPlan{.stop = {}, .remove = {}, .start = {2}}));
}

// Conformance 16: reverse order of stopping, order of starting, temporary siblings never come back.
TEST(Strategy, RestForOneTakesThoseStartedLater) {
  EXPECT_EQ(decide_restart(Strategy::rest_for_one, five, 2),
            (RestartPlan{.stop = {4, 3}, .remove = {4}, .start = {2, 3}}));
  EXPECT_EQ(decide_restart(Strategy::rest_for_one, five, 4),
            (RestartPlan{.stop = {}, .remove = {}, .start = {4}}));
}

TEST(Strategy, OneForAllTakesEveryone) {
  EXPECT_EQ(decide_restart(Strategy::one_for_all, five, 2),
            (RestartPlan{.stop = {4, 3, 1, 0}, .remove = {1, 4}, .start = {0, 2, 3}}));
}

TEST(Strategy, DecidesByRestartTypeAndReason) {
  using Act = ExitDecision::Act;
  struct Row {
    Restart restart;
    ExitReason reason;
    Act act;
    bool report;
  };
  const ExitReason crash = ExitReason::error("std::runtime_error", "boom");
  const Row rows[] = {
      {Restart::permanent, ExitReason::normal(), Act::restart, true},
      {Restart::permanent, ExitReason::shutdown(), Act::restart, true},
      {Restart::permanent, crash, Act::restart, true},
      {Restart::transient, ExitReason::normal(), Act::keep_spec, false},
      {Restart::transient, ExitReason::shutdown("x"), Act::keep_spec, false},
      {Restart::transient, ExitReason::killed(), Act::restart, true},
      {Restart::transient, crash, Act::restart, true},
      {Restart::temporary, ExitReason::shutdown(), Act::remove, false},
      {Restart::temporary, crash, Act::remove, true},
  };
  for (const Row& row : rows) {
    const auto decision = decide_exit(row.restart, row.reason);
    EXPECT_EQ(decision.act, row.act) << to_string(row.restart) << to_string(row.reason);
    EXPECT_EQ(decision.report, row.report) << to_string(row.restart) << to_string(row.reason);
  }
}

TEST(Strategy, AutoShutdownFollowsSignificantChildren) {
  EXPECT_FALSE(decide_auto_shutdown(AutoShutdown::never, true, 0));
  EXPECT_FALSE(decide_auto_shutdown(AutoShutdown::any_significant, false, 0));
  EXPECT_TRUE(decide_auto_shutdown(AutoShutdown::any_significant, true, 3));
  EXPECT_FALSE(decide_auto_shutdown(AutoShutdown::all_significant, true, 1));
  EXPECT_TRUE(decide_auto_shutdown(AutoShutdown::all_significant, true, 0));
}

TEST(Strategy, KnowsTheReasonsOfAnOrderlyEnd) {
  const Shutdown wait = 5s, kill = Shutdown::brutal_kill();
  EXPECT_TRUE(expected_end(wait, Restart::permanent, ExitReason::shutdown()));
  EXPECT_FALSE(expected_end(wait, Restart::permanent, ExitReason::shutdown("x")));
  EXPECT_TRUE(expected_end(wait, Restart::transient, ExitReason::shutdown("x")));
  EXPECT_FALSE(expected_end(wait, Restart::permanent, ExitReason::normal()));
  EXPECT_TRUE(expected_end(wait, Restart::temporary, ExitReason::normal()));
  EXPECT_FALSE(expected_end(wait, Restart::permanent, ExitReason::killed()));
  EXPECT_TRUE(expected_end(kill, Restart::permanent, ExitReason::killed()));
  EXPECT_FALSE(expected_end(kill, Restart::permanent, ExitReason::shutdown()));
}

}  // namespace
}  // namespace coterie::detail
