// Supervisor on a real runtime: order, restart types, intensity, shutdown, the API's answers.

#include <coterie/supervisor.hpp>

#include <gtest/gtest.h>

#include <mutex>

#include "tests/process/runtime_fixture.hpp"
#include "tests/supervision/worker.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::LocalNode;
using test::Trace;
using test::worker;
using test::Worker;

using Code = ChildError::Code;

std::string text(const StartResult& r) { return r ? "ok" : to_string(r.error()); }

struct SupervisorTest : ::testing::Test {
  LocalNode node;
  Trace trace;

  Pid start(std::vector<ChildSpec> children, SupervisorOptions options = {}) {
    auto started = Supervisor::start(std::move(children), std::move(options));
    EXPECT_TRUE(started.has_value()) << text(started);
    return started.value_or(Pid{});
  }
  Pid child_of(const Pid& supervisor, const std::string& id) {
    const auto rows = Supervisor::which_children(supervisor).value();
    for (const auto& row : rows) {
      if (row.id == id) return row.pid;
    }
    return {};
  }
  void stop(const Pid& supervisor) {
    ASSERT_TRUE(GenServer::stop(supervisor, ExitReason::shutdown(), 5s));
  }
};

TEST_F(SupervisorTest, StartsInOrderAndStopsInReverse) {
  const Pid supervisor = start({worker("a", trace), worker("b", trace), worker("c", trace)});
  EXPECT_EQ(trace.take(), "+a +b +c");
  stop(supervisor);
  EXPECT_EQ(trace.take(), "-c -b -a");
}

TEST_F(SupervisorTest, FailedStartStopsTheStartedOnes) {
  auto broken = worker("c", trace);
  broken.start = [] {
    return StartResult(
        std::unexpected(StartError{StartError::Code::failed, {}, ExitReason::term("no_disk"), {}}));
  };
  const auto started =
      Supervisor::start({worker("a", trace), worker("b", trace), broken, worker("d", trace)});
  ASSERT_FALSE(started);
  EXPECT_EQ(to_string(started.error().reason), "{shutdown,{failed_to_start_child,c,no_disk}}");
  EXPECT_EQ(trace.take(), "+a +b -b -a");
}

TEST_F(SupervisorTest, RefusesBadSpecs) {
  const auto twice = Supervisor::start({worker("a", trace), worker("a", trace)});
  ASSERT_FALSE(twice);
  EXPECT_EQ(trace.take(), "");
  auto significant = worker("s", trace);
  significant.significant = true;
  EXPECT_TRUE(Supervisor::check_childspecs({{significant}}, AutoShutdown::any_significant));
  significant.restart = Restart::transient;
  EXPECT_FALSE(Supervisor::check_childspecs({{significant}}, AutoShutdown::any_significant));
  EXPECT_TRUE(Supervisor::check_childspecs({{significant}}, AutoShutdown::never));
  auto negative = worker("n", trace);
  negative.shutdown = -1ms;
  EXPECT_TRUE(Supervisor::check_childspecs({{negative}}, AutoShutdown::never));
}

TEST_F(SupervisorTest, RestartsByRestartType) {
  auto transient = worker("transient", trace);
  transient.restart = Restart::transient;
  auto temporary = worker("temporary", trace);
  temporary.restart = Restart::temporary;
  const Pid supervisor = start({worker("permanent", trace), transient, temporary});

  const Pid permanent = child_of(supervisor, "permanent");
  cast(permanent, Worker::Finish{});
  ASSERT_TRUE(eventually([&] {
    const Pid now = child_of(supervisor, "permanent");
    return now && now != permanent;
  }));
  const Pid old = child_of(supervisor, "transient");
  cast(old, Worker::Crash{});
  ASSERT_TRUE(eventually([&] {
    const Pid now = child_of(supervisor, "transient");
    return now && now != old;
  }));
  cast(child_of(supervisor, "transient"), Worker::Finish{});
  cast(child_of(supervisor, "temporary"), Worker::Crash{});
  ASSERT_TRUE(eventually([&] {
    const auto count = Supervisor::count_children(supervisor).value();
    return count.specs == 2 && count.active == 1;  // a stopped transient child keeps its spec
  }));
  stop(supervisor);
}

