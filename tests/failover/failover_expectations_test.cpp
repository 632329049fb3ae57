// When an expectation is looked at, what counts as seen, and what a run adds to its verdict.

#include "sim/failover_expectations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/failover_verdict.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto nobody_paused = [](const std::string&) -> std::optional<Duration> { return {}; };

Heard answer(Duration asked, std::string state) {
  Heard heard{asked, asked + 1ms, {}};
  heard.status.os_pid = 100;
  heard.status.state = std::move(state);
  return heard;
}

Sighting sighting(Duration asked, std::vector<std::string> a, std::vector<std::string> b) {
  Sighting seen;
  seen.asked = asked;
  seen.answered = asked + 10ms;
  seen.nodes["a"] = {1, true, {{"contracts", std::move(a)}}};
  seen.nodes["b"] = {2, true, {{"contracts", std::move(b)}}};
  return seen;
}

std::vector<Expectation> state_of_a(NodeState state) {
  return {{1s, ExpectState{{"a", {}}, state}, {}}};
}
std::vector<Expectation> two_run() { return {{1s, ExpectRunning{"contracts", 2, {}}, {}}}; }

class FailoverExpectationsTest : public testing::Test {
 protected:
  FailoverExpectationsTest() { watch.look(0s, {"a", 100, true}); }
  FailoverWatch watch{{"a"}, 2s};
};

// A state is that of an answer asked at the moment or later; an older one does not count.
TEST_F(FailoverExpectationsTest, TakesAnAnswerOfItsMoment) {
  const auto list = state_of_a(NodeState::active);
  FailoverExpectations expectations(list);
  watch.heard("a", answer(900ms, "active"));
  EXPECT_THAT(expectations.wants_status(999ms), IsEmpty());
  EXPECT_FALSE(expectations.holds(999ms));
  EXPECT_THAT(expectations.wants_status(1s), testing::ElementsAre("a"));
  EXPECT_TRUE(expectations.holds(1s)) << "faults of the same moment wait";
  expectations.step(1010ms, watch, nobody_paused, nullptr);
  EXPECT_FALSE(expectations.finished());
  watch.heard("a", answer(1005ms, "frozen"));
  expectations.step(1020ms, watch, nobody_paused, nullptr);
  ASSERT_TRUE(expectations.finished());
  EXPECT_FALSE(expectations.observations()[0].met);
  EXPECT_EQ(expectations.observations()[0].seen, "frozen");
}

// A node that must answer and does not is given up on; nothing is met then.
TEST_F(FailoverExpectationsTest, SilenceMeetsNothing) {
  const auto list = state_of_a(NodeState::active);
  FailoverExpectations expectations(list);
  watch.heard("a", answer(900ms, "active"));
  expectations.step(1900ms, watch, nobody_paused, nullptr);
  EXPECT_FALSE(expectations.finished());
  EXPECT_FALSE(expectations.holds(1900ms)) << "faults do not wait for ever";
  expectations.step(2s, watch, nobody_paused, nullptr);
  ASSERT_TRUE(expectations.finished());
  EXPECT_FALSE(expectations.observations()[0].met);
}

// A node that is down or paused is not waited for.
TEST_F(FailoverExpectationsTest, ADownNodeIsSeenAtOnce) {
  const auto down = state_of_a(NodeState::down);
  FailoverExpectations of_down(down);
  FailoverWatch empty({"a"}, 2s);
  of_down.step(1s, empty, nobody_paused, nullptr);
  ASSERT_TRUE(of_down.finished());
  EXPECT_TRUE(of_down.observations()[0].met);

  const auto frozen = state_of_a(NodeState::frozen);
  FailoverExpectations of_paused(frozen);
  watch.heard("a", answer(-3s, "active"));
  of_paused.step(
      1s, watch, [](const std::string&) { return std::optional<Duration>(-2s); }, nullptr);
  ASSERT_TRUE(of_paused.finished());
  EXPECT_TRUE(of_paused.observations()[0].met) << of_paused.observations()[0].seen;
}

// Names: a sighting of the moment; what one shows wrong must be wrong in the next one too.
TEST_F(FailoverExpectationsTest, LooksTwiceAtNames) {
  const auto list = two_run();
  FailoverExpectations expectations(list);
  const auto old = sighting(900ms, {"1"}, {"2"});
  expectations.step(1s, watch, nobody_paused, &old);
  EXPECT_FALSE(expectations.finished());
  EXPECT_EQ(expectations.wants_sighting(1s), 1s);
  const auto moving = sighting(1s, {"1", "2"}, {"2"});
  expectations.step(1010ms, watch, nobody_paused, &moving);
  EXPECT_FALSE(expectations.finished());
  EXPECT_GE(expectations.wants_sighting(1010ms), 1010ms);
  expectations.step(1015ms, watch, nobody_paused, &moving);
  EXPECT_FALSE(expectations.finished()) << "that is still the first look";
  const auto moved = sighting(1020ms, {"1"}, {"2"});
  expectations.step(1030ms, watch, nobody_paused, &moved);
  ASSERT_TRUE(expectations.finished());
  EXPECT_TRUE(expectations.observations()[0].met);
  EXPECT_THAT(expectations.observations()[0].seen, HasSubstr("second look"));

  FailoverExpectations wrong(list);
  const auto again = sighting(1020ms, {"1", "2"}, {"2"});
  wrong.step(1010ms, watch, nobody_paused, &moving);
  wrong.step(1030ms, watch, nobody_paused, &again);
  ASSERT_TRUE(wrong.finished());
  EXPECT_FALSE(wrong.observations()[0].met);
}

