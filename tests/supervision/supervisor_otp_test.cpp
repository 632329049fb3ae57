// Supervisor where supervisor_test.cpp leaves off: what Elixir's supervisor_test.exs and OTP's
// supervisor_SUITE check of starts that are ignored, restarts that fail, shutdowns and intensities,
// on virtual time.

#include <gtest/gtest.h>

#include <coterie/agent.hpp>
#include <coterie/dynamic_supervisor.hpp>
#include <coterie/supervisor.hpp>

#include "tests/process/runtime_fixture.hpp"
#include "tests/process/sim_fixture.hpp"
#include "tests/supervision/children.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using test::wait_for_end;
using Code = ChildError::Code;
using test::child_of;
using test::deaf;
using test::end;
using test::fails_again;
using test::Ids;
using test::ids;
using test::ignored;
using test::sleeper;
using test::spec_of;

struct SupervisorOtp : testing::Test {
  VirtualNode node;

  static Pid start(std::vector<ChildSpec> children, SupervisorOptions options = {}) {
    return Supervisor::start(std::move(children), std::move(options)).value();
  }
};

// An ignored start keeps the spec, unless it is temporary.
TEST_F(SupervisorOtp, AnIgnoredChildIsKeptStopped) {
  const Pid supervisor = start({spec_of("kept", ignored), spec_of("runs", sleeper),
                                spec_of("gone", ignored, {.restart = Restart::temporary})});
  EXPECT_EQ(ids(supervisor), (Ids{"kept stopped", "runs"}));
  EXPECT_EQ(Supervisor::start_child(supervisor, spec_of("later", ignored)).error().code,
            Code::ignored);
  EXPECT_EQ(ids(supervisor), (Ids{"kept stopped", "runs", "later stopped"}));
  EXPECT_EQ(Supervisor::restart_child(supervisor, "later").error().code, Code::ignored);
  EXPECT_TRUE(Supervisor::delete_child(supervisor, "later"));
  EXPECT_TRUE(Supervisor::stop(supervisor));
}

// A start_child that fails leaves nothing behind.
TEST_F(SupervisorOtp, AFailedStartChildIsForgotten) {
  const Pid supervisor = start({});
  const auto failing = [] {
    return StartResult(
        std::unexpected(StartError{StartError::Code::failed, {}, ExitReason::term("why"), {}}));
  };
  const auto failed = Supervisor::start_child(supervisor, spec_of("a", failing));
  EXPECT_EQ(failed.error().code, Code::start_failed);
  EXPECT_EQ(failed.error().reason, ExitReason::term("why"));
  EXPECT_TRUE(ids(supervisor).empty());
  EXPECT_TRUE(Supervisor::start_child(supervisor, spec_of("a", sleeper)));
  EXPECT_TRUE(Supervisor::stop(supervisor));
}

TEST_F(SupervisorOtp, BadSpecsAreAnswers) {
  const Pid supervisor = start({});
  EXPECT_EQ(Supervisor::start_child(supervisor, ChildSpec{}).error().code, Code::bad_spec);
  EXPECT_EQ(
      Supervisor::start_child(supervisor, spec_of("a", sleeper, {.shutdown = -1ms})).error().code,
      Code::bad_spec);
  for (const Duration shutdown : {Duration(0), Duration(1ms)}) {
    const Pid child =
        Supervisor::start_child(supervisor, spec_of("n", deaf, {.shutdown = Shutdown(shutdown)}))
            .value();
    EXPECT_TRUE(Supervisor::terminate_child(supervisor, "n"));
    EXPECT_FALSE(is_alive(child));
    EXPECT_TRUE(Supervisor::delete_child(supervisor, "n"));
  }
  EXPECT_LT(node.elapsed(), 1s);
  EXPECT_TRUE(Supervisor::stop(supervisor));
}

// An intensity of nothing ends it with the first failure; a period of nothing is no period.
TEST_F(SupervisorOtp, IntensitiesAtTheirBounds) {
  const Pid strict = start({spec_of("a", sleeper)}, {.max_restarts = 0});
  const Ref ref = monitor(strict);
  end(child_of(strict, "a"), ExitReason::term("crash"));
  EXPECT_EQ(receive_down(ref, 1s)->reason, ExitReason::shutdown());

  const auto bad = Supervisor::start({}, {.max_seconds = 0s});
  EXPECT_EQ(to_string(bad.error().reason), "{supervisor_data,{invalid_period,0}}");
  const auto worse = DynamicSupervisor::start({.max_seconds = -1s});
  EXPECT_EQ(to_string(worse.error().reason), "{supervisor_data,{invalid_period,-1000}}");
}

