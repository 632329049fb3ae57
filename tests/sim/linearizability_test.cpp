// Goal: the checker accepts exactly the histories that some order of the operations explains.
#include "sim/linearizability.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "process/seeded_random.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

/// A register of small texts: "w:x" writes x and answers ok, "r" answers what was written last,
/// "a:x" appends x and answers the whole.
class RegisterModel final : public WorkloadModel {
 public:
  Bytes initial(std::string_view) const override { return "0"; }
  std::optional<Bytes> step(BytesView state, BytesView operation,
                            const std::optional<Bytes>& answer) const override {
    const Bytes next = after(state, operation);
    if (answer && *answer != expected(state, operation)) return std::nullopt;
    return next;
  }
  bool keeps_state(BytesView operation, BytesView) const override { return operation[0] == 'r'; }
  std::string expected(BytesView state, BytesView operation) const override {
    if (operation[0] == 'w') return "ok";
    return after(state, operation);
  }
  std::optional<Bytes> effect(BytesView operation) const override {
    if (operation[0] != 'a') return std::nullopt;
    return Bytes(operation.substr(2));
  }
  std::vector<Bytes> effects(BytesView last_answer) const override {
    std::vector<Bytes> list;
    for (const char c : last_answer.substr(1)) list.emplace_back(1, c);
    return list;
  }

 private:
  static Bytes after(BytesView state, BytesView operation) {
    if (operation[0] == 'w') return Bytes(operation.substr(2));
    if (operation[0] == 'a') return Bytes(state) + Bytes(operation.substr(2));
    return Bytes(state);
  }
};

Operation op(int invoked, int completed, std::string bytes, std::string answer,
             Outcome outcome = Outcome::acknowledged) {
  Operation operation;
  operation.key = "x";
  operation.bytes = std::move(bytes);
  operation.invoked = Duration(invoked);
  operation.completed = Duration(completed);
  operation.outcome = outcome;
  operation.answer = std::move(answer);
  return operation;
}

const RegisterModel model;
constexpr Outcome unknown = Outcome::unknown;

bool ok(const History& history) {
  const auto result = check_linearizability(history, model);
  EXPECT_TRUE(result.undecided.empty());
  return result.ok();
}

TEST(Linearizability, HandMadeHistories) {
  EXPECT_TRUE(ok({}));
  EXPECT_TRUE(ok({op(0, 1, "w:1", "ok"), op(2, 3, "r", "1")}));
  EXPECT_FALSE(ok({op(0, 1, "w:1", "ok"), op(2, 3, "r", "0")})) << "a stale read";
  EXPECT_TRUE(ok({op(0, 9, "w:1", "ok"), op(2, 3, "r", "0"), op(4, 5, "r", "1")}));
  EXPECT_FALSE(ok({op(0, 9, "w:1", "ok"), op(2, 3, "r", "1"), op(4, 5, "r", "0")}))
      << "a value that was seen may not go away";
  EXPECT_TRUE(ok({op(0, 9, "w:1", "ok"), op(0, 9, "w:2", "ok"), op(10, 11, "r", "1")}));
  EXPECT_FALSE(ok(
      {op(0, 9, "w:1", "ok"), op(0, 9, "w:2", "ok"), op(10, 11, "r", "1"), op(12, 13, "r", "2")}));
  EXPECT_FALSE(ok({op(0, 1, "r", "7")})) << "a value out of nowhere";
  EXPECT_TRUE(ok({op(0, 5, "w:1", "ok"), op(5, 6, "r", "0")})) << "they met in one moment";
}

TEST(Linearizability, UnknownOperationsMayTakeEffectLateOrNever) {
  EXPECT_TRUE(ok({op(0, 1, "w:1", "", unknown), op(2, 3, "r", "0")}));
  EXPECT_TRUE(ok({op(0, 1, "w:1", "", unknown), op(2, 3, "r", "1")}));
  EXPECT_TRUE(ok({op(0, 1, "w:1", "", unknown), op(2, 3, "r", "0"), op(4, 5, "r", "1")}));
  EXPECT_FALSE(ok({op(0, 1, "w:1", "", unknown), op(2, 3, "r", "1"), op(4, 5, "r", "0")}));
  EXPECT_FALSE(ok({op(0, 1, "a:1", "", unknown), op(2, 3, "r", "011")})) << "applied twice";
  EXPECT_FALSE(ok({op(2, 3, "w:1", "", unknown), op(0, 1, "r", "1")})) << "before it was invoked";
}

TEST(Linearizability, WhatDidNotRunHasNoEffect) {
  EXPECT_TRUE(ok({op(0, 1, "w:1", "", Outcome::not_executed), op(2, 3, "r", "0")}));
  EXPECT_FALSE(ok({op(0, 1, "w:1", "", Outcome::not_executed), op(2, 3, "r", "1")}));
}

