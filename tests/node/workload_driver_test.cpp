// The driver of a workload: its decisions in virtual time, and its thread against a caller that
// loses, delays and refuses by seed.

#include "node/workload_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"
#include "process/thread_executor.hpp"
#include "tests/node/workload_test_kit.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Code = CallError::Code;
using Execution = CallError::Execution;
using Outcome = OperationOutcome;

WorkloadOperation op(const std::string& key, const std::string& word, int number) {
  return {key, word, "r-" + std::to_string(number), word};
}
CallError failed(Code code, Execution execution) { return {code, execution}; }

/// A schedule on virtual time.
struct Bench {
  explicit Bench(std::vector<WorkloadOperation> operations, DriveOptions options = {})
      : feed(std::move(operations)), schedule(workload, feed, 3, options) {}

  std::vector<Attempt> step() {
    return schedule.step(now, [this](std::size_t at) { return !broken.contains(at); });
  }
  /// The one attempt that there must be now.
  Attempt one() {
    const auto attempts = step();
    EXPECT_EQ(attempts.size(), 1u);
    return attempts.empty() ? Attempt{} : attempts.front();
  }
  /// The next attempt, whenever it is due.
  Attempt later() {
    now = std::max(now, schedule.next_due(now));
    return one();
  }
  void answer(const Attempt& attempt, const WorkloadSchedule::Answer& answer) {
    schedule.answered(now, attempt.id, answer);
  }
  void fail(const Attempt& attempt, Code code, Execution execution) {
    answer(attempt, std::unexpected(failed(code, execution)));
  }
  const OperationRecord& last() { return schedule.records().back(); }

  test::CounterWorkload workload;
  RecordedFeed feed;
  WorkloadSchedule schedule;
  Time now{1s};
  std::set<std::size_t> broken;
};

// Goal: commands of one key keep their order, other keys go side by side, one command a client.
TEST(WorkloadSchedule, KeysSideBySideCommandsInOrder) {
  Bench bench({op("x", "start", 1), op("x", "add", 2), op("y", "start", 3), op("x", "add", 4),
               op("z", "start", 5)},
              {.clients = 2});
  const auto first = bench.step();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].operation->request_id, "r-1");
  EXPECT_EQ(first[1].operation->request_id, "r-3");
  EXPECT_NE(first[0].connection, first[1].connection);
  EXPECT_TRUE(bench.step().empty());
  bench.answer(first[1], "1");
  const Attempt third = bench.one();
  EXPECT_EQ(third.operation->request_id, "r-5") << "x still has one under way";
  bench.answer(first[0], "1");
  EXPECT_EQ(bench.one().operation->request_id, "r-2");
}

// Goal: with a rate, begins are that far apart, and a stall is not made up for by a burst.
TEST(WorkloadSchedule, Rate) {
  std::vector<WorkloadOperation> operations;
  for (int i = 0; i < 100; ++i) operations.push_back(op("k" + std::to_string(i), "add", i));
  Bench bench(operations, {.clients = 100, .rate = 100});
  std::size_t begun = 0;
  for (int i = 0; i < 50; ++i, bench.now += 10ms) begun += bench.step().size();
  EXPECT_EQ(begun, 50u);
  bench.now += 300ms;
  EXPECT_LE(bench.step().size(), 12u);
}

// Goal: a begin that comes due between step() and next_due() is due now, not lost: with nothing
// under way nobody would ever wake the driver again.
TEST(WorkloadSchedule, ABeginThatCameDueMeanwhile) {
  Bench bench({op("x", "add", 1), op("y", "add", 2)}, {.clients = 2, .rate = 100});
  EXPECT_EQ(bench.step().size(), 1u);
  EXPECT_EQ(bench.schedule.next_due(bench.now + 15ms), bench.now + 15ms);
  bench.now += 15ms;
  EXPECT_EQ(bench.step().size(), 1u);
  EXPECT_EQ(bench.schedule.next_due(bench.now), Time::max());
}