// Conformance 17, on a process: exactly N restarts inside the window, the next one is fatal.
TEST_F(SupervisorTest, GivesUpBeyondItsIntensity) {
  const Pid supervisor =
      start({worker("a", trace), worker("b", trace)}, {.max_restarts = 2, .max_seconds = 60s});
  const Ref watch = monitor(supervisor);
  for (int i = 0; i < 2; ++i) {
    const Pid old = child_of(supervisor, "a");
    cast(old, Worker::Crash{});
    ASSERT_TRUE(eventually([&] {
      const Pid now = child_of(supervisor, "a");
      return now && now != old;
    }));
  }
  cast(child_of(supervisor, "a"), Worker::Crash{});
  const auto reason = receive(when([&](const Down& d) { return d.ref == watch; },
                                   [](Down d) { return to_string(d.reason); }),
                              after(5s, [] { return std::string("still alive"); }));
  EXPECT_EQ(reason, "shutdown");
  EXPECT_EQ(trace.take(), "+a +b +a +a -b");
}

// Whoever has seen DOWN finds that the supervisor knows: its EXIT came first.
TEST_F(SupervisorTest, KnowsOfAnEndBeforeDownIsSeen) {
  auto temporary = worker("t", trace);
  temporary.restart = Restart::temporary;
  const Pid supervisor = start({worker("p", trace)}, {.max_restarts = 1000});
  for (int i = 0; i < 200; ++i) {
    const Pid t = Supervisor::start_child(supervisor, temporary).value();
    const Pid p = child_of(supervisor, "p");
    for (const Pid& pid : {t, p}) {
      const Ref ref = monitor(pid);
      exit(pid, ExitReason::kill());
      receive(when([ref](const Down& d) { return d.ref == ref; }, [](const Down&) {}));
    }
    const auto count = Supervisor::count_children(supervisor).value();
    ASSERT_EQ(count.specs, 1u) << i;
    ASSERT_EQ(count.active, 1u) << i;
    ASSERT_NE(child_of(supervisor, "p"), p) << i;
  }
  stop(supervisor);
}

TEST_F(SupervisorTest, AStartThatThrowsIsAFailedStart) {
  const Pid supervisor = start({});
  auto throwing = worker("throwing", trace);
  throwing.start = []() -> StartResult { throw std::runtime_error("oops"); };
  const auto failed = Supervisor::start_child(supervisor, throwing);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::start_failed);
  EXPECT_EQ(failed.error().reason.what(), "oops");
  EXPECT_EQ(Supervisor::count_children(supervisor).value().specs, 0u);
  const auto whole = Supervisor::start({worker("a", trace), throwing});
  ASSERT_FALSE(whole);
  EXPECT_NE(to_string(whole.error().reason).find("{failed_to_start_child,throwing,"),
            std::string::npos);
  EXPECT_EQ(trace.take(), "+a -a");
  stop(supervisor);
}

// init may make the specs, in the supervisor's process and anew for each start.
TEST_F(SupervisorTest, TakesAnInitFunction) {
  int runs = 0;
  const Pid root = start({Supervisor::child_spec("inner", [&] {
    EXPECT_NE(self(), node.self.pid());
    return std::vector{worker("child" + std::to_string(++runs), trace)};
  })});
  EXPECT_EQ(trace.take(), "+child1");
  const Pid inner = child_of(root, "inner");
  const Ref ref = monitor(inner);
  exit(inner, ExitReason::kill());
  receive(when([ref](const Down& d) { return d.ref == ref; }, [](const Down&) {}));
  EXPECT_TRUE(child_of(child_of(root, "inner"), "child2"));
  EXPECT_FALSE(
      Supervisor::start([]() -> std::vector<ChildSpec> { throw std::runtime_error("x"); }));
  stop(root);
}

