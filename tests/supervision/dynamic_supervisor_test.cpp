// DynamicSupervisor of local scope on a real runtime.

#include <coterie/dynamic_supervisor.hpp>

#include <gtest/gtest.h>

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

struct DynamicSupervisorTest : ::testing::Test {
  LocalNode node;
  Trace trace;
  Pid start(DynamicSupervisorOptions options = {}) {
    return DynamicSupervisor::start(std::move(options)).value();
  }
};

TEST_F(DynamicSupervisorTest, IgnoresIdsAndBoundsChildren) {
  const Pid supervisor = start({.max_children = 2});
  ASSERT_TRUE(DynamicSupervisor::start_child(supervisor, worker("a", trace)));
  ASSERT_TRUE(DynamicSupervisor::start_child(supervisor, worker("a", trace)));
  EXPECT_EQ(DynamicSupervisor::start_child(supervisor, worker("a", trace)).error().code,
            Code::max_children);
  const auto count = DynamicSupervisor::count_children(supervisor).value();
  EXPECT_EQ(count.specs, 2u);
  EXPECT_EQ(count.active, 2u);
}

TEST_F(DynamicSupervisorTest, TerminatesByPid) {
  const Pid supervisor = start();
  const Pid child = DynamicSupervisor::start_child(supervisor, worker("a", trace)).value();
  EXPECT_TRUE(DynamicSupervisor::terminate_child(supervisor, child));
  EXPECT_FALSE(is_alive(child));
  EXPECT_EQ(trace.take(), "+a -a");
  EXPECT_EQ(DynamicSupervisor::terminate_child(supervisor, child).error().code, Code::not_found);
}

TEST_F(DynamicSupervisorTest, RestartsUnderANewPid) {
  const Pid supervisor = start();
  const Pid old = DynamicSupervisor::start_child(supervisor, worker("a", trace)).value();
  cast(old, Worker::Crash{});
  ASSERT_TRUE(eventually([&] {
    const auto rows = DynamicSupervisor::which_children(supervisor).value();
    return rows.size() == 1 && rows[0].pid && rows[0].pid != old;
  }));
}

TEST_F(DynamicSupervisorTest, EndsBeyondItsIntensity) {
  const Pid supervisor = start({.max_restarts = 0});
  const Ref watch = monitor(supervisor);
  ASSERT_TRUE(DynamicSupervisor::start_child(supervisor, worker("a", trace)));
  const Pid b = DynamicSupervisor::start_child(supervisor, worker("b", trace)).value();
  cast(b, Worker::Crash{});
  EXPECT_TRUE(receive(when([&](const Down& d) { return d.ref == watch; },
                           [](Down d) { return d.reason == ExitReason::shutdown(); }),
                      after(5s, [] { return false; })));
  EXPECT_EQ(trace.take(), "+a +b -a");
}

TEST_F(DynamicSupervisorTest, KeepsNothingOfAFailedOrIgnoredStart) {
  const Pid supervisor = start();
  ChildSpec spec;
  spec.start = [] {
    return StartResult(std::unexpected(StartError{StartError::Code::ignored, {}, {}, {}}));
  };
  EXPECT_EQ(DynamicSupervisor::start_child(supervisor, spec).error().code, Code::ignored);
  spec.start = [] {
    return StartResult(
        std::unexpected(StartError{StartError::Code::failed, {}, ExitReason::term("no"), {}}));
  };
  const auto failed = DynamicSupervisor::start_child(supervisor, spec);
  EXPECT_EQ(failed.error().code, Code::start_failed);
  EXPECT_EQ(failed.error().reason, ExitReason::term("no"));
  EXPECT_EQ(DynamicSupervisor::count_children(supervisor).value().specs, 0u);
}

