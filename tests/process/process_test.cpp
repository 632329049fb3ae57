// Processes on real workers: spawn, receive, links, monitors, exit signals, timers, kills.

#include <gtest/gtest.h>

#include <coterie/call.hpp>
#include <coterie/process.hpp>

#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::await_down;
using test::LocalNode;

struct Ping {
  Pid from;
};
struct Pong {
  int value = 0;
};

TEST(Process, AnswersAMessage) {
  LocalNode node;
  const Pid echo = spawn([] { receive([](const Ping& ping) { send(ping.from, Pong{7}); }); });
  send(echo, Ping{self()});
  EXPECT_EQ(receive([](const Pong& pong) { return pong.value; }, after(10s, [] { return -1; })), 7);
}

TEST(Process, ReceiveTakesTheFirstMatchAndLeavesTheRest) {
  LocalNode node;
  send(self(), Pong{1});
  send(self(), Pong{2});
  send(self(), Ping{});
  EXPECT_TRUE(receive([](const Ping&) { return true; }, after(1s, [] { return false; })));
  EXPECT_EQ(receive(when([](const Pong& p) { return p.value == 2; },
                         [](const Pong& p) { return p.value; }),
                    after(1s, [] { return 0; })),
            2);
  EXPECT_EQ(receive([](const Pong& p) { return p.value; }, after(0s, [] { return 0; })), 1);
  EXPECT_EQ(receive([](const Pong& p) { return p.value; }, after(0s, [] { return 0; })), 0);
}

TEST(Process, MonitorYieldsOneDownWithTheReason) {
  LocalNode node;
  const auto [pid, ref] = spawn_monitor([] { exit(ExitReason::term("done")); });
  const Down down = await_down(ref);
  EXPECT_EQ(down.pid, pid);
  EXPECT_EQ(down.reason, ExitReason::term("done"));
  EXPECT_EQ(await_down(monitor(pid)).reason, ExitReason::noproc());
}

TEST(Process, AnEscapedExceptionIsTheReason) {
  LocalNode node;
  const Ref ref = spawn_monitor([] { throw std::runtime_error("no such file"); }).second;
  EXPECT_EQ(to_string(await_down(ref).reason), "{error,std::runtime_error,\"no such file\"}");
}

TEST(Process, LinkedProcessesDieTogetherUnlessNormal) {
  LocalNode node;
  for (const bool crash : {true, false}) {
    auto [parent, ref] = spawn_monitor([crash] {
      spawn_link([crash] {
        if (crash) exit(ExitReason::term("boom"));
      });
      sleep(crash ? Duration(30s) : Duration(50ms));
    });
    const Down down = await_down(ref);
    EXPECT_EQ(down.reason, crash ? ExitReason::term("boom") : ExitReason::normal());
  }
}

TEST(Process, TrappingTurnsExitSignalsIntoMessages) {
  LocalNode node;
  const Pid child = spawn_link([] { exit(ExitReason::term("boom")); });
  receive(
      [&](const Exit& exit) {
        EXPECT_EQ(exit.from, child);
        EXPECT_EQ(exit.reason, ExitReason::term("boom"));
      },
      after(10s, [] { FAIL() << "no Exit"; }));
}

TEST(Process, ExitSignalsFollowOtpsTable) {
  LocalNode node;
  struct Row {
    bool trap;
    ExitReason sent;
    ExitReason dies_with;  // term "lives": it does not die
  };
  const ExitReason lives = ExitReason::term("lives");
  const Row rows[] = {
      {false, ExitReason::normal(), lives},
      {false, ExitReason::term("x"), ExitReason::term("x")},
      {false, ExitReason::shutdown(), ExitReason::shutdown()},
      {false, ExitReason::kill(), ExitReason::killed()},
      {true, ExitReason::normal(), lives},
      {true, ExitReason::term("x"), lives},
      {true, ExitReason::kill(), ExitReason::killed()},
  };
  for (const Row& row : rows) {
    auto [pid, ref] =
        spawn_monitor([] { receive([](const Pong&) { exit(ExitReason::term("lives")); }); },
                      {.trap_exit = row.trap});
    exit(pid, row.sent);
    send(pid, Pong{});
    EXPECT_EQ(await_down(ref).reason, row.dies_with)
        << to_string(row.sent) << (row.trap ? " trapped" : "");
  }
}

TEST(Process, TimersFireOnceAndCanBeCancelled) {
  LocalNode node;
  const Time start = node.clock.now();
  send_after(20ms, self(), Pong{1});
  const Ref cancelled = send_after(10ms, self(), Pong{2});
  const auto left = cancel_timer(cancelled);
  ASSERT_TRUE(left);
  EXPECT_LE(*left, 10ms);
  EXPECT_EQ(receive([](const Pong& p) { return p.value; }, after(10s, [] { return 0; })), 1);
  EXPECT_GE(node.clock.now() - start, 20ms);
  EXPECT_FALSE(cancel_timer(cancelled));
}

TEST(Process, BlockingWorkParksOnlyItsProcess) {
  LocalNode node;
  EXPECT_EQ(blocking([] { return 42; }), 42);
  EXPECT_THROW(blocking([] { throw std::logic_error("x"); }), std::logic_error);
}

TEST(Process, BlockingWorkIsGoneBeforeItsCallerGoesOn) {
  // Goal: a connection that the work held is closed when its owner lets go of it.
  LocalNode node;
  for (int i = 0; i < 1000; ++i) {
    const auto held = std::make_shared<int>(i);
    EXPECT_EQ(blocking([held] { return *held; }), i);
    ASSERT_EQ(held.use_count(), 1);
  }
}

TEST(Process, AFullMailboxRefusesAndCounts) {
  LocalNode node;
  auto [pid, ref] =
      spawn_monitor([] { sleep(infinity); }, {.mailbox = MailboxLimits{.messages = 100}});
  for (int i = 0; i < 1000; ++i) send(pid, Pong{i});
  EXPECT_EQ(node.runtime.counters().refused_messages, 900u);
  exit(pid, ExitReason::kill());
  await_down(ref);
}

}  // namespace
}  // namespace coterie