TEST_F(SupervisorOtp, DynamicSupervisorsMayHaveNoRoomAtAll) {
  const Pid none = DynamicSupervisor::start({.max_children = 0}).value();
  EXPECT_EQ(DynamicSupervisor::start_child(none, spec_of("", sleeper)).error().code,
            Code::max_children);
}

// While a restart fails again and again the supervisor answers, and the child can be taken away. On
// real threads: virtual time would wait until there is nothing left to do.
TEST(SupervisorOnThreads, ARestartingChildAnswersAsOtpsDoes) {
  test::LocalNode node;
  node.log.set_level(LogLevel::off);
  for (const Strategy strategy :
       {Strategy::one_for_one, Strategy::rest_for_one, Strategy::one_for_all}) {
    const Pid supervisor = SupervisorOtp::start(
        {spec_of("a", fails_again(100'000'000)), spec_of("b", sleeper)},
        {.strategy = strategy, .max_restarts = 100'000'000, .max_seconds = 1s});
    end(child_of(supervisor, "a"), ExitReason::term("crash"));
    EXPECT_EQ(ids(supervisor).at(0), "a restarting");
    EXPECT_EQ(Supervisor::restart_child(supervisor, "a").error().code, Code::restarting);
    EXPECT_EQ(Supervisor::delete_child(supervisor, "a").error().code, Code::restarting);
    EXPECT_EQ(Supervisor::start_child(supervisor, spec_of("a", sleeper)).error().code,
              Code::already_present);
    EXPECT_TRUE(Supervisor::terminate_child(supervisor, "a"));
    EXPECT_EQ(ids(supervisor).at(0), "a stopped");
    EXPECT_TRUE(Supervisor::delete_child(supervisor, "a"));
    EXPECT_TRUE(Supervisor::stop(supervisor));
  }
}

// The failing restart of one sibling is tried again until all run.
TEST_F(SupervisorOtp, ASiblingMayFailToComeBack) {
  for (const Strategy strategy : {Strategy::rest_for_one, Strategy::one_for_all}) {
    const Pid supervisor =
        start({spec_of("a", sleeper), spec_of("b", fails_again(2)), spec_of("c", sleeper)},
              {.strategy = strategy, .max_restarts = 5});
    const Pid b = child_of(supervisor, "b"), c = child_of(supervisor, "c");
    end(child_of(supervisor, "a"), ExitReason::term("crash"));
    sleep(1s);
    EXPECT_EQ(ids(supervisor), (Ids{"a", "b", "c"}));
    EXPECT_NE(child_of(supervisor, "b"), b);
    EXPECT_NE(child_of(supervisor, "c"), c);
    EXPECT_TRUE(Supervisor::stop(supervisor));
  }
}

// Killed, it cannot stop its children in order; its links do it.
TEST_F(SupervisorOtp, AKilledSupervisorLeavesNobody) {
  const Pid supervisor =
      start({spec_of("a", sleeper), Supervisor::child_spec("inner", {spec_of("b", sleeper)})});
  const Pid a = child_of(supervisor, "a");
  const Pid inner = child_of(supervisor, "inner");
  const Pid b = child_of(inner, "b");
  const Ref inner_down = monitor(inner), b_down = monitor(b), a_down = monitor(a);
  EXPECT_EQ(end(supervisor, ExitReason::kill()), ExitReason::killed());
  EXPECT_EQ(receive_down(a_down, 1s)->reason, ExitReason::killed());
  // The inner one hears that its parent has gone, and stops its own in order.
  EXPECT_EQ(receive_down(inner_down, 1s)->reason, ExitReason::killed());
  EXPECT_EQ(receive_down(b_down, 1s)->reason, ExitReason::shutdown());
}

// Elixir's {Agent, fn -> ... end} as a child.
TEST_F(SupervisorOtp, AgentsHaveSpecs) {
  const Pid supervisor =
      start({Agent<int>::child_spec("hits", 3, {.name = local("hits")}),
             Supervisor::child_spec(
                 Agent<std::string>::child_spec("word", [] { return std::string("hello"); }),
                 {.restart = Restart::temporary})});
  EXPECT_EQ(Agent<int>(local("hits")).get([](int n) { return n; }).value(), 3);
  EXPECT_TRUE(Agent<int>(local("hits")).update([](int n) { return n + 1; }));
  end(child_of(supervisor, "hits"), ExitReason::kill());
  EXPECT_TRUE(child_of(supervisor, "hits"));  // it runs again, from its first state
  EXPECT_EQ(Agent<int>(local("hits")).get([](int n) { return n; }).value(), 3);
  const auto words = Agent<std::string>(child_of(supervisor, "word"));
  EXPECT_EQ(words.get([](const std::string& s) { return s; }).value(), "hello");
  EXPECT_TRUE(Supervisor::stop(supervisor));
}

}  // namespace
}  // namespace coterie
