// Goal: what clients recorded is counted exactly: outcomes, losses, doubles, downtime.
#include "sim/history.hpp"

#include <gtest/gtest.h>

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

/// A bag of letters: each operation puts one in, the last answer lists them.
class BagModel final : public WorkloadModel {
 public:
  Bytes initial(std::string_view) const override { return {}; }
  std::optional<Bytes> step(BytesView state, BytesView operation,
                            const std::optional<Bytes>&) const override {
    return Bytes(state) + Bytes(operation);
  }
  bool keeps_state(BytesView, BytesView) const override { return false; }
  std::string expected(BytesView, BytesView) const override { return {}; }
  std::optional<Bytes> effect(BytesView operation) const override {
    if (operation.empty()) return std::nullopt;
    return Bytes(operation);
  }
  std::vector<Bytes> effects(BytesView last_answer) const override {
    std::vector<Bytes> list;
    for (const char c : last_answer) list.emplace_back(1, c);
    return list;
  }
};

Operation op(Duration at, std::string key, std::string bytes,
             Outcome outcome = Outcome::acknowledged, Duration took = 10ms) {
  Operation operation;
  operation.key = std::move(key);
  operation.word = bytes.empty() ? "get" : "put";
  operation.request_id = operation.key + bytes;
  operation.bytes = std::move(bytes);
  operation.invoked = at;
  operation.completed = at + took;
  operation.outcome = outcome;
  return operation;
}

TEST(History, OutcomesAndLatenciesAreCounted) {
  const History history{op(0s, "x", "a"), op(1s, "x", "b", Outcome::refused, 30ms),
                        op(2s, "x", "", Outcome::not_executed, 5s),
                        op(3s, "x", "c", Outcome::unknown, 9s)};
  EXPECT_EQ(count_outcomes(history), (OutcomeCount{1, 1, 1, 1}));
  EXPECT_EQ(count_outcomes_by_word(history).at("put"), (OutcomeCount{1, 1, 0, 1}));
  EXPECT_EQ(latencies(history), (Percentiles{2, 10ms, 30ms, 30ms}));
  EXPECT_EQ(repeated_request_ids(history), std::vector<std::string>{});
  EXPECT_EQ(repeated_request_ids({op(0s, "x", "a"), op(1s, "x", "a")}),
            std::vector<std::string>{"xa"});
}

TEST(History, PercentilesAreMeasuredValues) {
  std::vector<Duration> values;
  for (int i = 200; i >= 1; --i) values.push_back(Duration(i));
  EXPECT_EQ(percentiles(values), (Percentiles{200, Duration(100), Duration(198), Duration(200)}));
  EXPECT_EQ(percentiles({Duration(7)}), (Percentiles{1, Duration(7), Duration(7), Duration(7)}));
  EXPECT_EQ(percentiles({}), Percentiles{});
}

TEST(History, LostAndDoubledEffectsAreFound) {
  const BagModel model;
  const History history{op(0s, "x", "a"),
                        op(1s, "x", "b"),
                        op(2s, "x", "c", Outcome::unknown),
                        op(3s, "x", "d", Outcome::not_executed),
                        op(4s, "x", "e", Outcome::refused),
                        op(5s, "y", "a"),
                        op(6s, "x", "")};
  const auto audit = [&](const Bytes& x, const Bytes& y) {
    const EffectAudit result = audit_effects(history, {{"x", x}, {"y", y}}, model);
    return std::pair(result.lost, result.doubled);
  };
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_EQ(audit("ab", "a"), Pair(0, 0));
  EXPECT_EQ(audit("abc", "a"), Pair(0, 0)) << "an unknown one may be there";
  EXPECT_EQ(audit("b", "a"), Pair(1, 0));
  EXPECT_EQ(audit("aab", "a"), Pair(0, 1));
  EXPECT_EQ(audit("abcc", "a"), Pair(0, 1)) << "but not twice";
  EXPECT_EQ(audit("abd", "a"), Pair(0, 1)) << "what was said not to have run, ran";
  EXPECT_EQ(audit("abe", "a"), Pair(0, 1)) << "what was refused took effect";
  EXPECT_EQ(audit("ab", ""), Pair(1, 0));
  const EffectAudit gone = audit_effects(history, {}, model);
  EXPECT_EQ(gone.lost, 3u);
  EXPECT_EQ(gone.examples.size(), 3u);
}

TEST(History, DowntimeIsFromTheLastAnswerToTheFirstAfter) {
  History history;
  for (int i = 0; i < 10; ++i) history.push_back(op(i * 100ms, "x", "a"));  // until 910 ms
  history.push_back(op(1000ms, "x", "a", Outcome::not_executed, 500ms));
  history.push_back(op(2000ms, "x", "a"));  // answered at 2010 ms
  history.push_back(op(2100ms, "x", "a"));
  history.push_back(op(500ms, "idle", "a"));
  const std::vector<FaultMoment> faults{{.at = 950ms, .keys = {}}};
  const auto list = downtimes(history, faults, 3s);
  ASSERT_EQ(list.size(), 1u) << "nobody asked `idle` after the fault";
  EXPECT_EQ(list[0].key, "x");
  EXPECT_EQ(list[0].from, 910ms);
  EXPECT_EQ(list[0].length, 1100ms);
  EXPECT_TRUE(list[0].answered_again);
}

TEST(History, AnAnswerInFlightDoesNotEndTheDowntime) {
  const History history{op(900ms, "x", "a"), op(995ms, "x", "a"), op(2s, "x", "a")};
  const std::vector<FaultMoment> faults{{.at = 1s, .keys = {"x", "nobody"}}};
  const auto list = downtimes(history, faults, 3s);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].from, 1005ms);
  EXPECT_EQ(list[0].length, 1005ms);
}

TEST(History, AKeyThatNeverAnswersAgainIsDownToTheEnd) {
  const History history{op(900ms, "x", "a"), op(1500ms, "x", "a", Outcome::unknown, 1s),
                        op(1600ms, "y", "a", Outcome::unknown, 1s)};
  const std::vector<FaultMoment> faults{{.at = 1s, .keys = {}}};
  const auto list = downtimes(history, faults, 3s);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].length, 3s - 910ms);
  EXPECT_FALSE(list[0].answered_again);
  EXPECT_EQ(list[1].length, 2s) << "it never answered: counted from the fault";
}

}  // namespace
}  // namespace coterie::sim
