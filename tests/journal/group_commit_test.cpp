#include "journal/group_commit.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <deque>
#include <thread>

#include "journal/faulty.hpp"
#include "journal/memory.hpp"
#include "process/system_clock.hpp"
#include "process/thread_executor.hpp"
#include "tests/journal/engines.hpp"

namespace coterie::test {
namespace {

using Code = StorageError::Code;

/// A strand whose jobs run when the test says so.
class HandStrand final : public Strand {
 public:
  void post(Job job) override { jobs_.push_back(std::move(job)); }
  void post_at(Time, Job job) override { jobs_.push_back(std::move(job)); }
  bool run_one() {
    if (jobs_.empty()) return false;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    job();
    return true;
  }
  void run_all() {
    while (run_one()) {
    }
  }
  std::size_t size() const { return jobs_.size(); }

 private:
  std::deque<Job> jobs_;
};

class JournalWriterTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(streams_.open("s", {1, 1})); }

  void append(JournalWriter& writer, std::uint64_t sequence, const std::string& name,
              const std::string& stream = "s") {
    writer.append({stream, {1, 1}, sequence, {{.payload = name}}},
                  [this, name](StorageResult<void> result) {
                    answers_.push_back(name + (result ? " ok" : " " + result.error().message));
                  });
  }

  MemoryStreams streams_;
  HandStrand strand_;
  std::vector<std::string> answers_;
};

// What arrives before the strand runs becomes one commit, and each gets its own answer in order.
TEST_F(JournalWriterTest, WritesWhatGatheredAsOneCommit) {
  int commits = 0;
  FaultyStreams counted(streams_, {.before = [&](std::string_view operation) {
                          commits += operation == "append";
                          return std::nullopt;
                        }});
  JournalWriter writer(counted, strand_, strand_);
  append(writer, 1, "first");
  append(writer, 3, "gap");
  append(writer, 2, "second");
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(strand_.size(), 1u);
  strand_.run_all();
  EXPECT_EQ(commits, 1);
  ASSERT_EQ(answers_.size(), 3u);
  EXPECT_EQ(answers_[0], "first ok");
  EXPECT_THAT(answers_[1], testing::HasSubstr("gap append to stream 's' expects sequence 3"));
  EXPECT_EQ(answers_[2], "second ok");
  append(writer, 3, "third");
  strand_.run_all();
  EXPECT_EQ(answers_.back(), "third ok");
  EXPECT_EQ(writer.append_counters().batches, 2u);
  EXPECT_EQ(writer.append_counters().requests, 4u);
  EXPECT_EQ(writer.append_counters().largest_batch, 3u);
}

// What a completion asks for next belongs to the next batch: the writer never recurses.
TEST_F(JournalWriterTest, TakesRequestsFromCompletions) {
  JournalWriter writer(streams_, strand_, strand_);
  writer.append({"s", {1, 1}, 1, {{.payload = "a"}}}, [&](StorageResult<void> result) {
    EXPECT_TRUE(result);
    append(writer, 2, "b");
  });
  EXPECT_TRUE(strand_.run_one());
  EXPECT_TRUE(answers_.empty());
  strand_.run_all();
  EXPECT_EQ(answers_, std::vector<std::string>{"b ok"});
}

// At its bounds the queue refuses at once, says so, and goes on when there is room again.
TEST_F(JournalWriterTest, RefusesBeyondItsBounds) {
  JournalWriter writer(streams_, strand_, strand_,
                       {.requests_max = 2, .bytes_max = 1500, .batch_requests_max = 1});
  append(writer, 1, "a");
  append(writer, 2, "b");
  append(writer, 3, "c");
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_THAT(answers_[0], testing::HasSubstr("c the queue of the journal's writer is full"));
  EXPECT_TRUE(strand_.run_one());
  append(writer, 3, std::string(1500, 'd'));
  ASSERT_EQ(answers_.size(), 3u);  // a, and the refusal of d
  strand_.run_all();
  append(writer, 3, std::string(5000, 'e'));  // greater than the bound, but alone
  strand_.run_all();
  EXPECT_EQ(streams_.read("s").value().size(), 3u);
  EXPECT_EQ(writer.append_counters().refused, 2u);
  EXPECT_EQ(writer.append_counters().waiting, 0u);
}

// When the store fails every request of the batch gets the error, and the next batch is tried.
TEST_F(JournalWriterTest, TellsAFailureToEveryRequest) {
  bool full = true;
  FaultyStreams faulty(
      streams_, {.before = [&](std::string_view) {
        return full ? std::optional(StorageError{Code::unavailable, "disk full"}) : std::nullopt;
      }});
  JournalWriter writer(faulty, strand_, strand_);
  append(writer, 1, "a");
  append(writer, 2, "b");
  strand_.run_all();
  EXPECT_EQ(answers_, (std::vector<std::string>{"a disk full", "b disk full"}));
  full = false;
  append(writer, 1, "a");
  strand_.run_all();
  EXPECT_EQ(answers_.back(), "a ok");
}

