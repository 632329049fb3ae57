// The guardian's decisions, on moments that are only numbers.

#include "node/guardian_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/exit_codes.hpp"

namespace coterie::guardian {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto past_lease = KillChild{KillChild::Why::past_its_lease};
constexpr auto drain_over = KillChild{KillChild::Why::drain_took_too_long};

class GuardianCoreTest : public testing::Test {
 protected:
  GuardianCoreTest() { restart_with({}); }

  void restart_with(const Policy& policy) {
    policy_ = policy;
    core_.emplace(policy);
    EXPECT_THAT(core_->step(now_, Begin{}), ElementsAre(Action{StartChild{}}));
    EXPECT_THAT(core_->step(now_, ChildStarted{}), IsEmpty());
  }
  std::vector<Action> step(const Event& event) { return core_->step(now_, event); }
  std::vector<Action> exits(int code) { return step(ChildExited{{code, 0}}); }
  std::vector<Action> dies(int signal) { return step(ChildExited{{0, signal}}); }
  /// Ticks whenever the core wants to, up to `until`; each tick late by `late`. Returns the first
  /// action and its moment.
  std::optional<std::pair<Action, Time>> run_until(Time until, PageSnapshot page,
                                                   Duration late = {}) {
    while (core_->next_tick() != Time::max() && core_->next_tick() + late <= until) {
      now_ = std::max(now_, core_->next_tick() + late);
      if (auto actions = step(Tick{page}); !actions.empty()) return {{actions.front(), now_}};
    }
    now_ = until;
    return std::nullopt;
  }
  PageSnapshot lease(Time end, bool frozen = false) {
    return {Incarnation{1, NodeId{7}}, end, frozen, 0};
  }

  Time now_{1000s};
  Policy policy_;
  std::optional<GuardianCore> core_;
};

// Goal: these ends are final whatever the policy, and the program's code is the child's.
TEST_F(GuardianCoreTest, NeverRestartsAfterTheseCodes) {
  for (const bool respawn : {false, true}) {
    for (const int code : {exit_code::ok, exit_code::usage, exit_code::name_taken}) {
      restart_with({.respawn = respawn});
      EXPECT_THAT(exits(code),
                  ElementsAre(Action{ReportDeath{{code, 0}, false}}, Action{Exit{code}}));
      EXPECT_EQ(core_->next_tick(), Time::max());
    }
  }
}

// Goal: other deaths end the program too, unless it was told to respawn.
TEST_F(GuardianCoreTest, OtherDeathsRestartOnlyWithRespawn) {
  EXPECT_THAT(exits(1), ElementsAre(Action{ReportDeath{{1, 0}, false}}, Action{Exit{1}}));
  restart_with({});
  EXPECT_THAT(dies(11), ElementsAre(Action{ReportDeath{{0, 11}, false}}, Action{Exit{139}}));
  restart_with({.respawn = true});
  EXPECT_THAT(dies(11), ElementsAre(Action{ReportDeath{{0, 11}, false}}, Action{RestartLater{1s}}));
}

// Goal: a node that fails before it ever took part is not tried again and again; one that has
// served is, also when the tries after that fail.
TEST_F(GuardianCoreTest, AFirstStartThatFailsIsFinal) {
  const ChildExited failed{{exit_code::failure, 0}, true};
  restart_with({.respawn = true});
  EXPECT_THAT(step(failed), ElementsAre(Action{ReportDeath{{1, 0}, false}}, Action{Exit{1}}));
  restart_with({.respawn = true});
  EXPECT_THAT(dies(9), ElementsAre(Action{ReportDeath{{0, 9}, false}}, Action{RestartLater{1s}}));
  now_ += 1s;
  EXPECT_THAT(step(Tick{}), ElementsAre(Action{StartChild{}}));
  step(ChildStarted{});
  EXPECT_THAT(step(failed),
              ElementsAre(Action{ReportDeath{{1, 0}, false}}, Action{RestartLater{2s}}));
}

// Goal: a fenced node is always started again, after 1 s, 2 s, 4 s ... 30 s; a healthy run starts
// the back-off anew.
TEST_F(GuardianCoreTest, BacksOffAndRecovers) {
  for (const Duration wait : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    EXPECT_THAT(exits(exit_code::fenced),
                ElementsAre(Action{ReportDeath{{75, 0}, false}}, Action{RestartLater{wait}}));
    EXPECT_EQ(core_->next_tick(), now_ + wait);
    now_ += wait - 1ms;
    EXPECT_THAT(step(Tick{}), IsEmpty());
    now_ += 1ms;
    EXPECT_THAT(step(Tick{}), ElementsAre(Action{StartChild{}}));
    EXPECT_THAT(step(ChildStarted{}), IsEmpty());
  }
  now_ += policy_.healthy_after;
  EXPECT_THAT(exits(exit_code::fenced),
              ElementsAre(Action{ReportDeath{{75, 0}, false}}, Action{RestartLater{1s}}));
}

// Goal: a first start that fails ends the program; one after a restart is tried again.
TEST_F(GuardianCoreTest, FailedStarts) {
  GuardianCore fresh(policy_);
  fresh.step(now_, Begin{});
  EXPECT_THAT(fresh.step(now_, StartFailed{}), ElementsAre(Action{Exit{exit_code::failure}}));
  exits(exit_code::fenced);
  now_ += 1s;
  EXPECT_THAT(step(Tick{}), ElementsAre(Action{StartChild{}}));
  EXPECT_THAT(step(StartFailed{}), ElementsAre(Action{RestartLater{2s}}));
}

// Goal: a child that never held a lease, holds one, or has frozen is left alone, for ever.
TEST_F(GuardianCoreTest, LeavesTheseAlone) {
  EXPECT_FALSE(run_until(now_ + 1h, {}));
  EXPECT_FALSE(run_until(now_ + 10min, lease(now_ + 1h)));
  EXPECT_FALSE(run_until(now_ + 1h, lease(now_ - 1s, true)));
}

// Goal: a child that is past its lease is killed after the grace, not before, and soon after; then
// started again even without respawn.
TEST_F(GuardianCoreTest, KillsPastItsLease) {
  const Time end = now_ + 700ms;
  const auto killed = run_until(now_ + 10s, lease(end));
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->first, Action{past_lease});
  EXPECT_GE(killed->second, end + policy_.lease_grace);
  EXPECT_LE(killed->second, end + policy_.lease_grace + 2 * policy_.tick);
  EXPECT_THAT(step(Tick{lease(end)}), IsEmpty());  // once
  EXPECT_THAT(dies(9), ElementsAre(Action{ReportDeath{{0, 9}, true}}, Action{RestartLater{1s}}));
}

