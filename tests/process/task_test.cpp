// Task: what Elixir's task_test.exs checks, on virtual time. Row 1 (one-off work), row 55.

#include <gtest/gtest.h>

#include <coterie/gen_server.hpp>
#include <coterie/task.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_process;
using test::VirtualNode;
using test::wait_for_end;

struct Go {};
void wait_for_go() {
  receive([](const Go&) {});
}
int after_go(int value) {
  wait_for_go();
  return value;
}

TEST(Task, IsLinkedMonitoredAndSendsItsResult) {
  VirtualNode node;
  const auto task = Task::async([] { return after_go(7); });
  EXPECT_EQ(task.owner, self());
  EXPECT_EQ(info().links, std::vector<Pid>{task.pid});
  send(task.pid, Go{});
  receive([&](const Task::Reply<int>& reply) {
    EXPECT_EQ(reply.ref, task.ref);
    EXPECT_EQ(reply.value, 7);
  });
  receive([&](const Down& down) {
    EXPECT_EQ(down.ref, task.ref);
    EXPECT_EQ(down.reason, ExitReason::normal());
  });
}

TEST(Task, AwaitReturnsTheResultAndLeavesNothingBehind) {
  VirtualNode node;
  trap_exit(false);
  const auto text = Task::async([] { return std::string("done"); });
  EXPECT_EQ(Task::await(text).value(), "done");
  EXPECT_EQ(Task::await(Task::async([] {})).value(), Nothing());
  EXPECT_EQ(**Task::await(Task::async([] { return std::make_unique<int>(3); })), 3);
  sleep(1s);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_TRUE(info().monitors.empty());
}

// Case 22: only the owner may ask.
TEST(Task, OthersThanTheOwnerMayNotAsk) {
  VirtualNode node;
  const auto task = Task::async([] { return after_go(1); });
  const auto asks = [](auto question) {
    return run_process([question]() mutable {
      try {
        question();
      } catch (const std::invalid_argument& refused) {
        exit(ExitReason::term(refused.what()));
      }
    });
  };
  const auto refused = [&](const ExitReason& reason) {
    return reason.term().find("must be queried from its owner") != std::string::npos;
  };
  EXPECT_TRUE(refused(asks([task] { static_cast<void>(Task::await(task, 1ms)); })));
  EXPECT_TRUE(refused(asks([task] { Task::yield(task, 1ms); })));
  EXPECT_TRUE(refused(asks([task] { Task::yield_many(std::vector{task}, 1ms); })));
  EXPECT_TRUE(
      refused(asks([task] { static_cast<void>(Task::await_many(std::vector{task}, 1ms)); })));
  EXPECT_TRUE(refused(asks([task] { Task::shutdown(task); })));
  EXPECT_TRUE(refused(asks([task] { Task::ignore(task); })));
  send(task.pid, Go{});
  EXPECT_EQ(Task::await(task).value(), 1);
}

TEST(Task, AwaitStopsAfterFiveSecondsAndALateResultIsDropped) {
  VirtualNode node;
  trap_exit(false);
  const auto task = Task::async([] { return after_go(1); });
  const auto late = Task::await(task);
  EXPECT_EQ(late.error().code(), CallError::Code::timeout);
  EXPECT_EQ(late.error().reason(), ExitReason::term("timeout"));
  EXPECT_GE(node.elapsed(), 5s);
  EXPECT_LT(node.elapsed(), 5100ms);
  send(task.pid, Go{});
  wait_for_end(task.pid);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_EQ(node.runtime.counters().late_replies, 1u);
}

// .value() lets the caller crash, as OTP's await does; the link takes the task with it.
TEST(Task, ValueOfATimeoutEndsTheCallerAndTheTask) {
  VirtualNode node;
  Pid task;
  const ExitReason reason = run_process([&task] {
    const auto slow = Task::async([] { sleep(infinity); });
    task = slow.pid;
    Task::await(slow, 10ms).value();
  });
  EXPECT_EQ(reason, ExitReason::term("timeout"));
  wait_for_end(task);
  EXPECT_FALSE(is_alive(task));
}

