// Goal: a verdict passes only what the clients' records support, and says what it saw.
#include "sim/verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/scenario_reader.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A counter: "add" answers the new count, "get" the count.
class CounterModel final : public WorkloadModel {
 public:
  Bytes initial(std::string_view) const override { return "0"; }
  std::optional<Bytes> step(BytesView state, BytesView operation,
                            const std::optional<Bytes>& answer) const override {
    const Bytes next = expected(state, operation);
    if (answer && *answer != next) return std::nullopt;
    return next;
  }
  bool keeps_state(BytesView operation, BytesView) const override { return operation == "get"; }
  std::string expected(BytesView state, BytesView operation) const override {
    return std::to_string(std::stoi(Bytes(state)) + (operation == "add" ? 1 : 0));
  }
  std::optional<Bytes> effect(BytesView operation) const override {
    if (operation != "add") return std::nullopt;
    return "add";
  }
  std::vector<Bytes> effects(BytesView last_answer) const override {
    return std::vector<Bytes>(static_cast<std::size_t>(std::stoi(Bytes(last_answer))), "add");
  }
};

const CounterModel model;

Operation op(Duration at, std::string word, std::string answer,
             Outcome outcome = Outcome::acknowledged) {
  Operation operation;
  operation.client = 3;
  operation.key = "counter-1";
  operation.word = word;
  operation.bytes = std::move(word);
  operation.request_id = "r-" + std::to_string(at / 1ms);
  operation.invoked = at;
  operation.completed = at + 20ms;
  operation.answer = std::move(answer);
  operation.outcome = outcome;
  return operation;
}

Scenario scenario(const std::string& rest = "") {
  return read_scenario(
             "[scenario]\nname = \"two adds\"\nduration = \"10s\"\n"
             "[cluster]\nconfig = \"c.toml\"\n" +
                 rest,
             "s.toml", {})
      .value();
}

Evidence good() {
  Evidence evidence;
  evidence.seed = 7;
  evidence.replay_command = "coterie failover s.toml --seed 7";
  evidence.end = 10s;
  evidence.call_timeout = 5s;
  evidence.faults = {{.at = 2s, .keys = {}}};
  evidence.fault_texts = {"kill b"};
  evidence.events = {{2400ms, "answer", "counter-1 answers from a"}, {2s, "fault", "kill b"}};
  evidence.workloads.push_back({.kind = "counters",
                                .model = &model,
                                .history = {op(1s, "add", "1"), op(1900ms, "get", "1"),
                                            op(2400ms, "add", "2"), op(3s, "get", "2")},
                                .last_answers = {{"counter-1", "2"}}});
  return evidence;
}

Check::Result result_of(const Verdict& verdict, std::string_view name) {
  for (const Check& check : verdict.checks) {
    if (check.name.starts_with(name)) return check.result;
  }
  ADD_FAILURE() << "no check " << name;
  return Check::Result::not_judged;
}

// Goal: whose clock has left its bound may answer a read from what it knows, as long as the clients
// work; an effect must still stand in its place, and so must what is read when all is quiet.
TEST(Verdict, OldAnswersAreForgivenOnlyWhereClocksHaveLeftTheirBound) {
  const auto linearizable = [](std::optional<Duration> clocks_left, const Operation& last) {
    Evidence evidence = good();
    evidence.clocks_left = clocks_left;
    evidence.workloads[0].history.push_back(last);
    return result_of(judge(scenario(), evidence), "linearizable");
  };
  const Operation old_read = op(4s, "get", "1");
  EXPECT_EQ(linearizable(std::nullopt, old_read), Check::Result::fail);
  EXPECT_EQ(linearizable(2s, old_read), Check::Result::pass);
  EXPECT_EQ(linearizable(5s, old_read), Check::Result::fail);
  EXPECT_EQ(linearizable(2s, op(4s, "add", "2")), Check::Result::fail);
  EXPECT_EQ(linearizable(2s, op(10s, "get", "1")), Check::Result::fail);
}

