// TaskSupervisor: what Elixir's task/supervisor_test.exs checks, on virtual time.

#include <gtest/gtest.h>

#include <coterie/supervisor.hpp>
#include <coterie/task_supervisor.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_process;
using test::VirtualNode;
using test::wait_for_end;
using Numbers = std::vector<int>;
using Pids = std::vector<Pid>;

struct Go {};
struct Ready {
  Pid pid;
};
int tell_and_wait(const Pid& whom) {
  send(whom, Ready{self()});
  receive([](const Go&) {});
  return 7;
}
int sleep_ms(int ms) {
  sleep(ms * 1ms);
  return ms;
}
int fail_with(int reason) { exit(ExitReason::term(std::to_string(reason))); }
Pid ready() {
  return receive([](const Ready& m) { return m.pid; });
}
ExitReason end_of(const Task::Of<int>& task) {
  return receive(when([&](const Down& down) { return down.ref == task.ref; },
                      [](const Down& down) { return down.reason; }));
}

class TaskSupervisorTest : public testing::Test {
 protected:
  VirtualNode node;
  Pid supervisor = TaskSupervisor::start({.max_children = 8}).value();
  Pid me = self();
};

TEST_F(TaskSupervisorTest, AsyncStartsALinkedChild) {
  const auto task =
      TaskSupervisor::async(supervisor, [me = me] { return tell_and_wait(me); }).value();
  EXPECT_EQ(TaskSupervisor::children(supervisor).value(), Pids{task.pid});
  EXPECT_EQ(info().links, Pids{task.pid});
  EXPECT_EQ(ready(), task.pid);
  send(task.pid, Go{});
  EXPECT_EQ(Task::await(task).value(), 7);
  wait_for_end(task.pid);
  EXPECT_TRUE(TaskSupervisor::children(supervisor)->empty());
  EXPECT_EQ(DynamicSupervisor::count_children(supervisor)->specs, 0u);
}