// An answer that was lost says that it may have been applied; the sequence then tells.
TEST_F(JournalWriterTest, SaysWhenACommitMayHaveBeenApplied) {
  bool lose = true;
  FaultyStreams faulty(streams_, {.after = [&](std::string_view) {
                         return std::exchange(lose, false)
                                    ? std::optional(StorageError{Code::unavailable, "lost"})
                                    : std::nullopt;
                       }});
  JournalWriter writer(faulty, strand_, strand_);
  bool maybe_applied = false;
  writer.append({"s", {1, 1}, 1, {{.payload = "a"}}},
                [&](StorageResult<void> result) { maybe_applied = result.error().maybe_applied; });
  strand_.run_all();
  EXPECT_TRUE(maybe_applied);
  append(writer, 1, "again");
  strand_.run_all();
  EXPECT_THAT(answers_.back(), testing::HasSubstr("the next is 2"));
}

// A writer that is destroyed answers what still waits, and its jobs on the strand do nothing.
TEST_F(JournalWriterTest, AnswersWhatWaitsWhenItIsDestroyed) {
  {
    JournalWriter writer(streams_, strand_, strand_);
    append(writer, 1, "a");
  }
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_THAT(answers_[0], testing::HasSubstr("was closed before this was written"));
  strand_.run_all();
  EXPECT_TRUE(streams_.read("s").value().empty());
}

// Opens gather like appends, on a strand of their own.
TEST_F(JournalWriterTest, OpensInBatches) {
  HandStrand opens;
  JournalWriter writer(streams_, strand_, opens);
  std::vector<std::string> answers;
  for (const Epoch epoch : {Epoch{2, 1}, Epoch{1, 0}}) {
    writer.open("s", epoch, [&](StorageResult<std::vector<Event>> result) {
      answers.push_back(result ? "opened" : result.error().message);
    });
  }
  EXPECT_EQ(strand_.size(), 0u);
  opens.run_all();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0], "opened");
  EXPECT_THAT(answers[1], testing::HasSubstr("was opened last at epoch"));
  EXPECT_EQ(writer.open_counters().batches, 1u);
}

// Independent transactions share a commit; one that is misuse does not fail the others.
TEST(RecordsWriterTest, CommitsTransactionsTogether) {
  MemoryRecords records;
  HandStrand strand;
  RecordsWriter writer(records, strand);
  std::vector<std::string> answers;
  const auto commit = [&](Transaction transaction) {
    writer.commit(std::move(transaction), [&](StorageResult<TransactionResult> result) {
      answers.push_back(!result ? "misuse" : result->committed ? "committed" : "refused");
    });
  };
  commit({{{"a", 0}}, {{"a", "1"}}});
  commit({{}, {{"", "no key"}}});
  commit({{{"a", 0}}, {{"a", "2"}}});
  commit({{{"a", std::nullopt}}, {{"b", "3"}}});
  strand.run_all();
  EXPECT_EQ(answers, (std::vector<std::string>{"misuse", "committed", "refused", "committed"}));
  EXPECT_EQ(writer.counters().batches, 1u);
  EXPECT_EQ(records.read("b").value()->value, "3");
}

// On real threads and a real disk: every request is answered once, in order, and syncs are shared.
TEST(GroupCommit, SharesSyncsBetweenThreads) {
  constexpr std::uint64_t appends = 50;
  const Place place("sqlite");
  auto storage = place.storage("a");
  const SystemClock clock;
  ThreadExecutor executor(clock);
  const auto strand = executor.make_strand("journal");
  std::atomic<std::uint64_t> answered = 0;
  std::atomic<std::uint64_t> failed = 0;
  WriterCounters counters;
  {
    JournalWriter writer(*storage.streams, *strand, *strand);
    std::vector<std::thread> threads;
    for (const std::string stream : {"s", "t", "u", "v"}) {
      ASSERT_TRUE(storage.streams->open(stream, {1, 1}));
      threads.emplace_back([&, stream] {
        for (std::uint64_t i = 1; i <= appends; ++i) {
          writer.append({stream, {1, 1}, i, {{.payload = "x"}}}, [&](StorageResult<void> result) {
            if (!result) ++failed;
            ++answered;
            answered.notify_all();
          });
        }
      });
    }
    for (auto& thread : threads) thread.join();
    for (auto now = answered.load(); now < 4 * appends; now = answered.load()) answered.wait(now);
    counters = writer.append_counters();
  }
  EXPECT_EQ(answered, 4 * appends);
  EXPECT_EQ(failed, 0u);
  EXPECT_EQ(counters.requests, 4 * appends);
  EXPECT_LT(counters.batches, 4 * appends);
  EXPECT_EQ(storage.streams->read("v").value().size(), appends);
}

// A writer that is destroyed while its strand works answers every request all the same.
TEST(GroupCommit, MayBeDestroyedWhileItsStrandWorks) {
  MemoryStreams streams;
  ASSERT_TRUE(streams.open("s", {1, 1}));
  const SystemClock clock;
  ThreadExecutor executor(clock);
  const auto strand = executor.make_strand("journal");
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> answered = 0;
    {
      JournalWriter writer(streams, *strand, *strand, {.batch_requests_max = 2});
      for (int i = 0; i < 10; ++i) {
        writer.append({"s", {1, 1}, 1, {}}, [&](const StorageResult<void>&) { ++answered; });
      }
    }
    ASSERT_EQ(answered, 10);
  }
}

}  // namespace
}  // namespace coterie::test