// Goal: what certainly did not run is tried again with the same id, over another connection when
// the way was at fault, and counts as not executed when time is up.
TEST(WorkloadSchedule, RetriesWhatDidNotRun) {
  Bench bench({op("x", "add", 1)}, {.clients = 1, .give_up_after = 2s});
  const Attempt first = bench.one();
  bench.fail(first, Code::nodedown, Execution::not_executed);
  const Attempt second = bench.later();
  EXPECT_NE(second.connection, first.connection);
  EXPECT_EQ(second.operation->request_id, "r-1");
  bench.fail(second, Code::overloaded, Execution::not_executed);
  while (!bench.schedule.finished()) {
    bench.now = std::max(bench.now, bench.schedule.next_due(bench.now));
    for (const Attempt& attempt : bench.step()) {
      EXPECT_LE(attempt.timeout, 2s);
      bench.fail(attempt, Code::unavailable, Execution::not_executed);
    }
  }
  EXPECT_EQ(bench.last().outcome, Outcome::not_executed);
  EXPECT_THAT(bench.last().error, HasSubstr("unavailable"));
  EXPECT_LE(bench.last().completed - bench.last().invoked, 2s);
}

// Goal: one try that may have run makes the command unknown, whatever the later tries say, unless
// one of them is answered.
TEST(WorkloadSchedule, UnknownStaysUnknownUntilAnswered) {
  Bench gives_up({op("x", "add", 1)}, {.clients = 1, .give_up_after = 1s});
  gives_up.fail(gives_up.one(), Code::noconnection, Execution::unknown);
  gives_up.fail(gives_up.later(), Code::quarantined, Execution::not_executed);
  EXPECT_EQ(gives_up.last().outcome, Outcome::unknown);

  Bench answered({op("x", "add", 1)}, {.clients = 1});
  answered.fail(answered.one(), Code::timeout, Execution::unknown);
  answered.answer(answered.later(), "7");
  EXPECT_EQ(answered.last().outcome, Outcome::acknowledged);
  EXPECT_EQ(answered.last().answer, "7");
  EXPECT_EQ(answered.last().attempts, 2u);
}

// Goal: a refusal counts only when no earlier try can still be under way: it might yet be accepted.
TEST(WorkloadSchedule, RefusalAfterUnknownIsAskedAgain) {
  Bench bench({op("x", "add", 1)}, {.clients = 1});
  const Time sent = bench.now;
  bench.fail(bench.one(), Code::noconnection, Execution::unknown);
  bench.answer(bench.later(), "shut");
  EXPECT_TRUE(bench.schedule.records().empty());
  const Attempt again = bench.later();
  EXPECT_GE(bench.now, sent + 2s) << "the first try's time is over";
  bench.answer(again, "shut");
  EXPECT_EQ(bench.last().outcome, Outcome::refused);

  Bench plain({op("x", "add", 1)}, {.clients = 1});
  plain.fail(plain.one(), Code::unavailable, Execution::not_executed);
  plain.answer(plain.later(), "shut");
  EXPECT_EQ(plain.last().outcome, Outcome::refused);
  EXPECT_EQ(plain.last().attempts, 2u);
}

// Goal: no such name means what the workload says it means, for a key that does not exist; a key
// that answered before is waited for.
TEST(WorkloadSchedule, AbsentKeys) {
  Bench bench({op("x", "add", 1), op("x", "add", 2), op("y", "start", 3), op("y", "add", 4)},
              {.clients = 1});
  const Time from = bench.now;
  for (Attempt attempt = bench.one(); bench.schedule.records().empty(); attempt = bench.later()) {
    bench.fail(attempt, Code::noproc, Execution::not_executed);
    if (!bench.schedule.records().empty()) break;
  }
  EXPECT_GE(bench.now - from, 1s);
  EXPECT_EQ(bench.last().outcome, Outcome::refused);
  EXPECT_EQ(bench.last().answer, "absent");
  bench.fail(bench.one(), Code::noproc, Execution::not_executed);
  EXPECT_EQ(bench.schedule.records().size(), 2u) << "known to be absent: at once";

  bench.fail(bench.one(), Code::noproc, Execution::not_executed);
  bench.answer(bench.later(), "1");
  EXPECT_EQ(bench.last().outcome, Outcome::acknowledged) << "a start is tried again";
  Attempt attempt = bench.one();
  const Time lost = bench.now;
  while (bench.now - lost < 5s) {
    bench.fail(attempt, Code::noproc, Execution::not_executed);
    attempt = bench.later();
  }
  bench.answer(attempt, "2");
  EXPECT_EQ(bench.last().outcome, Outcome::acknowledged) << "it existed: moving, not absent";
}