// Goal: names that are started before time begins have longer than a command.
TEST(Verdict, OnlyCommandsOfTheTimelineHaveItsDeadline) {
  for (const auto& [invoked, result] : {std::pair{Duration(-9s), Check::Result::pass},
                                        std::pair{Duration(0s), Check::Result::fail}}) {
    Evidence evidence = good();
    Operation& first = evidence.workloads[0].history.front();
    first.invoked = invoked;
    first.completed = invoked + 8s;
    if (invoked >= 0s) evidence.workloads[0].history.resize(1);
    EXPECT_EQ(result_of(judge(scenario(), evidence), "P6"), result);
  }
}

TEST(Verdict, AGoodRunPassesAndReadsLikeAReport) {
  const Verdict verdict = judge(scenario("[verdict]\ndowntime = { p99 = \"1s\" }\n"), good());
  EXPECT_TRUE(passed(verdict));
  EXPECT_EQ(exit_code(verdict), 0);
  EXPECT_EQ(to_text(verdict), R"(two adds  (s.toml, real, seed 7)

Time line
     2.000s  fault     kill b
     2.400s  answer    counter-1 answers from a

Downtime per name, from the last answer before a fault to the first after it
     2.000s  kill b: 1 names, p50 0.500s, p99 0.500s, max 0.500s
  all faults: p50 0.500s, p99 0.500s, max 0.500s

Commands: 4 acknowledged, 0 refused, 0 not executed, 0 unknown
  add       2 acknowledged, 0 refused, 0 not executed, 0 unknown
  get       2 acknowledged, 0 refused, 0 not executed, 0 unknown
Latency: p50 0.020s, p99 0.020s, max 0.020s

Verdict
  PASS  P1 one owner: 1 of 1 names behaved as one owner's
  PASS  P2 it comes back: every name answered at the end
  PASS  P3 nothing acknowledged is lost: 0 lost of 4 acknowledged
  PASS  P4 truthful outcomes: 0 effects beyond what the outcomes allow
  ----  P5 no silent loss: what clients record cannot show it
  PASS  P6 bounded: the longest call took 20ms with a deadline of 5s
  PASS  linearizable: 1 names, 4 commands
  PASS  lost, at most 0: 0
  PASS  doubled, at most 0: 0
  PASS  unknown outcomes, at most 1%: 0 of 4, 0%
  PASS  downtime p99, at most 1s: 500ms

PASS
)");
}

TEST(Verdict, ALostAddFailsWithItsFirstViolation) {
  Evidence evidence = good();
  evidence.workloads[0].history[2].answer = "1";
  evidence.workloads[0].history[3].answer = "1";
  evidence.workloads[0].last_answers["counter-1"] = "1";
  const Verdict verdict = judge(scenario(), evidence);
  EXPECT_EQ(exit_code(verdict), 1);
  for (const char* name : {"P1", "P3", "linearizable", "lost"}) {
    EXPECT_EQ(result_of(verdict, name), Check::Result::fail) << name;
  }
  EXPECT_EQ(result_of(verdict, "doubled"), Check::Result::pass);
  ASSERT_TRUE(verdict.first_violation);
  EXPECT_EQ(verdict.first_violation->at, 2420ms);
  EXPECT_EQ(verdict.first_violation->text,
            "add r-2400 on counter-1 by client 3 answered 1; by the rules 2");
  EXPECT_THAT(to_text(verdict), HasSubstr("Replay: coterie failover s.toml --seed 7\n\nFAIL\n"));
}

TEST(Verdict, ADoubledAddFails) {
  Evidence evidence = good();
  evidence.workloads[0].last_answers["counter-1"] = "3";
  const Verdict verdict = judge(scenario(), evidence);
  for (const char* name : {"P1", "P4", "doubled"}) {
    EXPECT_EQ(result_of(verdict, name), Check::Result::fail) << name;
  }
  EXPECT_THAT(to_text(verdict), HasSubstr("counter-1 \"add\" asked for 2 times, found 3"));
}

