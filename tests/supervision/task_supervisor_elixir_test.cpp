// TaskSupervisor where task_supervisor_test.cpp leaves off: the rest of what Elixir's
// task/supervisor_test.exs checks, on virtual time.

#include <gtest/gtest.h>

#include <coterie/registry.hpp>
#include <coterie/supervisor.hpp>
#include <coterie/task_supervisor.hpp>

#include "registry/local_names.hpp"
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
using Pids = std::vector<Pid>;

struct Go {};
struct Seen {
  Pids callers;
  Pids ancestors;
};

struct TaskSupervisorElixir : testing::Test {
  LocalNames names;  // outlives the processes
  VirtualNode node;
  Pid supervisor;
  Pid me = self();
  TaskSupervisorElixir() {
    node.runtime.set_names(&names);
    supervisor = TaskSupervisor::start().value();
  }
};

TEST_F(TaskSupervisorElixir, BeginsEmpty) {
  EXPECT_TRUE(TaskSupervisor::children(supervisor)->empty());
  for (const auto& count : {DynamicSupervisor::count_children(supervisor).value(),
                            Supervisor::count_children(supervisor).value()}) {
    EXPECT_EQ(count.specs + count.active + count.supervisors + count.workers, 0u);
  }
}

// Under every kind of name, and twice in one tree only under two ids.
TEST_F(TaskSupervisorElixir, StandsInATreeUnderAnyName) {
  ASSERT_TRUE(Registry::start({.name = "tasks"}));
  const Pid top = Supervisor::start({TaskSupervisor::child_spec("a", {.name = local("simple")}),
                                     TaskSupervisor::child_spec("b", {.name = via("tasks", "v")})})
                      .value();
  const Pid nameless = Supervisor::start_child(top, TaskSupervisor::child_spec("c")).value();
  for (const ServerRef& name :
       {ServerRef(local("simple")), ServerRef(via("tasks", "v")), ServerRef(nameless)}) {
    EXPECT_TRUE(TaskSupervisor::children(name)->empty());
  }
  const auto again = Supervisor::start_child(top, TaskSupervisor::child_spec("c"));
  EXPECT_EQ(again.error().code, ChildError::Code::already_started);
  EXPECT_EQ(again.error().pid, nameless);
  EXPECT_TRUE(Supervisor::stop(top));
}