// Goal: connections that are broken are not chosen while others are whole, and an answer that
// cannot be read ends the command as unknown.
TEST(WorkloadSchedule, Connections) {
  Bench bench({op("x", "add", 1), op("x", "add", 2)}, {.clients = 1});
  bench.broken = {0, 2};
  const Attempt only = bench.one();
  EXPECT_EQ(only.connection, 1u);
  bench.answer(only, "garbage");
  EXPECT_EQ(bench.last().outcome, Outcome::unknown);
  EXPECT_THAT(bench.last().error, HasSubstr("garbage"));
  bench.broken = {0, 1, 2};
  EXPECT_EQ(bench.step().size(), 1u) << "with none whole one is tried all the same";
  EXPECT_EQ(bench.schedule.counts().unknown, 1u);
}

/// A cluster of counters that remembers request ids, behind connections that misbehave by seed.
class RoughCaller final : public WorkloadCaller {
 public:
  std::size_t connections() const override { return 3; }
  bool connected(std::size_t) const override { return true; }
  void submit(std::size_t, WorkloadCall call, std::string request_id, Duration,
              Done done) override {
    const auto luck = random_.below(10);
    const auto lost = [](Execution execution) {
      return std::unexpected(failed(
          execution == Execution::unknown ? Code::noconnection : Code::unavailable, execution));
    };
    if (luck == 0) return done(lost(Execution::not_executed));
    if (luck == 1) return done(lost(Execution::unknown));  // and it did not run
    const std::string key = std::get<ViaName>(call.target).key;
    if (!answers_.contains(request_id)) {
      answers_[request_id] = std::to_string(++counters_[key]);
      order_[key].push_back(request_id);
    }
    if (luck == 2) return done(lost(Execution::unknown));  // and it ran
    done(answers_[request_id]);
  }

  SeededRandom random_{5};
  std::map<std::string, std::string> answers_;
  std::map<std::string, int> counters_;
  std::map<std::string, std::vector<std::string>> order_;
};

// Goal: the driver with its thread ends every command once, in order, and each ran once, though a
// fifth of the answers is lost.
TEST(WorkloadDriver, DrivesToTheEnd) {
  test::CounterWorkload workload;
  std::vector<WorkloadOperation> operations;
  for (int i = 0; i < 600; ++i) operations.push_back(op("k" + std::to_string(i % 20), "add", i));
  RecordedFeed feed(operations);
  RoughCaller caller;
  SystemClock clock;
  ThreadExecutor executor(clock);
  WorkloadDriver driver(workload, feed, caller, clock, executor,
                        {.pause_min = 1us, .pause_max = 1ms});
  driver.start();
  EXPECT_TRUE(driver.wait_for(60s));
  const auto records = driver.wait();
  ASSERT_EQ(records.size(), 600u);
  EXPECT_EQ(driver.progress().acknowledged, 600u);
  EXPECT_GT(driver.progress().retries, 50u);
  std::map<std::string, std::vector<std::string>> order;
  for (const OperationRecord& record : records) {
    order[record.operation.key].push_back(record.operation.request_id);
  }
  EXPECT_EQ(order, caller.order_);
  EXPECT_EQ(last_answers(records).at("k3"), "30");
}

// Goal: a drawn load goes on until it is stopped, and then ends.
TEST(WorkloadDriver, DrawnLoadStops) {
  test::CounterWorkload workload;
  const auto source = workload.source(1, {});
  std::vector<std::string> keys;
  for (const WorkloadOperation& start : starts(*source, 5)) keys.push_back(start.key);
  DrawnFeed feed(*source, keys, 1);
  RoughCaller caller;
  SystemClock clock;
  ThreadExecutor executor(clock);
  WorkloadDriver driver(workload, feed, caller, clock, executor, {.clients = 4, .rate = 2000});
  driver.start();
  EXPECT_FALSE(driver.wait_for(100ms));
  driver.stop();
  const auto records = driver.wait();
  EXPECT_GT(records.size(), 20u);
  EXPECT_EQ(driver.progress().ended(), records.size());
}

}  // namespace
}  // namespace coterie