TEST(Task, ItsDeathEndsTheCallerWithTheSameReason) {
  VirtualNode node;
  // Trapping, so that it is the await that ends the caller, and not the link.
  const auto owner = [](auto work) {
    return run_process([work] { Task::await(Task::async(work)).value(); }, {.trap_exit = true});
  };
  EXPECT_EQ(owner([] { exit(ExitReason::term("unknown")); }), ExitReason::term("unknown"));
  EXPECT_EQ(owner([] { throw std::runtime_error("oops"); }),
            ExitReason::error("std::runtime_error", "oops"));
  EXPECT_FALSE(owner([] { exit(ExitReason::normal()); }).is_clean());
  // Without trapping the link does it.
  EXPECT_EQ(run_process([] {
              Task::async([] { exit(ExitReason::term("by link")); });
              sleep(infinity);
            }),
            ExitReason::term("by link"));
}

TEST(Task, ADeadTaskSaysHowItEnded) {
  VirtualNode node;
  trap_exit(true);
  const auto crashed = Task::await(Task::async([]() -> int { throw std::runtime_error("oops"); }));
  EXPECT_EQ(crashed.error().code(), CallError::Code::exited);
  EXPECT_EQ(crashed.error().reason(), ExitReason::error("std::runtime_error", "oops"));
  const auto quiet = Task::yield(Task::async([]() -> int { exit(ExitReason::normal()); }));
  EXPECT_EQ(quiet->error(), ExitReason::normal());
}

TEST(Task, CompletedHasItsResultFromTheStart) {
  VirtualNode node;
  const auto task = Task::completed(std::string("done"));
  EXPECT_FALSE(task.pid);
  EXPECT_EQ(Task::await(task).value(), "done");
  EXPECT_EQ(Task::ignore(Task::completed(1))->value(), 1);
  EXPECT_EQ(Task::shutdown(Task::completed(2))->value(), 2);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST(Task, StartIsUnlinkedAndStartLinkIsLinked) {
  VirtualNode node;
  trap_exit(false);
  const Pid lone = Task::start([] { wait_for_go(); });
  EXPECT_TRUE(info().links.empty());
  const Pid linked = Task::start_link([] { wait_for_go(); });
  EXPECT_EQ(info().links, std::vector<Pid>{linked});
  send(lone, Go{});
  send(linked, Go{});
  wait_for_end(lone);
  wait_for_end(linked);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

// $callers: kept from task to task, shown where one crashes.
TEST(Task, KnowsWhoAskedForIt) {
  VirtualNode node;
  const Pid grandparent = self();
  const auto chains = Task::await(Task::async([] {
                        const auto mine = callers();
                        const auto below = Task::await(Task::async([] { return callers(); }));
                        return std::tuple(self(), mine, below.value());
                      })).value();
  const auto& [parent, mine, below] = chains;
  EXPECT_EQ(mine, std::vector<Pid>{grandparent});
  EXPECT_EQ(below, (std::vector<Pid>{parent, grandparent}));
  EXPECT_TRUE(callers().empty());

  wait_for_end(Task::start([] { throw std::runtime_error("boom"); }));
  const auto entries = node.sink.entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].field("callers"), "[" + to_string(grandparent, grandparent.node) + "]");
}

TEST(TaskIgnore, ReturnsWhatIsHereAndDropsWhatIsLate) {
  VirtualNode node;
  trap_exit(true);
  const auto early = Task::async([] { return 1; });
  wait_for_end(early.pid);
  EXPECT_EQ(Task::ignore(early)->value(), 1);
  const auto failed = Task::async([]() -> int { exit(ExitReason::term("oops")); });
  wait_for_end(failed.pid);
  EXPECT_EQ(Task::ignore(failed)->error(), ExitReason::term("oops"));
  const auto late = Task::async([] { return after_go(3); });
  EXPECT_FALSE(Task::ignore(late));
  send(late.pid, Go{});
  wait_for_end(late.pid);
  EXPECT_FALSE(receive(
      [](const Task::Reply<int>&) { return true; },
      when([&](const Down& d) { return d.ref == late.ref; }, [](const Down&) { return true; }),
      after(0s, [] { return false; })));
  EXPECT_EQ(Task::await(late, 0s).error().code(), CallError::Code::timeout);
}

TEST(TaskYield, CanBeAskedAgain) {
  VirtualNode node;
  const auto task = Task::async([] { return after_go(4); });
  EXPECT_FALSE(Task::yield(task, 10ms));
  send(task.pid, Go{});
  EXPECT_EQ(Task::yield(task)->value(), 4);
  EXPECT_FALSE(Task::yield(task, 0s));
}

