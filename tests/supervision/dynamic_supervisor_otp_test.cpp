// DynamicSupervisor: what Elixir's dynamic_supervisor_test.exs checks of ends, restarts that fail,
// and max_children, on virtual time.

#include <gtest/gtest.h>

#include <coterie/agent.hpp>
#include <coterie/dynamic_supervisor.hpp>
#include <coterie/supervisor.hpp>
#include <coterie/sys.hpp>
#include <coterie/task.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using test::wait_for_end;
using Code = ChildError::Code;

StartResult sleeper() {
  return spawn_link([] { sleep(infinity); });
}
/// Traps the supervisor's shutdown, and ends in its own way.
StartResult ends_with(const ExitReason& reason) {
  return spawn_link(
      [reason] {
        receive([](const Exit&) {});
        exit(reason);
      },
      {.trap_exit = true});
}
StartResult deaf() {
  return spawn_link([] { sleep(infinity); }, {.trap_exit = true});
}
StartResult failing() {
  return std::unexpected(StartError{StartError::Code::failed, {}, ExitReason::term("found"), {}});
}

ChildSpec spec_of(std::function<StartResult()> start, std::optional<Shutdown> shutdown = {},
                  Restart restart = Restart::permanent) {
  ChildSpec spec;
  spec.start = std::move(start);
  spec.shutdown = shutdown;
  spec.restart = restart;
  return spec;
}
/// Runs `first`, and `later` at each restart.
std::function<StartResult()> then(StartResult (*first)(), StartResult (*later)()) {
  return [first, later, started = std::make_shared<bool>()] {
    return std::exchange(*started, true) ? later() : first();
  };
}

struct DynamicSupervisorOtp : testing::Test {
  VirtualNode node;
  Pid start(DynamicSupervisorOptions options = {}) {
    return DynamicSupervisor::start(std::move(options)).value();
  }
  static Pid add(const Pid& supervisor, ChildSpec spec) {
    return DynamicSupervisor::start_child(supervisor, std::move(spec)).value();
  }
  static ChildCount count(const Pid& supervisor) {
    return DynamicSupervisor::count_children(supervisor).value();
  }
  void end_child(const Pid& pid) {
    exit(pid, ExitReason::shutdown());
    wait_for_end(pid);
  }
  std::size_t reports() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        node.sink.entries(), [](const auto& e) { return e.field("context") == "shutdown_error"; }));
  }
};

// Each child ends as its shutdown says, whatever the others do; what is wrong is reported.
TEST_F(DynamicSupervisorOtp, StopsEachChildAsItsSpecSays) {
  struct Row {
    ChildSpec spec;
    ExitReason end;
    bool reported;
  };
  const ExitReason oops = ExitReason::shutdown("oops");
  const auto odd = [oops] { return ends_with(oops); };
  const auto quiet = [] { return ends_with(ExitReason::normal()); };
  const Row rows[] = {
      {spec_of(sleeper, Shutdown::brutal_kill()), ExitReason::killed(), false},
      {spec_of(sleeper, Shutdown(infinity)), ExitReason::shutdown(), false},
      {spec_of(sleeper, Shutdown(1s)), ExitReason::shutdown(), false},
      {spec_of(sleeper, Shutdown(0ms)), ExitReason::shutdown(), false},
      {spec_of(odd, Shutdown(infinity)), oops, true},
      {spec_of(odd, Shutdown(1s)), oops, true},
      {spec_of(odd, Shutdown(1s), Restart::transient), oops, false},
      {spec_of(deaf, Shutdown(1ms)), ExitReason::killed(), true},
      {spec_of(quiet, Shutdown(infinity)), ExitReason::normal(), true},
      {spec_of(quiet, Shutdown(infinity), Restart::temporary), ExitReason::normal(), false},
  };
  const Pid supervisor = start();
  std::vector<Ref> ends;
  std::size_t reported = 0;
  for (const Row& row : rows) {
    ends.push_back(monitor(add(supervisor, row.spec)));
    reported += row.reported ? 1 : 0;
  }
  sleep(1ms);
  EXPECT_TRUE(GenServer::stop(supervisor, ExitReason::shutdown()));
  for (std::size_t i = 0; i < ends.size(); ++i) {
    EXPECT_EQ(receive_down(ends[i])->reason, rows[i].end) << i;
  }
  EXPECT_EQ(reports(), reported);
}

TEST_F(DynamicSupervisorOtp, TerminateChildStopsAsTheSpecSays) {
  const Pid supervisor = start();
  for (const auto& [shutdown, end] : {std::pair(Shutdown::brutal_kill(), ExitReason::killed()),
                                      std::pair(Shutdown(1s), ExitReason::shutdown())}) {
    const Pid pid = add(supervisor, spec_of(sleeper, shutdown));
    const Ref ref = monitor(pid);
    EXPECT_TRUE(DynamicSupervisor::terminate_child(supervisor, pid));
    EXPECT_EQ(receive_down(ref)->reason, end);
    EXPECT_EQ(DynamicSupervisor::terminate_child(supervisor, pid).error().code, Code::not_found);
    EXPECT_EQ(count(supervisor).workers, 0u);
  }
}

