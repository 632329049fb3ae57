// Task where task_test.cpp and task_stream_test.cpp leave off: the rest of what Elixir's
// task_test.exs checks, on virtual time.

#include <gtest/gtest.h>

#include <coterie/gen_server.hpp>
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
using test::wait_for_end;
using Numbers = std::vector<int>;

struct Go {};
int after_go(int value) {
  receive([](const Go&) {});
  return value;
}
/// A task of this process that has ended, its result and its end in the mailbox.
Task::Of<int> ended(std::move_only_function<int()> work) {
  const auto task = Task::async(std::move(work));
  wait_for_end(task.pid);
  return task;
}
Task::Of<int> ended_with(const ExitReason& reason) {
  return ended([reason]() -> int { exit(reason); });
}

// Result and Down have both come: every question gives the result, and nothing is left.
TEST(TaskElixir, AResultGoesBeforeTheEnd) {
  VirtualNode node;
  EXPECT_EQ(Task::yield(ended([] { return 1; }), 0s)->value(), 1);
  EXPECT_EQ(Task::yield_many(std::vector{ended([] { return 2; })}, 0s).at(0)->value(), 2);
  EXPECT_EQ(Task::shutdown(ended([] { return 3; }))->value(), 3);
  EXPECT_EQ(Task::shutdown(ended([] { return 4; }), Task::brutal_kill)->value(), 4);
  EXPECT_EQ(Task::ignore(ended([] { return 5; }))->value(), 5);
  EXPECT_EQ(Task::await(ended([] { return 6; }), 0s).value(), 6);
  receive([](const Exit&) {}, after(0s, [] {}));  // this thread traps
  EXPECT_FALSE(receive([](const Down&) { return true; }, after(0s, [] { return false; })));
}

TEST(TaskElixir, AwaitManyLeavesOtherMessagesAlone) {
  VirtualNode node;
  const Ref other{77};
  send(self(), Task::Reply<int>{other, 9});
  send(self(), Down{other, self(), ExitReason::term("goodbye")});
  const std::vector tasks{Task::async([] { return 1; }), Task::async([] { return 2; })};
  EXPECT_EQ(Task::await_many(tasks).value(), (Numbers{1, 2}));
  EXPECT_EQ(receive([](const Task::Reply<int>& r) { return r.value; }), 9);
  EXPECT_EQ(receive_down(other, 0s)->reason, ExitReason::term("goodbye"));
}

TEST(TaskElixir, AwaitManyRefusesATaskOfAnother) {
  VirtualNode node;
  std::optional<Task::Of<int>> foreign;
  run_process([&] { foreign = Task::async([] { return 1; }); });
  const std::vector tasks{Task::async([] { return after_go(1); }), *foreign};
  EXPECT_THROW(static_cast<void>(Task::await_many(tasks, 1ms)), std::invalid_argument);
  EXPECT_THROW(Task::yield_many(tasks, 1ms), std::invalid_argument);
  Task::shutdown(tasks[0]);
}

TEST(TaskElixir, AwaitManyEndsWithAnEndOfAnyKind) {
  VirtualNode node;
  trap_exit(true);
  const auto failed = [](auto end) {
    const auto ending = [end]() -> int {
      end();
      return 0;
    };
    const std::vector tasks{Task::async([] { return after_go(1); }), Task::async(ending)};
    const ExitReason reason = Task::await_many(tasks).error().reason();
    exit(tasks[0].pid, ExitReason::kill());
    wait_for_end(tasks[0].pid);
    return reason;
  };
  EXPECT_EQ(failed([] { exit(ExitReason::normal()); }), ExitReason::normal());
  EXPECT_EQ(failed([] { throw std::runtime_error("oops"); }),
            ExitReason::error("std::runtime_error", "oops"));
  EXPECT_EQ(failed([] { exit(ExitReason::killed()); }), ExitReason::killed());
  EXPECT_FALSE(receive([](const Down&) { return true; }, after(0s, [] { return false; })));
}

TEST(TaskElixir, YieldManyReturnsOnceAllHaveEnded) {
  VirtualNode node;
  const std::vector tasks{Task::async([] { return 1; })};
  const auto results = Task::yield_many(tasks, {.timeout = infinity, .limit = 2});
  EXPECT_EQ(results.at(0)->value(), 1);
  EXPECT_TRUE(Task::yield_many(std::vector<Task::Of<int>>{}, infinity).empty());
}

TEST(TaskElixir, ALimitOfYieldManyLeavesTheRestForLater) {
  VirtualNode node;
  trap_exit(true);
  const std::vector tasks{ended([] { return 1; }), Task::async([] { return after_go(2); }),
                          ended_with(ExitReason::term("oops"))};
  const auto first = Task::yield_many(tasks, {.timeout = infinity, .limit = 1});
  EXPECT_EQ(first.at(0)->value(), 1);
  EXPECT_FALSE(first.at(1));
  EXPECT_FALSE(first.at(2));
  const auto second =
      Task::yield_many(std::vector{tasks[1], tasks[2]}, {.timeout = infinity, .limit = 1});
  EXPECT_FALSE(second.at(0));
  EXPECT_EQ(second.at(1)->error(), ExitReason::term("oops"));
  send(tasks[1].pid, Go{});
  EXPECT_EQ(Task::await(tasks[1]).value(), 2);
}