// Conformance 20: a restart that keeps failing lets other requests through, and each try counts.
TEST_F(SupervisorTest, FailingRestartYieldsToRequests) {
  auto flaky = worker("flaky", trace);
  auto starts = std::make_shared<std::atomic<int>>(0);
  flaky.start = [starts, first = flaky.start]() -> StartResult {
    if (starts->fetch_add(1) == 0) return first();
    sleep(1ms);
    return std::unexpected(
        StartError{StartError::Code::failed, {}, ExitReason::term("still_down"), {}});
  };
  const Pid supervisor =
      start({flaky, worker("b", trace)}, {.max_restarts = 100'000, .max_seconds = 60s});
  cast(child_of(supervisor, "flaky"), Worker::Crash{});
  ASSERT_TRUE(eventually([&] { return starts->load() > 5; }));
  const auto refused = Supervisor::restart_child(supervisor, "flaky");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::restarting);
  EXPECT_EQ(Supervisor::delete_child(supervisor, "flaky").error().code, Code::restarting);
  const auto again = Supervisor::start_child(supervisor, flaky);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::already_present);
  EXPECT_FALSE(again.error().pid);
  EXPECT_TRUE(Supervisor::terminate_child(supervisor, "flaky"));
  const int tried = starts->load();
  sleep(20ms);
  EXPECT_LE(starts->load(), tried + 1);  // terminate_child ends the tries
  stop(supervisor);
}

TEST_F(SupervisorTest, FailingRestartReachesTheIntensity) {
  auto flaky = worker("flaky", trace);
  auto starts = std::make_shared<std::atomic<int>>(0);
  flaky.start = [starts, first = flaky.start]() -> StartResult {
    if (starts->fetch_add(1) == 0) return first();
    return std::unexpected(
        StartError{StartError::Code::failed, {}, ExitReason::term("still_down"), {}});
  };
  const Pid supervisor = start({flaky}, {.max_restarts = 3, .max_seconds = 60s});
  const Ref watch = monitor(supervisor);
  cast(child_of(supervisor, "flaky"), Worker::Crash{});
  ASSERT_TRUE(receive(when([&](const Down& d) { return d.ref == watch; },
                           [](Down d) { return d.reason == ExitReason::shutdown(); }),
                      after(5s, [] { return false; })));
  EXPECT_EQ(starts->load(), 4);
}

// Conformance 16, on processes.
TEST_F(SupervisorTest, RestForOneRestartsTheLaterOnes) {
  auto temporary = worker("t", trace);
  temporary.restart = Restart::temporary;
  const Pid supervisor =
      start({worker("a", trace), worker("b", trace), temporary, worker("c", trace)},
            {.strategy = Strategy::rest_for_one});
  EXPECT_EQ(trace.take(), "+a +b +t +c");
  cast(child_of(supervisor, "b"), Worker::Crash{});
  ASSERT_TRUE(eventually([&] { return trace.size() == 4; }));
  EXPECT_EQ(trace.take(), "-c -t +b +c");
  EXPECT_EQ(Supervisor::count_children(supervisor).value().specs, 3u);
  stop(supervisor);
}

TEST_F(SupervisorTest, OneForAllRestartsAll) {
  const Pid supervisor = start({worker("a", trace), worker("b", trace), worker("c", trace)},
                               {.strategy = Strategy::one_for_all});
  trace.take();
  cast(child_of(supervisor, "b"), Worker::Crash{});
  ASSERT_TRUE(eventually([&] { return trace.size() == 5; }));
  EXPECT_EQ(trace.take(), "-c -a +a +b +c");
  stop(supervisor);
}

// Conformance 18: a child that does not stop in time is killed, and that is reported.
TEST_F(SupervisorTest, KillsAChildThatDoesNotStop) {
  auto stubborn = worker("stubborn", trace);
  stubborn.start = [] { return GenServer::start_link<test::Stubborn>({.trap_exit = true}); };
  stubborn.shutdown = 20ms;
  const Pid supervisor = start({stubborn});
  const Pid child = child_of(supervisor, "stubborn");
  const Ref watch = monitor(child);
  stop(supervisor);
  EXPECT_EQ(receive(when([&](const Down& d) { return d.ref == watch; },
                         [](Down d) { return to_string(d.reason); }),
                    after(5s, [] { return std::string("alive"); })),
            "killed");
  bool reported = false;
  for (const auto& entry : node.sink.entries()) {
    reported |= entry.field("context") == "shutdown_error";
  }
  EXPECT_TRUE(reported);
}

// A child that has unlinked itself cannot hang its supervisor.
TEST_F(SupervisorTest, StopsAChildThatUnlinked) {
  auto spec = worker("a", trace);
  const Pid supervisor = start({spec});
  ASSERT_TRUE(call(child_of(supervisor, "a"), Worker::Unlink{supervisor}));
  EXPECT_TRUE(Supervisor::terminate_child(supervisor, "a"));
  EXPECT_EQ(trace.take(), "+a -a");
  stop(supervisor);
}