// Goal: what is renewed or frozen in the last moment lives, and its next offence counts from zero.
TEST_F(GuardianCoreTest, FreezingInTimeForgives) {
  const Time end = now_ + 100ms;
  EXPECT_FALSE(run_until(end + 190ms, lease(end)));
  EXPECT_THAT(step(Tick{lease(end, true)}), IsEmpty());
  const Time next_end = now_ + 600ms;
  EXPECT_FALSE(run_until(next_end + 190ms, lease(next_end)));
  EXPECT_TRUE(run_until(next_end + 300ms, lease(next_end)));
}

// Goal: after a pause of the whole machine the child gets its waking time to freeze, however long
// the pause was.
TEST_F(GuardianCoreTest, PauseOfTheMachineIsNotTheChildsFault) {
  const Time end = now_ + 100ms;
  EXPECT_FALSE(run_until(now_ + 90ms, lease(end)));
  now_ += 1h;  // nobody ran
  EXPECT_THAT(step(Tick{lease(end)}), IsEmpty());
  const Time resumed = now_;
  EXPECT_FALSE(run_until(resumed + policy_.lease_grace - 2 * policy_.tick - 1ms, lease(end)));
  const auto killed = run_until(resumed + 1s, lease(end));
  ASSERT_TRUE(killed);  // it had its chance
  EXPECT_EQ(killed->first, Action{past_lease});
}

// Goal: on a machine where the guardian's ticks always come late a stopped child is still killed.
TEST_F(GuardianCoreTest, LateTicksOnlyDelayTheKill) {
  const Time end = now_ + 100ms;
  const auto killed = run_until(now_ + 1min, lease(end), 300ms);
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->first, Action{past_lease});
  EXPECT_LE(killed->second, end + 3s);
}

// Goal: a stop is passed on; the child's code is the program's, and nothing is restarted.
TEST_F(GuardianCoreTest, StopIsPassedOn) {
  EXPECT_THAT(step(StopSignal{}), ElementsAre(Action{AskChildToStop{}}));
  EXPECT_THAT(exits(exit_code::fenced),
              ElementsAre(Action{ReportDeath{{75, 0}, false}}, Action{Exit{75}}));
  EXPECT_THAT(step(StopSignal{}), IsEmpty());
}

// Goal: a child that does not leave is killed: by itself a little after its bound, on a second
// request exactly at it.
TEST_F(GuardianCoreTest, DrainIsBounded) {
  const Time asked = now_;
  step(StopSignal{});
  auto killed = run_until(now_ + 1h, {});
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->first, Action{drain_over});
  EXPECT_EQ(killed->second, asked + policy_.drain_max + policy_.drain_grace);
  EXPECT_THAT(dies(9), ElementsAre(Action{ReportDeath{{0, 9}, true}}, Action{Exit{137}}));

  restart_with({});
  const Time asked_again = now_;
  step(StopSignal{});
  now_ += 1s;
  EXPECT_THAT(step(StopSignal{}), ElementsAre(Action{AskChildToStop{}}));
  killed = run_until(now_ + 1h, {});
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->second, asked_again + policy_.drain_max);

  restart_with({});
  step(StopSignal{});
  now_ += policy_.drain_max + 1s;
  step(StopSignal{});
  EXPECT_THAT(step(Tick{}), ElementsAre(Action{drain_over}));
}

// Goal: a draining child that is past its lease is killed, and not started again.
TEST_F(GuardianCoreTest, LeaseHoldsWhileDraining) {
  step(StopSignal{});
  const auto killed = run_until(now_ + 5s, lease(now_ + 100ms));
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->first, Action{past_lease});
  EXPECT_THAT(dies(9), ElementsAre(Action{ReportDeath{{0, 9}, true}}, Action{Exit{137}}));
}

// Goal: a stop while nothing runs ends the program; one while a child is being started reaches it.
TEST_F(GuardianCoreTest, StopBetweenTwoRuns) {
  exits(exit_code::fenced);
  EXPECT_THAT(step(StopSignal{}), ElementsAre(Action{Exit{exit_code::ok}}));

  restart_with({});
  exits(exit_code::fenced);
  now_ += 1s;
  EXPECT_THAT(step(Tick{}), ElementsAre(Action{StartChild{}}));
  EXPECT_THAT(step(StopSignal{}), IsEmpty());
  EXPECT_THAT(step(ChildStarted{}), ElementsAre(Action{AskChildToStop{}}));
}

}  // namespace
}  // namespace coterie::guardian
