// send_after, read_timer, cancel_timer and every(): Elixir's process_test.exs and Erlang's timer,
// on virtual time. Row 46's second half: a fixed rate.

#include <gtest/gtest.h>

#include <coterie/process.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_process;
using test::VirtualNode;

struct Tick {
  int id = 0;
};

bool next_tick(Duration within) {
  return receive([](const Tick&) { return true; }, after(within, [] { return false; }));
}

TEST(Timers, CanBeReadAndCancelled) {
  VirtualNode node;
  run_process([] {
    const Ref timer = send_after(100ms, self(), Tick{});
    EXPECT_LE(read_timer(timer).value(), 100ms);
    EXPECT_GE(read_timer(timer).value(), 99ms);
    sleep(60ms);
    EXPECT_LE(read_timer(timer).value(), 40ms);
    EXPECT_LE(cancel_timer(timer).value(), 40ms);
    EXPECT_FALSE(read_timer(timer));
    EXPECT_FALSE(cancel_timer(timer));
    EXPECT_FALSE(next_tick(1s));
    const Ref fired = send_after(1ms, self(), Tick{});
    EXPECT_TRUE(next_tick(1s));
    EXPECT_FALSE(read_timer(fired));
    EXPECT_FALSE(read_timer(Ref::none));
  });
  // From a thread that runs no worker too.
  const Ref timer = send_after(100ms, self(), Tick{});
  EXPECT_GE(read_timer(timer).value(), 90ms);
  EXPECT_GE(cancel_timer(timer).value(), 90ms);
}

TEST(Every, KeepsItsRateWhateverTheReceiverDoes) {
  VirtualNode node;
  run_process([&node] {
    const Time begin = node.world.now();
    const Ref timer = every(100ms, self(), Tick{1});
    for (int i = 1; i <= 5; ++i) {
      EXPECT_TRUE(next_tick(1s));
      const Duration late = node.world.now() - begin - i * 100ms;
      EXPECT_GE(late, 0ms);
      EXPECT_LT(late, 10ms) << i;
      sleep(70ms);
    }
    EXPECT_LE(read_timer(timer).value(), 100ms);
    EXPECT_TRUE(cancel_timer(timer));
    EXPECT_FALSE(cancel_timer(timer));
    EXPECT_FALSE(next_tick(1s));
  });
  EXPECT_EQ(node.runtime.timer_count(), 0u);
}

TEST(Every, CanBeCancelledByAThread) {
  VirtualNode node;
  const Ref timer = every(10ms, self(), Tick{});
  EXPECT_TRUE(next_tick(1s));
  EXPECT_TRUE(next_tick(1s));
  EXPECT_TRUE(cancel_timer(timer));
  EXPECT_FALSE(next_tick(1s));
}

TEST(Every, EndsWithItsReceiver) {
  VirtualNode node;
  run_process([] { every(10ms, self(), Tick{}); });
  sleep(1s);
  EXPECT_EQ(node.runtime.timer_count(), 0u);
}

// To a name it goes on: whoever has the name then gets it.
TEST(Every, FollowsAName) {
  VirtualNode node;
  const Ref timer = every(10ms, local("ticked"), Tick{});
  sleep(25ms);
  EXPECT_TRUE(register_name("ticked", self()));
  EXPECT_TRUE(next_tick(1s));
  EXPECT_TRUE(cancel_timer(timer));
  EXPECT_THROW(every(0s, self(), Tick{}), std::invalid_argument);
}

}  // namespace
}  // namespace coterie