// Conformance 19.
TEST_F(SupervisorTest, AutoShutdownAnySignificant) {
  auto s = worker("s", trace), other = worker("other", trace);
  s.restart = Restart::transient;
  s.significant = true;
  const Pid supervisor = start({s, other}, {.auto_shutdown = AutoShutdown::any_significant});
  const Ref watch = monitor(supervisor);
  cast(child_of(supervisor, "s"), Worker::Finish{});
  EXPECT_TRUE(receive(when([&](const Down& d) { return d.ref == watch; },
                           [](Down d) { return d.reason == ExitReason::shutdown(); }),
                      after(5s, [] { return false; })));
}

TEST_F(SupervisorTest, AutoShutdownAllSignificant) {
  auto s = worker("s", trace), t = worker("t", trace);
  s.restart = t.restart = Restart::temporary;
  s.significant = t.significant = true;
  const Pid supervisor =
      start({s, t, worker("u", trace)}, {.auto_shutdown = AutoShutdown::all_significant});
  const Ref watch = monitor(supervisor);
  cast(child_of(supervisor, "s"), Worker::Finish{});
  ASSERT_TRUE(
      eventually([&] { return Supervisor::count_children(supervisor).value().specs == 2; }));
  // terminate_child is no end of its own: it does not trigger the shutdown.
  EXPECT_TRUE(is_alive(supervisor));
  cast(child_of(supervisor, "t"), Worker::Finish{});
  EXPECT_TRUE(receive(when([&](const Down& d) { return d.ref == watch; },
                           [](Down d) { return d.reason == ExitReason::shutdown(); }),
                      after(5s, [] { return false; })));
}

TEST_F(SupervisorTest, AnswersAsOtpDoes) {
  const Pid supervisor = start({worker("a", trace)});
  const Pid a = child_of(supervisor, "a");
  const auto again = Supervisor::start_child(supervisor, worker("a", trace));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::already_started);
  EXPECT_EQ(again.error().pid, a);
  EXPECT_EQ(Supervisor::restart_child(supervisor, "a").error().code, Code::running);
  EXPECT_EQ(Supervisor::delete_child(supervisor, "a").error().code, Code::running);
  EXPECT_EQ(Supervisor::terminate_child(supervisor, "x").error().code, Code::not_found);

  EXPECT_TRUE(Supervisor::terminate_child(supervisor, "a"));
  EXPECT_EQ(Supervisor::start_child(supervisor, worker("a", trace)).error().code,
            Code::already_present);
  EXPECT_EQ(Supervisor::get_childspec(supervisor, "a").value().id, "a");
  EXPECT_TRUE(Supervisor::restart_child(supervisor, "a"));
  EXPECT_TRUE(Supervisor::terminate_child(supervisor, "a"));
  EXPECT_TRUE(Supervisor::delete_child(supervisor, "a"));
  EXPECT_EQ(Supervisor::get_childspec(supervisor, "a").error().code, Code::not_found);
  EXPECT_TRUE(Supervisor::start_child(supervisor, worker("b", trace)));
  const auto count = Supervisor::count_children(supervisor).value();
  EXPECT_EQ(count.specs, 1u);
  EXPECT_EQ(count.workers, 1u);
  stop(supervisor);
}

TEST_F(SupervisorTest, TreesStopFromTheLeaves) {
  const Pid root = start({worker("a", trace),
                          Supervisor::child_spec("inner", {worker("b", trace), worker("c", trace)}),
                          worker("d", trace)});
  EXPECT_EQ(trace.take(), "+a +b +c +d");
  EXPECT_EQ(Supervisor::count_children(root).value().supervisors, 1u);
  stop(root);
  EXPECT_EQ(trace.take(), "-d -c -b -a");
}

// The inner supervisor gives up; the outer one restarts it with all its children.
TEST_F(SupervisorTest, FailureTravelsUpTheTree) {
  const Pid root =
      start({Supervisor::child_spec("inner", {worker("b", trace)}, {.max_restarts = 0})});
  const Pid inner = child_of(root, "inner");
  cast(child_of(inner, "b"), Worker::Crash{});
  ASSERT_TRUE(eventually([&] {
    const Pid now = child_of(root, "inner");
    return now && now != inner;
  }));
  EXPECT_TRUE(child_of(child_of(root, "inner"), "b"));
  stop(root);
}

}  // namespace
}  // namespace coterie