// Which ends of a task that was told to end are news.
TEST(TaskElixir, ShutdownTellsOfUnexpectedEnds) {
  VirtualNode node;
  trap_exit(true);
  using Result = std::optional<Task::Result<int>>;
  const auto asked = [](const ExitReason& reason) -> Result {
    return Task::shutdown(ended_with(reason));
  };
  const auto killed = [](const ExitReason& reason) -> Result {
    return Task::shutdown(ended_with(reason), Task::brutal_kill);
  };
  EXPECT_FALSE(asked(ExitReason::shutdown()));
  EXPECT_EQ(asked(ExitReason::killed())->error(), ExitReason::killed());
  EXPECT_EQ(asked(ExitReason::normal())->error(), ExitReason::normal());
  EXPECT_FALSE(killed(ExitReason::killed()));
  EXPECT_EQ(killed(ExitReason::shutdown())->error(), ExitReason::shutdown());
  EXPECT_EQ(killed(ExitReason::term("abnormal"))->error(), ExitReason::term("abnormal"));
  const auto handled = ended([] { return 1; });
  EXPECT_EQ(Task::await(handled).value(), 1);
  EXPECT_EQ(Task::shutdown(handled, Task::brutal_kill)->error(), ExitReason::noproc());
}

TEST(TaskElixir, StartLinkKnowsItsCallersToo) {
  VirtualNode node;
  Task::start_link([to = self(), grandparent = self()] {
    EXPECT_EQ(callers(), std::vector<Pid>{grandparent});
    Task::start_link([to, parent = self(), grandparent] {
      EXPECT_EQ(callers(), (std::vector<Pid>{parent, grandparent}));
      send(to, Go{});
    });
    receive([](const Go&) {}, after(1s, [] {}));
  });
  EXPECT_TRUE(receive([](const Go&) { return true; }, after(2s, [] { return false; })));
}

// "Process Label" of Elixir's report.
TEST(TaskElixir, ACrashShowsTheLabel) {
  VirtualNode node;
  wait_for_end(Task::start([] {
    set_label("import of customers");
    throw std::runtime_error("oops");
  }));
  EXPECT_EQ(node.sink.entries().at(0).field("name"), "import of customers");
}

// Two streams read in turns: each keeps its own tasks, results and order.
TEST(TaskElixir, StreamsCanBeReadInTurns) {
  VirtualNode node;
  trap_exit(true);
  const auto zipped = [](auto work) {
    auto one = Task::async_stream(Numbers{4, 3, 2, 1}, work, {.max_concurrency = 2});
    auto two = Task::async_stream(Numbers{4, 3, 2, 1}, work, {.max_concurrency = 4});
    const auto text = [](const auto& result) {
      return result ? std::to_string(*result) : to_string(result.error());
    };
    std::string pairs;
    auto other = two.begin();
    for (auto& result : one) {
      pairs += text(result) + '=' + text(*other) + ' ';
      ++other;
    }
    return pairs;
  };
  EXPECT_EQ(zipped(sleep_ms), "4=4 3=3 2=2 1=1 ");
  EXPECT_EQ(zipped(fail_with), "4=4 3=3 2=2 1=1 ");
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

// The tasks belong to who reads, not to who made the stream.
TEST(TaskElixir, AStreamIsReadByAnotherProcess) {
  VirtualNode node;
  const Pid maker = self();
  auto stream = Task::async_stream(Numbers{1, 2, 3}, [maker](int n) {
    EXPECT_NE(callers().at(0), maker);
    return n;
  });
  EXPECT_EQ(run_process([&stream] { exit(ExitReason::term(read(stream))); }),
            ExitReason::term("1 2 3"));
  EXPECT_TRUE(info().links.empty());
}

TEST(TaskElixir, AStreamMayBeLeftEarly) {
  VirtualNode node;
  trap_exit(true);
  const Numbers eight{8, 7, 6, 5, 4, 3, 2, 1};
  for (const std::size_t concurrency : {2, 4, 8}) {
    const Task::StreamOptions options{.max_concurrency = concurrency};
    EXPECT_EQ(read(Task::async_stream(eight, sleep_ms, options), 4), "8 7 6 5");
    EXPECT_EQ(read(Task::async_stream(eight, fail_with, options), 4),
              "exit 8 exit 7 exit 6 exit 5");
  }
  sleep(1s);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_TRUE(info().links.empty());
}

TEST(TaskElixir, AStreamZipsInputsOfFailures) {
  VirtualNode node;
  trap_exit(true);
  std::string text;
  std::size_t left = 4;
  for (auto& result : Task::async_stream(Numbers{1, 2, 3, 4, 5, 6, 7, 8}, fail_with,
                                         {.max_concurrency = 2, .zip_input_on_exit = true})) {
    text += std::to_string(result.input.value()) + ':' + to_string(result.error()) + ' ';
    if (--left == 0) break;
  }
  EXPECT_EQ(text, "1:1 2:2 3:3 4:4 ");
}

TEST(TaskElixir, AStreamWaitsForEver) {
  VirtualNode node;
  EXPECT_EQ(read(Task::async_stream(Numbers{100'000}, sleep_ms, {.timeout = infinity})), "100000");
}

}  // namespace
}  // namespace coterie