// Without a sighting the expectation ends unmet, in bounded time.
TEST_F(FailoverExpectationsTest, NamesThatNobodyTells) {
  const auto list = two_run();
  FailoverExpectations expectations(list);
  expectations.step(5900ms, watch, nobody_paused, nullptr);
  EXPECT_FALSE(expectations.finished());
  expectations.step(6s, watch, nobody_paused, nullptr);
  ASSERT_TRUE(expectations.finished());
  EXPECT_FALSE(expectations.observations()[0].met);
}

// P1's line: claims and journals can break it; when they do not, the line says what was looked at.
TEST(FailoverVerdict, OwnershipIsJudgedByClaimsAndJournals) {
  const auto judged = [](const ClaimLog& claims, const JournalAudit& journals) {
    Verdict verdict;
    verdict.checks.push_back({"P1 one owner", Check::Result::pass, "2 of 2 names"});
    judge_ownership(verdict, claims, journals);
    return verdict;
  };
  JournalAudit sound;
  sound.streams = 2;
  sound.events = 7;
  sound.owners = 3;
  ClaimLog quiet;
  quiet.add(sighting(1s, {"1"}, {"2"}));
  const Verdict good = judged(quiet, sound);
  EXPECT_TRUE(passed(good));
  EXPECT_THAT(good.checks[0].seen, HasSubstr("no name claimed by two nodes in 1 sightings"));
  EXPECT_THAT(good.checks[0].seen, HasSubstr("7 events of 2 journals, 3 owners"));

  ClaimLog twice;
  twice.add(sighting(1s, {"1"}, {"1"}));
  twice.add(sighting(2s, {"1"}, {"1"}));
  const Verdict claimed = judged(twice, sound);
  EXPECT_FALSE(passed(claimed));
  ASSERT_TRUE(claimed.first_violation);
  EXPECT_THAT(claimed.first_violation->text, HasSubstr("contracts/1"));

  JournalAudit broken = sound;
  broken.faults = {"contracts/1: event 3"};
  EXPECT_FALSE(passed(judged(quiet, broken)));
  JournalAudit unreadable;
  unreadable.unreadable = "locked";
  EXPECT_FALSE(passed(judged(quiet, unreadable))) << "what was not looked at is not sound";

  Verdict dropped;
  judge_ownership(dropped, twice, broken);
  EXPECT_THAT(dropped.checks, IsEmpty()) << "the file does not ask for P1";
}

// A fault that was not played tested nothing; a node that failed or did not come back is a failure.
TEST(FailoverVerdict, TheRunItselfIsJudged) {
  const auto judged = [](const RunFacts& facts) {
    Verdict verdict;
    judge_run(verdict, facts);
    return passed(verdict);
  };
  EXPECT_TRUE(judged({{}, {}, {}, {"a"}, true}));
  EXPECT_FALSE(judged({{"kill b"}, {}, {}, {"a"}, true}));
  EXPECT_FALSE(judged({{}, {"b ended"}, {}, {"a"}, true}));
  EXPECT_FALSE(judged({{}, {}, {"paid twice"}, {"a"}, true}));
  EXPECT_FALSE(judged({{}, {}, {}, {"a"}, false}));
}

// The time line tells of each fault when the first and the last of its names answered again.
TEST(FailoverVerdict, TellsFirstAndLastAnswers) {
  Evidence evidence;
  evidence.end = 10s;
  evidence.faults = {{5s, {"k1", "k2"}}};
  WorkloadEvidence workload;
  const auto answered = [&](const char* key, Duration at) {
    Operation operation;
    operation.key = key;
    operation.invoked = at - 1ms;
    operation.completed = at;
    operation.outcome = Outcome::acknowledged;
    workload.history.push_back(operation);
  };
  for (const char* key : {"k1", "k2"}) answered(key, 4900ms);
  answered("k2", 6s);
  answered("k1", 7s);
  evidence.workloads.push_back(workload);
  add_first_answers(evidence);
  ASSERT_THAT(evidence.events, SizeIs(2));
  EXPECT_EQ(evidence.events[0].at, 6s);
  EXPECT_EQ(evidence.events[0].text, "k2 answers, the first of 2 names, 1s after the fault");
  EXPECT_EQ(evidence.events[1].text, "k1 answers, the last of 2 names, 2s after the fault");
}

}  // namespace
}  // namespace coterie::sim