TEST(Verdict, EachBoundIsJudged) {
  Evidence evidence = good();
  evidence.workloads[0].last_answers.clear();
  EXPECT_EQ(result_of(judge(scenario(), evidence), "P2"), Check::Result::fail);

  evidence = good();
  evidence.workloads[0].history.push_back(op(4s, "add", "", Outcome::unknown));
  EXPECT_EQ(result_of(judge(scenario(), evidence), "unknown"), Check::Result::fail);
  EXPECT_EQ(result_of(judge(scenario("[verdict]\nunknown_max = \"20%\"\n"), evidence), "unknown"),
            Check::Result::pass);

  evidence = good();
  evidence.workloads[0].history[3].completed = 9'500ms;
  EXPECT_EQ(result_of(judge(scenario(), evidence), "P6"), Check::Result::fail);

  EXPECT_EQ(result_of(judge(scenario("[verdict]\ndowntime = { max = \"499ms\" }\n"), good()),
                      "downtime max"),
            Check::Result::fail);

  evidence = good();
  evidence.workloads[0].history[1].request_id = "r-1000";
  EXPECT_EQ(result_of(judge(scenario(), evidence), "P4"), Check::Result::fail);

  EXPECT_EQ(exit_code(judge(scenario(), good(), {.steps_max = 1})), 1) << "undecided is no pass";
}

TEST(Verdict, ExpectationsAreReportedWithWhatWasSeen) {
  const Scenario asked = scenario(
      "[[expect]]\nat = \"7100ms\"\nnode = \"c\"\nstate = \"frozen\"\n"
      "[[expect]]\nat = \"9s\"\nrunning = { kind = \"counters\", count = 1, on = [\"a\", \"b\"] "
      "}\n");
  Evidence evidence = good();
  evidence.observations = {{true, "frozen"}, {true, "1 running: a 1, b 0"}};
  EXPECT_TRUE(passed(judge(asked, evidence)));
  evidence.observations[0] = {false, "active"};
  const std::string text = to_text(judge(asked, evidence));
  EXPECT_THAT(text, HasSubstr("FAIL  expect at 7100ms: c is frozen: active\n"));
  EXPECT_THAT(text, HasSubstr("PASS  expect at 9s: 1 counters run once each on a, b: "
                              "1 running: a 1, b 0\n"));
  EXPECT_THAT(text, HasSubstr("First violation at 7.100s"));
  evidence.observations.clear();
  EXPECT_EQ(exit_code(judge(asked, evidence)), 1) << "a moment that was not reached";
}

TEST(Verdict, WhatTheFileDropsIsNotJudged) {
  Evidence evidence = good();
  evidence.workloads[0].history[1].answer = "7";
  const Verdict verdict = judge(
      scenario("[verdict]\npromises = []\nlinearizable = false\nreason = \"a cache\"\n"), evidence);
  EXPECT_TRUE(passed(verdict));
  EXPECT_FALSE(verdict.first_violation);
  EXPECT_THAT(to_text(verdict), HasSubstr("----  linearizable: dropped: a cache"));
}

TEST(Verdict, ALoosenedBoundIsEnough) {
  Evidence evidence = good();
  evidence.workloads[0].last_answers["counter-1"] = "1";
  EXPECT_EQ(exit_code(judge(scenario("[verdict]\nlost = 1\n"), evidence)), 0);
  evidence.workloads[0].last_answers["counter-1"] = "3";
  EXPECT_EQ(exit_code(judge(scenario("[verdict]\ndoubled = 1\n"), evidence)), 0);
  evidence.workloads[0].history[1].answer = "7";
  EXPECT_EQ(exit_code(judge(scenario("[verdict]\ndoubled = 1\n"), evidence)), 1);
}

TEST(Verdict, TheJsonHoldsTheSame) {
  Evidence evidence = good();
  evidence.workloads[0].history[1].answer = "7";
  const auto json = nlohmann::json::parse(to_json_text(judge(scenario(), evidence)));
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["seed"], 7);
  EXPECT_EQ(json["outcomes"]["acknowledged"], 4);
  EXPECT_EQ(json["outcomes_by_op"]["add"]["acknowledged"], 2);
  EXPECT_EQ(json["downtime"]["p99_ms"], 500.0);
  EXPECT_EQ(json["downtime_by_fault"][0]["fault"], "kill b");
  EXPECT_EQ(json["events"][0]["what"], "fault");
  EXPECT_EQ(json["first_violation"]["at_ms"], 1920.0);
  EXPECT_EQ(json["checks"][0]["result"], "fail");
  EXPECT_EQ(json["replay"], "coterie failover s.toml --seed 7");
}

}  // namespace
}  // namespace coterie::sim
