// Task::async_stream: order, concurrency, timeouts, exits, and what is left when nobody reads on.
// Case 22 of the conformance list; after Elixir's task_test.exs.

#include <gtest/gtest.h>

#include <algorithm>
#include <ranges>

#include <coterie/task.hpp>

#include "tests/process/sim_fixture.hpp"
#include "tests/process/task_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::fail_with;
using test::read;
using test::run_process;
using test::sleep_ms;
using test::VirtualNode;
using Numbers = std::vector<int>;

class TaskStream : public testing::TestWithParam<std::size_t> {
 protected:
  Task::StreamOptions options{.max_concurrency = GetParam()};
  VirtualNode node;
};
INSTANTIATE_TEST_SUITE_P(Concurrency, TaskStream, testing::Values(4, 2, 8, 1));

TEST_P(TaskStream, GivesResultsInTheOrderOfTheInputs) {
  EXPECT_EQ(read(Task::async_stream(Numbers{1, 2, 3, 4}, sleep_ms, options)), "1 2 3 4");
  EXPECT_EQ(read(Task::async_stream(Numbers{4, 3, 2, 1}, sleep_ms, options)), "4 3 2 1");
  EXPECT_EQ(read(Task::async_stream(Numbers{}, sleep_ms, options)), "");
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_TRUE(info().links.empty());
}

