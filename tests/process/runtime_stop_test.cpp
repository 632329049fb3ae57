// The end of a node: what it waits for, what it gives up on, and who may still hold it afterwards.

#include <gtest/gtest.h>

#include <thread>

#include <coterie/gen_server.hpp>

#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::LocalNode;

struct Ping {
  using Reply = void;
};

void wait_for(const std::atomic<bool>& flag) {
  while (!flag) std::this_thread::yield();
}

// Goal: threads that outlive the processes (attached ones, the agreement's, clients') meet dead
// processes, not freed memory.
TEST(RuntimeStop, AfterwardsEverybodyIsDeadButNothingIsFreed) {
  LocalNode node;
  const Pid pid = spawn([] { sleep(infinity); });
  ASSERT_TRUE(register_name("sleeper", pid));
  node.runtime.subscribe_nodes(pid);
  ASSERT_TRUE(node.runtime.stop());

  node.runtime.announce([] { return detail::make_message(detail::MessageKind::send, Ping{}); });
  node.runtime.fence();
  node.runtime.gate_moved();
  node.runtime.signal({}, pid, Signal::exit, Ref::none, ExitReason::kill());
  EXPECT_EQ(whereis("sleeper"), std::nullopt);
  EXPECT_EQ(call(pid, Ping{}, 1s).error().code(), CallError::Code::noproc);
  EXPECT_FALSE(spawn([] {}));
  EXPECT_NE(send_after(1h, pid, Ping{}), Ref::none);
  const Ref ref = monitor(pid);
  bool down = false;
  receive([&](const Down& d) { down = d.ref == ref && d.reason == ExitReason::noproc(); },
          after(0s, [] {}));
  EXPECT_TRUE(down);
  EXPECT_TRUE(node.runtime.stop());
}

// Goal: a job of blocking() outlives the process that waits for it, never the node.
TEST(RuntimeStop, WaitsForBlockingJobsThatRun) {
  LocalNode node;
  std::atomic<bool> begun = false, may_end = false, ended = false;
  spawn([&] {
    blocking([&] {
      begun = true;
      wait_for(may_end);
      ended = true;
    });
  });
  wait_for(begun);
  std::thread release([&] {
    // The caller has been killed: only the job is left.
    while (node.runtime.process_count() > 0) std::this_thread::yield();
    may_end = true;
  });
  EXPECT_TRUE(node.runtime.stop());
  EXPECT_TRUE(ended);
  release.join();
}

TEST(RuntimeStop, GivesUpOnACallbackThatDoesNotReturn) {
  LocalNode node({.node = "test", .workers = 2, .stop_max = 20ms});
  std::atomic<bool> begun = false, may_end = false;
  const Pid pid = spawn([&] {
    begun = true;
    wait_for(may_end);
  });
  wait_for(begun);
  EXPECT_FALSE(node.runtime.stop());
  const auto entries = node.sink.entries();
  ASSERT_FALSE(entries.empty());
  EXPECT_EQ(entries.back().level, LogLevel::error);
  EXPECT_EQ(entries.back().field("processes"), to_string(pid, node.runtime.node()));
  // It is not lost: once the callback returns, the node can be stopped after all.
  may_end = true;
  while (!node.runtime.stop()) {
  }
}

TEST(RuntimeStop, GivesUpOnABlockingJobThatDoesNotReturn) {
  LocalNode node({.node = "test", .workers = 2, .stop_max = 20ms});
  std::atomic<bool> begun = false, may_end = false;
  spawn([&] {
    blocking([&] {
      begun = true;
      wait_for(may_end);
    });
  });
  wait_for(begun);
  EXPECT_FALSE(node.runtime.stop());
  may_end = true;
  while (!node.runtime.stop()) {
  }
}

void destroy_with_an_attached_thread() {
  auto node = std::make_unique<LocalNode>();
  auto* left = new detail::AttachedThread(node->runtime);
  node.reset();
  delete left;
}

void destroy_with_a_stuck_callback() {
  LocalNode node({.node = "test", .workers = 1, .stop_max = 1ms});
  std::atomic<bool> begun = false, never = false;
  spawn([&] {
    begun = true;
    wait_for(never);
  });
  wait_for(begun);
}

TEST(RuntimeStopDeathTest, SaysWhoStillHoldsIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(destroy_with_an_attached_thread(), "destroyed while a thread is attached");
  EXPECT_DEATH(destroy_with_a_stuck_callback(), "destroyed while a callback .* does not return");
}

}  // namespace
}  // namespace coterie