TEST_F(TaskSupervisorTest, AsyncNolinkFailsAlone) {
  trap_exit(false);
  const auto task = TaskSupervisor::async_nolink(supervisor, [] { return fail_with(3); }).value();
  EXPECT_TRUE(info().links.empty());
  EXPECT_EQ(Task::yield(task)->error(), ExitReason::term("3"));
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST_F(TaskSupervisorTest, AFailedAsyncEndsItsOwner) {
  const auto reason = run_process([supervisor = supervisor] {
    auto failing = TaskSupervisor::async(supervisor, [] { return fail_with(3); });
    sleep(failing ? infinity : 0s);
  });
  EXPECT_EQ(reason, ExitReason::term("3"));
  EXPECT_TRUE(is_alive(supervisor));
}

TEST_F(TaskSupervisorTest, TheEndOfItsOwnerEndsALinkedTaskOnly) {
  const Pid parent = me;
  run_process([supervisor = supervisor, parent] {
    const auto linked = TaskSupervisor::async(supervisor, [parent] { tell_and_wait(parent); });
    const auto lone = TaskSupervisor::async_nolink(supervisor, [parent] { tell_and_wait(parent); });
    sleep(1ms);
    exit(ExitReason::term(linked && lone ? "gone" : "not started"));
  });
  const Pid first = ready();
  const Pid second = ready();
  sleep(1ms);
  EXPECT_NE(is_alive(first), is_alive(second));
}

TEST_F(TaskSupervisorTest, MaxChildrenIsAnAnswer) {
  const Pid small = TaskSupervisor::start({.max_children = 1}).value();
  const auto one = TaskSupervisor::async(small, [] { sleep(infinity); });
  ASSERT_TRUE(one);
  const auto two = TaskSupervisor::async_nolink(small, [] {});
  EXPECT_EQ(two.error().code, ChildError::Code::max_children);
  EXPECT_EQ(TaskSupervisor::start_child(small, [] {}).error().code, ChildError::Code::max_children);
}

TEST_F(TaskSupervisorTest, ShutdownOfAChildIsItsOwnChoice) {
  const auto stubborn = [] {
    trap_exit(true);
    sleep(infinity);
    return 0;
  };
  const auto brutal =
      TaskSupervisor::async_nolink(supervisor, stubborn, Shutdown::brutal_kill()).value();
  const auto patient = TaskSupervisor::async_nolink(supervisor, stubborn, 2s).value();
  sleep(1ms);
  spawn([supervisor = supervisor] {
    static_cast<void>(GenServer::stop(supervisor, ExitReason::shutdown(), infinity));
  });
  EXPECT_EQ(end_of(brutal), ExitReason::killed());
  const Duration killed = node.elapsed();
  EXPECT_EQ(end_of(patient), ExitReason::killed());
  EXPECT_GE(node.elapsed() - killed, 1900ms);
}

TEST_F(TaskSupervisorTest, StartChildIsTemporaryUnlessToldOtherwise) {
  const Pid once =
      TaskSupervisor::start_child(supervisor, [me = me] { tell_and_wait(me); }).value();
  EXPECT_EQ(ready(), once);
  EXPECT_TRUE(info().links.empty());
  exit(once, ExitReason::term("crash"));
  wait_for_end(once);
  EXPECT_TRUE(TaskSupervisor::children(supervisor)->empty());

  const Pid again = TaskSupervisor::start_child(supervisor, [me = me] { tell_and_wait(me); },
                                                {.restart = Restart::permanent})
                        .value();
  EXPECT_EQ(ready(), again);
  exit(again, ExitReason::shutdown());
  EXPECT_NE(ready(), again);
}

TEST_F(TaskSupervisorTest, TerminateChildStopsIt) {
  const Pid task =
      TaskSupervisor::start_child(supervisor, [me = me] { tell_and_wait(me); }).value();
  EXPECT_TRUE(TaskSupervisor::terminate_child(supervisor, task));
  EXPECT_FALSE(is_alive(task));
  EXPECT_EQ(TaskSupervisor::terminate_child(supervisor, task).error().code,
            ChildError::Code::not_found);
}

TEST_F(TaskSupervisorTest, ChildrenKnowCallersAndAncestors) {
  const auto lines = [] { return std::pair(callers(), info().ancestors); };
  const auto task = TaskSupervisor::async(supervisor, lines).value();
  EXPECT_EQ(Task::await(task).value(), std::pair(Pids{me}, (Pids{supervisor, me})));
  TaskSupervisor::start_child(supervisor, [me = me] { send(me, Ready{callers().at(0)}); }).value();
  EXPECT_EQ(ready(), me);
}

TEST_F(TaskSupervisorTest, StreamsBelowTheSupervisor) {
  const auto read = [](auto&& stream) {
    std::string text;
    for (auto& result : stream) {
      text += (text.empty() ? "" : " ") +
              (result ? std::to_string(*result) : "exit " + to_string(result.error()));
    }
    return text;
  };
  trap_exit(false);
  const Task::StreamOptions four{.max_concurrency = 4};
  EXPECT_EQ(read(TaskSupervisor::async_stream(supervisor, Numbers{4, 3, 2, 1}, sleep_ms, four)),
            "4 3 2 1");
  EXPECT_EQ(
      read(TaskSupervisor::async_stream_nolink(supervisor, Numbers{1, 2, 3}, fail_with, four)),
      "exit 1 exit 2 exit 3");
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_TRUE(TaskSupervisor::children(supervisor)->empty());
}

TEST_F(TaskSupervisorTest, AStreamThatFindsNoRoomEndsItsTasks) {
  const Pid small = TaskSupervisor::start({.max_children = 1}).value();
  EXPECT_THROW(
      {
        for (auto& result : TaskSupervisor::async_stream(small, Numbers{1000, 1000}, sleep_ms,
                                                         {.max_concurrency = 2})) {
          static_cast<void>(result);
        }
      },
      std::runtime_error);
  sleep(1ms);
  EXPECT_TRUE(TaskSupervisor::children(small)->empty());
  EXPECT_TRUE(info().links.empty());
}

TEST_F(TaskSupervisorTest, StandsInASupervisorsTree) {
  const Pid top = Supervisor::start({TaskSupervisor::child_spec("mails", {.name = local("mails")}),
                                     Task::child_spec("once", [me = me] { tell_and_wait(me); })})
                      .value();
  EXPECT_EQ(Supervisor::which_children(top)->at(1).restart, Restart::temporary);
  const Pid once = ready();
  send(once, Go{});
  wait_for_end(once);
  EXPECT_EQ(Supervisor::which_children(top)->size(), 1u);
  EXPECT_EQ(Task::await(TaskSupervisor::async(local("mails"), [] { return 1; }).value()).value(),
            1);
  EXPECT_TRUE(GenServer::stop(top, ExitReason::shutdown(), 1s));
}

TEST(TaskSupervisor, WithoutItsSupervisorNothingIsStarted) {
  VirtualNode node;
  const auto task = TaskSupervisor::async(local("nobody"), [] { return 1; });
  EXPECT_EQ(task.error().code, ChildError::Code::unavailable);
}

}  // namespace
}  // namespace coterie