TEST_F(DynamicSupervisorTest, RefusesBadSpecsWithoutASupervisor) {
  const Pid nobody{self().node, 1};
  auto negative = worker("n", trace), significant = worker("s", trace);
  negative.shutdown = -1ms;
  significant.restart = Restart::transient;
  significant.significant = true;
  for (const ChildSpec& spec : {negative, significant, ChildSpec{}}) {
    EXPECT_EQ(DynamicSupervisor::start_child(nobody, spec).error().code, Code::bad_spec);
  }
}

// Elixir's table: who comes back after which reason. Whoever has seen DOWN finds the answer.
TEST_F(DynamicSupervisorTest, RestartsByRestartTypeAndReason) {
  struct Row {
    Restart restart;
    ExitReason reason;
    std::uint64_t left;
  };
  const ExitReason whatever = ExitReason::term("whatever");
  for (const Row& row :
       {Row{Restart::temporary, ExitReason::shutdown(), 0}, Row{Restart::temporary, whatever, 0},
        Row{Restart::transient, ExitReason::shutdown(), 0},
        Row{Restart::transient, ExitReason::shutdown("signal"), 0},
        Row{Restart::transient, whatever, 1}, Row{Restart::permanent, ExitReason::shutdown(), 1},
        Row{Restart::permanent, whatever, 1}}) {
    const Pid supervisor = start();
    ChildSpec spec;
    spec.restart = row.restart;
    spec.start = [] { return StartResult(spawn_link([] { sleep(infinity); })); };
    const Pid pid = DynamicSupervisor::start_child(supervisor, spec).value();
    const Ref ref = monitor(pid);
    exit(pid, row.reason);
    receive(when([ref](const Down& d) { return d.ref == ref; }, [](const Down&) {}));
    const auto count = DynamicSupervisor::count_children(supervisor).value();
    EXPECT_EQ(count.active, row.left) << to_string(row.restart) << to_string(row.reason);
    EXPECT_EQ(count.workers, row.left);
    ASSERT_TRUE(GenServer::stop(supervisor, ExitReason::shutdown(), 10s));
  }
}

TEST_F(DynamicSupervisorTest, AThrowingStartFailsAndARestartThatIsIgnoredForgets) {
  const Pid supervisor = start();
  ChildSpec spec;
  spec.start = []() -> StartResult { throw std::runtime_error("oops"); };
  EXPECT_EQ(DynamicSupervisor::start_child(supervisor, spec).error().reason.what(), "oops");
  int tries = 0;
  spec.start = [&tries]() -> StartResult {
    if (tries++ == 0) return StartResult(spawn_link([] { sleep(infinity); }));
    return std::unexpected(StartError{StartError::Code::ignored, {}, {}, {}});
  };
  const Pid pid = DynamicSupervisor::start_child(supervisor, spec).value();
  const Ref ref = monitor(pid);
  exit(pid, ExitReason::kill());
  receive(when([ref](const Down& d) { return d.ref == ref; }, [](const Down&) {}));
  EXPECT_EQ(DynamicSupervisor::count_children(supervisor).value().specs, 0u);
  EXPECT_EQ(tries, 2);
}

// Goal: many children stop together, those that do not after one wait, not one wait each.
TEST_F(DynamicSupervisorTest, StopsItsChildrenConcurrently) {
  const Pid supervisor = start();
  for (int i = 0; i < 200; ++i) {
    ChildSpec spec;
    spec.shutdown = 50ms;
    spec.start = [i] {
      if (i % 2 == 0) return GenServer::start_link<test::Stubborn>({.trap_exit = true});
      return GenServer::start_link<test::Stubborn>({});
    };
    ASSERT_TRUE(DynamicSupervisor::start_child(supervisor, spec));
  }
  const Time begin = node.clock.now();
  ASSERT_TRUE(GenServer::stop(supervisor, ExitReason::shutdown(), 10s));
  EXPECT_LT(node.clock.now() - begin, 5s);
  EXPECT_TRUE(eventually([&] { return list().size() <= 1; }));  // only this thread is left
}

}  // namespace
}  // namespace coterie