TEST(TaskAwaitMany, KeepsTheOrderOfTheTasks) {
  VirtualNode node;
  std::vector<Task::Of<int>> tasks;
  for (int i : {3, 1, 2}) {
    tasks.push_back(Task::async([i] {
      sleep(i * 1ms);
      return i;
    }));
  }
  EXPECT_EQ(Task::await_many(tasks).value(), (std::vector{3, 1, 2}));
  EXPECT_TRUE(Task::await_many(std::vector<Task::Of<int>>{}).value().empty());
}

TEST(TaskAwaitMany, EndsWithTheFirstFailure) {
  VirtualNode node;
  trap_exit(true);
  const std::vector tasks{Task::async([] { return after_go(1); }),
                          Task::async([]() -> int { exit(ExitReason::term("unknown")); })};
  const auto failed = Task::await_many(tasks);
  EXPECT_EQ(failed.error().reason(), ExitReason::term("unknown"));
  EXPECT_EQ(node.elapsed(), 0s);
  exit(tasks[0].pid, ExitReason::kill());
  wait_for_end(tasks[0].pid);
  EXPECT_FALSE(receive([](const Down&) { return true; }, after(0s, [] { return false; })));
}

TEST(TaskAwaitMany, HasOneTimeoutForAll) {
  VirtualNode node;
  std::vector<Task::Of<int>> tasks;
  for (int i : {1, 2, 3}) {
    tasks.push_back(Task::async([i] {
      sleep(i * 30ms);
      return i;
    }));
  }
  const auto late = Task::await_many(tasks, 70ms);
  EXPECT_EQ(late.error().code(), CallError::Code::timeout);
  EXPECT_LT(node.elapsed(), 80ms);
}

TEST(TaskYieldMany, ReturnsWhatHasEndedInTime) {
  VirtualNode node;
  trap_exit(true);
  const std::vector tasks{Task::async([] { return 1; }), Task::async([] { return after_go(2); }),
                          Task::async([]() -> int { exit(ExitReason::normal()); })};
  auto results = Task::yield_many(tasks, 10ms);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0]->value(), 1);
  EXPECT_FALSE(results[1]);
  EXPECT_EQ(results[2]->error(), ExitReason::normal());
  EXPECT_TRUE(is_alive(tasks[1].pid));
  results = Task::yield_many(std::vector{tasks[1]},
                             {.timeout = 0s, .on_timeout = Task::YieldTimeout::ignore});
  EXPECT_FALSE(results[0]);
  EXPECT_TRUE(is_alive(tasks[1].pid));
  send(tasks[1].pid, Go{});
  wait_for_end(tasks[1].pid);
  EXPECT_FALSE(Task::yield(tasks[1], 0s));
}

TEST(TaskYieldMany, KillsTheLateOnesIfTold) {
  VirtualNode node;
  trap_exit(true);
  const std::vector tasks{Task::async([] { return after_go(1); }), Task::async([] { return 2; })};
  const auto limited = Task::yield_many(
      tasks, {.timeout = infinity, .limit = 1, .on_timeout = Task::YieldTimeout::kill_task});
  EXPECT_FALSE(limited[0]);
  EXPECT_EQ(limited[1]->value(), 2);
  EXPECT_TRUE(is_alive(tasks[0].pid));  // the limit was reached, not the timeout
  const auto late = Task::yield_many(std::vector{tasks[0]},
                                     {.timeout = 0s, .on_timeout = Task::YieldTimeout::kill_task});
  EXPECT_FALSE(late[0]);
  EXPECT_FALSE(is_alive(tasks[0].pid));
}