// A result that comes after the timeout of await never arrives.
TEST_F(TaskSupervisorElixir, AwaitForgetsALateResult) {
  const auto task = TaskSupervisor::async_nolink(supervisor, [] {
                      receive([](const Go&) {});
                      return 1;
                    }).value();
  EXPECT_EQ(Task::await(task, 0s).error().code(), CallError::Code::timeout);
  send(task.pid, Go{});
  wait_for_end(task.pid);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST_F(TaskSupervisorElixir, AwaitTellsHowATaskEnded) {
  trap_exit(true);
  const auto failed =
      TaskSupervisor::async(supervisor, []() -> int { throw std::runtime_error("oops"); }).value();
  EXPECT_EQ(Task::await(failed).error().reason(), ExitReason::error("std::runtime_error", "oops"));
  const auto left = TaskSupervisor::async(supervisor, [] { return fail_with(3); }).value();
  EXPECT_EQ(Task::await(left).error().reason(), ExitReason::term("3"));
}

TEST_F(TaskSupervisorElixir, NestedTasksKnowCallersAndAncestors) {
  const auto tell = [to = me] { send(to, Seen{callers(), info().ancestors}); };
  const auto outer = TaskSupervisor::async(supervisor, [supervisor = supervisor, tell] {
                       tell();
                       Task::await(TaskSupervisor::async(supervisor, tell).value()).value();
                       TaskSupervisor::start_child(supervisor, tell).value();
                     }).value();
  Task::await(outer).value();
  const Pids above{supervisor, me};
  for (const Pids& expected : {Pids{me}, Pids{outer.pid, me}, Pids{outer.pid, me}}) {
    receive([&](const Seen& seen) {
      EXPECT_EQ(seen.callers, expected);
      EXPECT_EQ(seen.ancestors, above);
    });
  }
}

TEST_F(TaskSupervisorElixir, StreamsGiveExitsToAReaderThatTraps) {
  trap_exit(true);
  EXPECT_EQ(read(TaskSupervisor::async_stream(supervisor, Numbers{1, 2, 3, 4}, fail_with)),
            "exit 1 exit 2 exit 3 exit 4");
  sleep(1ms);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST_F(TaskSupervisorElixir, StreamsEndTheirTasksWhenNobodyReadsOn) {
  const Numbers inputs{0, 100'000, 100'000, 100'000};
  EXPECT_EQ(read(TaskSupervisor::async_stream(supervisor, inputs, sleep_ms), 1), "0");
  EXPECT_EQ(read(TaskSupervisor::async_stream_nolink(supervisor, inputs, sleep_ms,
                                                     {.max_concurrency = 4}),
                 1),
            "0");
  sleep(1ms);
  EXPECT_TRUE(TaskSupervisor::children(supervisor)->empty());
  EXPECT_TRUE(info().links.empty());
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST_F(TaskSupervisorElixir, StreamsAreReadByAnotherProcess) {
  auto stream = TaskSupervisor::async_stream(supervisor, Numbers{1, 2, 3}, [maker = me](int n) {
    EXPECT_NE(callers().at(0), maker);
    return n;
  });
  EXPECT_EQ(run_process([&] { exit(ExitReason::term(read(stream))); }), ExitReason::term("1 2 3"));
}

TEST_F(TaskSupervisorElixir, StreamsZipTheInputsOfExits) {
  trap_exit(true);
  std::string text;
  for (auto& result : TaskSupervisor::async_stream(supervisor, Numbers{1, 100}, sleep_ms,
                                                   {.timeout = 50ms,
                                                   .on_timeout = Task::StreamTimeout::kill_task,
                                                   .zip_input_on_exit = true})) {
    text += result ? "ok " : std::to_string(result.input.value()) + ' ' + to_string(result.error());
  }
  EXPECT_EQ(text, "ok 100 timeout");
  std::size_t left = 4;
  text.clear();
  for (auto& result : TaskSupervisor::async_stream(supervisor, Numbers{1, 2, 3, 4, 5, 6, 7, 8},
                                                   fail_with, {.zip_input_on_exit = true})) {
    text += std::to_string(result.input.value()) + ':' + to_string(result.error()) + ' ';
    if (--left == 0) break;
  }
  EXPECT_EQ(text, "1:1 2:2 3:3 4:4 ");
}

TEST_F(TaskSupervisorElixir, StreamsAreRefusedAShutdownThatIsNone) {
  auto stream = TaskSupervisor::async_stream(supervisor, Numbers{1}, sleep_ms, {}, -1ms);
  EXPECT_THROW(read(stream), std::runtime_error);
}

TEST_F(TaskSupervisorElixir, TaskSpecsChangeAsOthersDo) {
  const ChildSpec spec = Supervisor::child_spec(
      Task::child_spec("once", [] { sleep(infinity); }),
      {.id = "often", .restart = Restart::permanent, .shutdown = Shutdown::brutal_kill()});
  EXPECT_EQ(spec.id, "often");
  EXPECT_EQ(spec.restart, Restart::permanent);
  EXPECT_TRUE(spec.effective_shutdown().is_brutal_kill());
  const Pid top = Supervisor::start({spec}).value();
  const auto pid = [&] { return Supervisor::which_children(top)->at(0).pid; };
  const Pid first = pid();
  exit(first, ExitReason::shutdown());
  wait_for_end(first);
  EXPECT_NE(pid(), first);
  EXPECT_TRUE(Supervisor::stop(top));
}

}  // namespace
}  // namespace coterie
