// The account of a replay, and the bar above it.

#include "node/replay_account.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/terminal_progress.hpp"
#include "process/json.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Outcome = OperationOutcome;

OperationRecord record(std::string word, Outcome outcome, Duration took, std::uint32_t tries = 1) {
  OperationRecord made;
  made.operation = {"contract-1", std::move(word), "r-1", ""};
  made.invoked = Time(1s);
  made.completed = made.invoked + took;
  made.outcome = outcome;
  made.attempts = tries;
  made.error = "no such node";
  return made;
}

// Goal: each command is in one column, percentiles are measured values of answered commands, and a
// file is complete only if each of its commands was answered.
TEST(ReplayAccount, CountsEveryCommandOnce) {
  std::vector<OperationRecord> records;
  for (int i = 1; i <= 100; ++i) {
    records.push_back(record("pay", i % 2 ? Outcome::acknowledged : Outcome::refused, i * 1ms));
  }
  EXPECT_TRUE(account_of(records, 100, 2s).complete());
  records.push_back(record("get", Outcome::not_executed, 900ms, 7));
  records.push_back(record("get", Outcome::unknown, 900ms, 2));
  const ReplayAccount account = account_of(records, 103, 2s);
  EXPECT_EQ(account.all, (OutcomeColumns{102, 50, 50, 1, 1}));
  EXPECT_EQ(account.words.at("get"), (OutcomeColumns{2, 0, 0, 1, 1}));
  EXPECT_EQ(account.latency, (LatencyAccount{50'000, 90'000, 99'000, 100'000}));
  EXPECT_EQ(account.tries, 109u);
  EXPECT_FALSE(account.complete());
  const std::string text = to_text(account);
  EXPECT_THAT(text, HasSubstr("p50 50.0 ms, p90 90.0 ms, p99 99.0 ms, max 100.0 ms"));
  EXPECT_THAT(text, HasSubstr("1 commands were not begun"));
  EXPECT_THAT(text, HasSubstr("! r-1 (get contract-1): unknown: no such node"));
  EXPECT_THAT(to_json(account), HasSubstr(R"("latency":{"p50_us":50000)"));
}

// Goal: nothing to account for is complete and has no percentiles.
TEST(ReplayAccount, NothingDriven) {
  const ReplayAccount account = account_of({}, 0, 0s);
  EXPECT_TRUE(account.complete());
  EXPECT_EQ(account.latency, LatencyAccount{});
}

// Goal: the bar is full at the end and never longer than that.
TEST(ProgressBar, Draws) {
  EXPECT_EQ(progress_bar(0, 200, 4), "[....]   0 %  0/200");
  EXPECT_EQ(progress_bar(100, 200, 4), "[##..]  50 %  100/200");
  EXPECT_EQ(progress_bar(200, 200, 4), "[####] 100 %  200/200");
  EXPECT_EQ(progress_bar(9, 3, 4), "[####] 100 %  9/3");
  EXPECT_EQ(progress_bar(0, 0, 4), "[####] 100 %  0/0");
}

}  // namespace
}  // namespace coterie