// A child whose restart fails counts as a child, is shown as restarting, and can be terminated
// under the pid it had.
TEST_F(DynamicSupervisorOtp, ARestartingChildIsAChild) {
  const Pid supervisor = start({.max_children = 1, .max_restarts = 100'000});
  ChildSpec failing_later = spec_of(then(sleeper, failing));
  failing_later.backoff.min = 1s;  // or on virtual time it has failed for good in no time
  const Pid pid = add(supervisor, failing_later);
  end_child(pid);
  sleep(3s);
  EXPECT_EQ(count(supervisor).workers, 1u);
  EXPECT_EQ(count(supervisor).active, 0u);
  const auto rows = DynamicSupervisor::which_children(supervisor).value();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].state, ChildState::restarting);
  EXPECT_FALSE(rows[0].pid);
  EXPECT_EQ(DynamicSupervisor::start_child(supervisor, spec_of(sleeper)).error().code,
            Code::max_children);
  EXPECT_TRUE(DynamicSupervisor::terminate_child(supervisor, pid));
  EXPECT_EQ(DynamicSupervisor::terminate_child(supervisor, pid).error().code, Code::not_found);
  EXPECT_EQ(count(supervisor).specs, 0u);
  const Pid again = add(supervisor, spec_of(sleeper));
  end_child(again);
  EXPECT_EQ(count(supervisor).active, 1u);
  EXPECT_EQ(DynamicSupervisor::start_child(supervisor, spec_of(sleeper)).error().code,
            Code::max_children);
}

TEST_F(DynamicSupervisorOtp, ARestartIsTriedAgain) {
  const Pid supervisor = start({.max_restarts = 2});
  int tries = 0;
  const Pid pid =
      add(supervisor,
          spec_of([&tries]() -> StartResult { return ++tries == 2 ? failing() : sleeper(); }));
  end_child(pid);
  sleep(1ms);
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(count(supervisor).active, 1u);
}

TEST_F(DynamicSupervisorOtp, TriesReachTheIntensity) {
  for (const std::size_t most : {1u, 10u}) {
    const Pid supervisor = start({.max_restarts = most});
    const Ref ref = monitor(supervisor);
    end_child(add(supervisor, spec_of(then(sleeper, failing))));
    EXPECT_EQ(receive_down(ref, 10s)->reason, ExitReason::shutdown());
  }
}

// Agents and tasks stand below supervisors as they are.
TEST_F(DynamicSupervisorOtp, AgentsAndTasksAreChildren) {
  const Pid supervisor = start();
  const Pid agent = add(supervisor, child<Agent<int>::Server>("", {.name = local("hits")}, 40));
  EXPECT_EQ(Agent<int>(local("hits")).get_and_update([](int& n) { return ++n; }).value(), 41);
  exit(agent, ExitReason::kill());
  wait_for_end(agent);
  EXPECT_EQ(Agent<int>(local("hits")).get([](int n) { return n; }).value(), 40);
  EXPECT_TRUE(DynamicSupervisor::start_child(supervisor, Task::child_spec("", [] {})));
  EXPECT_EQ(count(supervisor).active, 1u);  // the task has ended: temporary
}

// Row 24: supervisors answer sys as every server does.
TEST_F(DynamicSupervisorOtp, Row24SupervisorsShowTheirChildren) {
  const Pid dynamic = start();
  const Pid pid = add(dynamic, spec_of(sleeper));
  EXPECT_EQ(sys::get_status(dynamic)->state,
            "{supervisor,dynamic,{intensity,3,5000},{children,1,active,1},[{undefined," +
                to_string(pid, pid.node) + ",worker,permanent}]}");
  ChildSpec off = spec_of(sleeper, {}, Restart::transient);
  off.id = "off";
  ChildSpec below = DynamicSupervisor::child_spec("below");
  const Pid top =
      Supervisor::start({off, below}, {.strategy = Strategy::rest_for_one, .max_restarts = 1})
          .value();
  EXPECT_TRUE(Supervisor::terminate_child(top, "off"));
  const Pid child = Supervisor::which_children(top)->at(1).pid;
  EXPECT_EQ(sys::get_status(top)->state,
            "{supervisor,rest_for_one,{intensity,1,5000},{children,2,active,1},"
            "[{off,undefined,worker,transient},{below," +
                to_string(child, child.node) + ",supervisor,permanent}]}");
  EXPECT_TRUE(sys::suspend(top));
  EXPECT_EQ(sys::get_status(top)->running, sys::Running::suspended);
  EXPECT_TRUE(sys::resume(top));
  EXPECT_EQ(Supervisor::count_children(top)->specs, 2u);
  for (int i = 0; i < 100; ++i) add(dynamic, spec_of(sleeper));
  EXPECT_TRUE(sys::get_status(dynamic)->state.ends_with(",...]}"));
}

}  // namespace
}  // namespace coterie