TEST(Linearizability, TheViolationNamesTheFirstUnexplainedAnswer) {
  History history{op(0, 1, "w:1", "ok"), op(2, 3, "r", "1"), op(4, 5, "w:2", "ok"),
                  op(6, 7, "r", "1"), op(8, 9, "r", "2")};
  Operation other = op(0, 1, "r", "0");
  other.key = "y";
  history.push_back(other);
  const auto result = check_linearizability(history, model);
  EXPECT_EQ(result.keys, 2u);
  ASSERT_EQ(result.violations.size(), 1u);
  EXPECT_EQ(result.violations[0].key, "x");
  EXPECT_EQ(result.violations[0].operation, 3u);
  EXPECT_EQ(result.violations[0].found, "1");
  EXPECT_EQ(result.violations[0].expected, "2");
}

/// Tries every order of the answered and every subset of the unknown operations.
bool explained_by_brute_force(const History& history) {
  std::vector<std::size_t> order(history.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    for (unsigned skipped = 0; skipped < 1u << history.size(); ++skipped) {
      Bytes state = model.initial("x");
      bool fits = true;
      for (std::size_t i = 0; fits && i < order.size(); ++i) {
        const Operation& operation = history[order[i]];
        const bool is_unknown = operation.outcome == unknown;
        if (skipped >> order[i] & 1) {
          fits = is_unknown;
          continue;
        }
        for (std::size_t j = i + 1; j < order.size(); ++j) {
          const Operation& later = history[order[j]];
          if ((skipped >> order[j] & 1) == 0 && later.outcome != unknown &&
              later.completed < operation.invoked) {
            fits = false;
          }
        }
        const auto next =
            model.step(state, operation.bytes,
                       is_unknown ? std::nullopt : std::optional<Bytes>(operation.answer));
        fits = fits && next;
        if (next) state = *next;
      }
      if (fits) return true;
    }
  } while (std::ranges::next_permutation(order).found);
  return false;
}

TEST(Linearizability, AgreesWithBruteForceOnSmallHistories) {
  SeededRandom random(11);
  int accepted = 0;
  int refused = 0;
  for (int round = 0; round < 1'500; ++round) {
    History history;
    const std::size_t count = 1 + random.below(4);
    for (std::size_t i = 0; i < count; ++i) {
      const int begin = static_cast<int>(random.below(8));
      const std::string value(1, static_cast<char>('0' + random.below(2)));
      const bool reads = random.below(2) == 0;
      history.push_back(op(begin, begin + 1 + static_cast<int>(random.below(4)),
                           reads ? "r" : "w:" + value, reads ? value : "ok",
                           random.below(5) == 0 ? unknown : Outcome::acknowledged));
    }
    const bool truth = explained_by_brute_force(history);
    ++(truth ? accepted : refused);
    ASSERT_EQ(ok(history), truth) << "round " << round;
  }
  EXPECT_GT(accepted, 200);
  EXPECT_GT(refused, 200);
}

/// Appends by several clients in one thread, each at a moment inside its operation's times.
History sequential_run(std::uint64_t seed, int count, int clients) {
  SeededRandom random(seed);
  History history;
  std::vector<int> free_at(static_cast<std::size_t>(clients), 0);
  Bytes state = model.initial("x");
  int now = 0;
  for (int i = 0; i < count; ++i) {
    now += 1 + static_cast<int>(random.below(3));
    const std::size_t client = random.below(free_at.size());
    const int begin = std::max(free_at[client], now - static_cast<int>(random.below(6)));
    if (begin > now) continue;
    const int end = now + static_cast<int>(random.below(6));
    const bool reads = random.below(3) == 0;
    const Bytes bytes = reads ? "r" : "w:" + std::to_string(random.below(5));
    const Bytes answer = model.expected(state, bytes);
    const bool lost_answer = random.below(25) == 0;
    const bool ran = !lost_answer || random.below(2) == 0;
    if (ran) state = *model.step(state, bytes, answer);
    history.push_back(op(begin, end, bytes, answer, lost_answer ? unknown : Outcome::acknowledged));
    free_at[client] = end + 1;
  }
  return history;
}

TEST(Linearizability, RunsOfOneThreadAreLinearizableAndATamperedReadIsNot) {
  int caught = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    History history = sequential_run(seed, 300, 5);
    EXPECT_TRUE(ok(history)) << "seed " << seed;
    const auto read = std::ranges::find_if(history, [](const Operation& operation) {
      return operation.bytes == "r" && operation.outcome != unknown;
    });
    read->answer = "9";
    caught += ok(history) ? 0 : 1;
  }
  EXPECT_EQ(caught, 40);
}

TEST(Linearizability, TheSearchIsBounded) {
  History history;
  for (int i = 0; i < 24; ++i)
    history.push_back(op(0, 100, "a:" + std::string(1, static_cast<char>('a' + i)), "", unknown));
  history.push_back(op(101, 102, "r", "none of them"));
  const auto result = check_linearizability(history, model, {.steps_max = 10'000});
  EXPECT_EQ(result.undecided, std::vector<std::string>{"x"});
  EXPECT_TRUE(result.violations.empty());
}

}  // namespace
}  // namespace coterie::sim