TEST_P(TaskStream, GivesExitsToAReaderThatTraps) {
  trap_exit(true);
  EXPECT_EQ(read(Task::async_stream(Numbers{1, 2, 3, 4}, fail_with, options)),
            "exit 1 exit 2 exit 3 exit 4");
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST_P(TaskStream, EndsItsTasksWhenNobodyReadsOn) {
  const std::size_t before = list().size();
  EXPECT_EQ(read(Task::async_stream(Numbers{0, 100'000, 100'000, 100'000}, sleep_ms, options), 1),
            "0");
  EXPECT_TRUE(info().links.empty());
  sleep(1ms);
  EXPECT_EQ(list().size(), before);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST_P(TaskStream, KillsTasksThatTakeTooLong) {
  options.timeout = 50ms;
  options.on_timeout = Task::StreamTimeout::kill_task;
  EXPECT_EQ(read(Task::async_stream(Numbers{100, 1, 100, 1}, sleep_ms, options)),
            "exit timeout 1 exit timeout 1");
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST_P(TaskStream, ZipsTheInputOfAnExit) {
  options.timeout = 50ms;
  options.on_timeout = Task::StreamTimeout::kill_task;
  options.zip_input_on_exit = true;
  std::vector<std::optional<int>> inputs;
  for (auto& result : Task::async_stream(Numbers{1, 100}, sleep_ms, options)) {
    inputs.push_back(result.input);
  }
  EXPECT_EQ(inputs, (std::vector<std::optional<int>>{std::nullopt, 100}));
}

TEST_P(TaskStream, NeverRunsMoreThanItsConcurrency) {
  std::atomic<std::size_t> running = 0;
  std::size_t most = 0;
  const auto counted = [&](int ms) {
    most = std::max(most, ++running);
    sleep_ms(ms);
    --running;
    return ms;
  };
  read(Task::async_stream(Numbers{5, 1, 4, 1, 5, 9, 2, 6, 5, 3}, counted, options));
  EXPECT_EQ(most, GetParam());
}

TEST(TaskStreamOptions, UnorderedGivesResultsAsTheyCome) {
  VirtualNode node;
  const Numbers inputs{400, 300, 200, 100};
  EXPECT_EQ(read(Task::async_stream(inputs, sleep_ms, {.max_concurrency = 1, .ordered = false})),
            "400 300 200 100");
  EXPECT_EQ(read(Task::async_stream(inputs, sleep_ms, {.max_concurrency = 4, .ordered = false})),
            "100 200 300 400");
  EXPECT_EQ(read(Task::async_stream(Numbers{100, 1, 100, 2}, sleep_ms,
                                    {.max_concurrency = 4,
                                     .ordered = false,
                                     .timeout = 50ms,
                                     .on_timeout = Task::StreamTimeout::kill_task})),
            "1 2 exit timeout exit timeout");
}

// on_timeout exit, the default: the reader exits with timeout, its tasks with it.
TEST(TaskStreamOptions, ATimeoutEndsTheReader) {
  VirtualNode node;
  const std::size_t before = list().size();
  EXPECT_EQ(run_process([] {
              read(Task::async_stream(Numbers{100'000, 100'000}, sleep_ms));
            }),
            ExitReason::term("timeout"));
  sleep(1ms);
  EXPECT_EQ(list().size(), before);
  try {
    read(Task::async_stream(Numbers{100}, sleep_ms, {.timeout = 0s}));
    ADD_FAILURE() << "an attached thread cannot exit: it must throw";
  } catch (const std::bad_expected_access<ExitReason>& ended) {
    EXPECT_EQ(ended.error(), ExitReason::term("timeout"));
  }
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST(TaskStreamOptions, AFailureEndsAReaderThatDoesNotTrap) {
  VirtualNode node;
  EXPECT_EQ(run_process([] { read(Task::async_stream(Numbers{1}, fail_with)); }),
            ExitReason::term("1"));
}

TEST(TaskStreamOptions, RefusesNoConcurrencyAtAll) {
  VirtualNode node;
  EXPECT_THROW(Task::async_stream(Numbers{1}, sleep_ms, {.max_concurrency = 0}),
               std::invalid_argument);
}

TEST(TaskStreamOptions, IsLazyAndReadsEndlessInputs) {
  VirtualNode node;
  int read_inputs = 0;
  auto inputs = std::views::iota(1) | std::views::transform([&](int i) {
                  ++read_inputs;
                  return i;
                });
  auto stream = Task::async_stream(inputs, sleep_ms, {.max_concurrency = 2});
  EXPECT_EQ(read_inputs, 0);
  EXPECT_EQ(read(stream, 4), "1 2 3 4");
  EXPECT_LE(read_inputs, 7);
}

TEST(TaskStreamOptions, FailingInputsEndTheTasks) {
  VirtualNode node;
  const std::size_t before = list().size();
  auto inputs = std::views::iota(1) | std::views::transform([&](int i) {
                  return i < 3 ? 1000 : throw std::runtime_error("no more inputs");
                });
  EXPECT_THROW(read(Task::async_stream(inputs, sleep_ms, {.max_concurrency = 4})),
               std::runtime_error);
  sleep(1ms);
  EXPECT_EQ(list().size(), before);
}

TEST(TaskStreamOptions, TasksKnowWhoReads) {
  VirtualNode node;
  for (auto& result : Task::async_stream(Numbers{1}, [](int) { return callers(); })) {
    EXPECT_EQ(result.value(), std::vector<Pid>{self()});
  }
}

TEST(TaskStreamOptions, DownsOfOthersAreNoneOfItsOwn) {
  VirtualNode node;
  const Pid me = self();
  EXPECT_EQ(read(Task::async_stream(Numbers{1, 2},
                                    [me](int n) {
                                      send(me, Down{Ref{77}, self(), ExitReason::term("oops")});
                                      return n;
                                    })),
            "1 2");
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(receive_down(Ref{77}, 0s)->reason, ExitReason::term("oops"));
}

TEST(TaskStreamOptions, IsARange) {
  VirtualNode node;
  auto stream = Task::async_stream(Numbers{1, 2, 3}, sleep_ms);
  static_assert(std::ranges::input_range<decltype(stream)>);
  int sum = 0;
  for (const int value : stream | std::views::transform([](auto& r) { return r.value(); })) {
    sum += value;
  }
  EXPECT_EQ(sum, 6);
}

TEST(TaskStreamOptions, MovesInputsThatCannotBeCopied) {
  VirtualNode node;
  std::vector<std::unique_ptr<int>> inputs;
  inputs.push_back(std::make_unique<int>(3));
  auto moved = std::ranges::subrange(std::make_move_iterator(inputs.begin()),
                                     std::make_move_iterator(inputs.end()));
  EXPECT_EQ(read(Task::async_stream(moved, [](std::unique_ptr<int> p) { return *p; })), "3");
}

}  // namespace
}  // namespace coterie
