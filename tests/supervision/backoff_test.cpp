// Restart back-off, pure and on supervisors in virtual time.

#include "supervision/restart_backoff.hpp"

#include <gtest/gtest.h>

#include <coterie/dynamic_supervisor.hpp>
#include <coterie/supervisor.hpp>

#include "tests/process/sim_fixture.hpp"
#include "tests/supervision/worker.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using detail::RestartBackoff;
using test::Trace;
using test::VirtualNode;
using test::worker;
using test::Worker;

constexpr std::uint64_t middle = 1ull << 63;  // random bits that change nothing

TEST(RestartBackoff, DoublesUpToItsMaximum) {
  RestartBackoff pauses;
  const Backoff backoff{.min = 100ms, .max = 1s};
  std::vector<Duration> seen;
  for (int i = 0; i < 6; ++i) seen.push_back(pauses.pause(backoff, std::nullopt, middle));
  EXPECT_EQ(seen, (std::vector<Duration>{100ms, 200ms, 400ms, 800ms, 1s, 1s}));
  // A child that ran for long begins again; one that ran shortly goes on.
  EXPECT_EQ(pauses.pause(backoff, 59s, middle), Duration(1s));
  EXPECT_EQ(pauses.pause(backoff, 60s, middle), Duration(100ms));
}

TEST(RestartBackoff, StaysWithinItsJitter) {
  const Backoff backoff{.min = 100ms, .max = 100ms, .jitter = 0.5};
  RestartBackoff pauses;
  EXPECT_EQ(pauses.pause(backoff, std::nullopt, 0), Duration(50ms));
  const Duration most = pauses.pause(backoff, std::nullopt, ~std::uint64_t{0});
  EXPECT_GT(most, Duration(149ms));
  EXPECT_LE(most, Duration(150ms));
  EXPECT_EQ(RestartBackoff().pause({}, std::nullopt, 0), Duration::zero());
}

/// The state of the child "flaky"; its start works the first time and from try `works_at` on.
struct Flaky {
  explicit Flaky(Trace& trace, int works_at) : spec(worker("flaky", trace)) {
    spec.backoff = {.min = 100ms, .max = 1s, .jitter = 0};
    spec.start = [this, works_at, start = spec.start]() -> StartResult {
      if (const int n = tries++; n == 0 || n >= works_at) return start();
      return std::unexpected(StartError{.reason = ExitReason::term("still_down")});
    };
  }
  int tries = 0;
  ChildSpec spec;
};

// The pause is kept to the nanosecond; other requests are answered meanwhile.
TEST(SupervisorBackoff, WaitsBeforeEachTry) {
  VirtualNode node;
  Trace trace;
  Flaky flaky(trace, 3);
  const Pid supervisor =
      Supervisor::start({flaky.spec, worker("other", trace)}, {.max_restarts = 10}).value();
  const auto rows = [&] { return Supervisor::which_children(supervisor).value(); };
  const Ref ref = monitor(rows()[0].pid);
  cast(rows()[0].pid, Worker::Crash{});
  receive(when([ref](const Down& d) { return d.ref == ref; }, [](const Down&) {}));
  EXPECT_EQ(rows()[0].state, ChildState::restarting);
  const Duration begin = node.elapsed();
  while (rows()[0].state == ChildState::restarting) sleep(10ms);
  // 100 ms, a failure, 200 ms, a failure, 400 ms.
  EXPECT_GE(node.elapsed() - begin, 690ms);
  EXPECT_LE(node.elapsed() - begin, 720ms);
  EXPECT_EQ(flaky.tries, 4);
  EXPECT_EQ(rows()[1].state, ChildState::running);
  ASSERT_TRUE(GenServer::stop(supervisor, ExitReason::shutdown(), 5s));
}

// Siblings that go with the child stop at once and come back with it.
TEST(SupervisorBackoff, OneForAllWaitsTogether) {
  VirtualNode node;
  Trace trace;
  Flaky flaky(trace, 1);
  const Pid supervisor =
      Supervisor::start({worker("a", trace), flaky.spec}, {.strategy = Strategy::one_for_all})
          .value();
  EXPECT_EQ(trace.take(), "+a +flaky");
  cast(Supervisor::which_children(supervisor).value()[1].pid, Worker::Crash{});
  sleep(50ms);
  EXPECT_EQ(trace.take(), "-a");
  EXPECT_EQ(Supervisor::count_children(supervisor).value().active, 0u);
  sleep(100ms);
  EXPECT_EQ(trace.take(), "+a +flaky");
  ASSERT_TRUE(GenServer::stop(supervisor, ExitReason::shutdown(), 5s));
}

TEST(SupervisorBackoff, EndsWithTheChildThatWaits) {
  VirtualNode node;
  Trace trace;
  Flaky flaky(trace, 1);
  const Pid supervisor = Supervisor::start({flaky.spec}).value();
  cast(Supervisor::which_children(supervisor).value()[0].pid, Worker::Crash{});
  sleep(50ms);
  EXPECT_EQ(Supervisor::restart_child(supervisor, "flaky").error().code,
            ChildError::Code::restarting);
  ASSERT_TRUE(Supervisor::terminate_child(supervisor, "flaky"));
  ASSERT_TRUE(Supervisor::restart_child(supervisor, "flaky"));
  EXPECT_EQ(flaky.tries, 2);
  sleep(10s);
  EXPECT_EQ(flaky.tries, 2);  // the timer of the pause is gone
  ASSERT_TRUE(GenServer::stop(supervisor, ExitReason::shutdown(), 5s));
}

TEST(DynamicSupervisorBackoff, WaitsBeforeEachTry) {
  VirtualNode node;
  Trace trace;
  Flaky flaky(trace, 2);
  const Pid supervisor = DynamicSupervisor::start({.max_children = 1}).value();
  const Pid child = DynamicSupervisor::start_child(supervisor, flaky.spec).value();
  cast(child, Worker::Crash{});
  sleep(50ms);
  const auto count = DynamicSupervisor::count_children(supervisor).value();
  EXPECT_EQ(count.specs, 1u);
  EXPECT_EQ(count.active, 0u);
  EXPECT_EQ(DynamicSupervisor::start_child(supervisor, worker("b", trace)).error().code,
            ChildError::Code::max_children);
  sleep(300ms);
  EXPECT_EQ(flaky.tries, 3);
  EXPECT_EQ(DynamicSupervisor::count_children(supervisor).value().active, 1u);
  // One that waits is known by the pid it had, and can be given up.
  const Pid again = DynamicSupervisor::which_children(supervisor).value()[0].pid;
  EXPECT_NE(again, child);
  cast(again, Worker::Crash{});
  sleep(10ms);
  ASSERT_TRUE(DynamicSupervisor::terminate_child(supervisor, again));
  sleep(10s);
  EXPECT_EQ(flaky.tries, 3);
  ASSERT_TRUE(GenServer::stop(supervisor, ExitReason::shutdown(), 5s));
}

}  // namespace
}  // namespace coterie