TEST(TaskShutdown, EndsTheTaskOrReturnsWhatRacedIn) {
  VirtualNode node;
  trap_exit(false);
  const auto sleeper = Task::async([] { sleep(infinity); });
  EXPECT_FALSE(Task::shutdown(sleeper));
  EXPECT_FALSE(is_alive(sleeper.pid));
  const auto ready = Task::async([] { return 1; });
  wait_for_end(ready.pid);
  EXPECT_EQ(Task::shutdown(ready)->value(), 1);
  const auto killed = Task::async([] { sleep(infinity); });
  EXPECT_FALSE(Task::shutdown(killed, Task::brutal_kill));
  const auto done = Task::async([] { return 1; });
  EXPECT_EQ(Task::await(done).value(), 1);
  wait_for_end(done.pid);
  EXPECT_EQ(Task::shutdown(done)->error(), ExitReason::noproc());
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST(TaskShutdown, KillsATaskThatDoesNotEnd) {
  VirtualNode node;
  const auto stubborn = [] {
    auto task = Task::async([] {
      trap_exit(true);
      for (;;) receive([](const Exit&) {});
    });
    sleep(1ms);  // it traps by now
    return task;
  };
  EXPECT_EQ(Task::shutdown(stubborn(), 10ms)->error(), ExitReason::killed());
  EXPECT_GE(node.elapsed(), 10ms);
  EXPECT_FALSE(Task::shutdown(stubborn(), Task::brutal_kill));
}

TEST(TaskShutdown, TellsHowADeadTaskEnded) {
  VirtualNode node;
  trap_exit(true);
  const auto ended = [](const ExitReason& reason) {
    auto task = Task::async([reason]() -> int { exit(reason); });
    wait_for_end(task.pid);
    return task;
  };
  EXPECT_EQ(Task::shutdown(ended(ExitReason::term("abnormal")))->error(),
            ExitReason::term("abnormal"));
  EXPECT_EQ(Task::shutdown(ended(ExitReason::normal()))->error(), ExitReason::normal());
  EXPECT_FALSE(Task::shutdown(ended(ExitReason::shutdown())));
  EXPECT_EQ(Task::shutdown(ended(ExitReason::shutdown()), Task::brutal_kill)->error(),
            ExitReason::shutdown());
}

// A server does not wait: the answer comes as a message.
class Kitchen final : public GenServer {
 public:
  struct Cook {
    using Reply = Nothing;
  };
  struct Dishes {
    using Reply = int;
  };
  using Calls = Messages<Cook, Dishes>;
  using Infos = Messages<Task::Reply<int>, Down>;

  Nothing handle_call(const Cook&) {
    cooking_ = Task::async([] {
                 sleep(1s);
                 return 5;
               }).ref;
    return {};
  }
  int handle_call(const Dishes&) { return dishes_; }
  void handle_info(const Task::Reply<int>& reply) {
    if (reply.ref != cooking_) return;
    demonitor(reply.ref);
    dishes_ += reply.value;
  }
  void handle_info(const Down&) { dishes_ = -1; }

 private:
  Ref cooking_ = Ref::none;
  int dishes_ = 0;
};

TEST(Task, AServerTakesTheResultAsAMessage) {
  VirtualNode node;
  const Pid kitchen = GenServer::start<Kitchen>({}).value();
  EXPECT_TRUE(call(kitchen, Kitchen::Cook{}));
  EXPECT_EQ(call(kitchen, Kitchen::Dishes{}).value(), 0);
  sleep(2s);
  EXPECT_EQ(call(kitchen, Kitchen::Dishes{}).value(), 5);
}

// A thread traps exits without having asked for it: it must not collect an Exit for each task.
TEST(Task, AThreadKeepsNoExitOfTheTasksThatItAwaited) {
  VirtualNode node;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Task::await(Task::async([i] { return i; })).value(), i);
  EXPECT_FALSE(Task::await(Task::async([]() -> int { throw std::runtime_error("x"); })));
  EXPECT_EQ(Task::yield(Task::async([] { return 1; }))->value(), 1);
  sleep(1s);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_TRUE(info().links.empty());
}

TEST(Alias, AClosedOneTakesNothing) {
  VirtualNode node;
  const Alias open = alias();
  send(open, Go{});
  send(open, Go{});
  receive([](const Go&) {});
  EXPECT_TRUE(unalias(open));
  EXPECT_FALSE(unalias(open));
  send(open, Go{});
  receive([](const Go&) {});
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  const Alias once = alias(AliasUse::once);
  send(once, Go{});
  send(once, Go{});
  receive([](const Go&) {});
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_EQ(node.runtime.counters().late_replies, 2u);
}

TEST(Alias, AMonitorIsOneUntilItEnds) {
  VirtualNode node;
  const Pid other = spawn([] { sleep(infinity); });
  const Ref ref = monitor(other);
  send(Alias{self(), ref}, Go{});
  receive([](const Go&) {});
  demonitor(ref);
  send(Alias{self(), ref}, Go{});
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

}  // namespace
}  // namespace coterie
