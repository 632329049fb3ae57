// What OTP's after_SUITE, receive_SUITE, timer_bif_SUITE and timer_simple_SUITE check of waiting
// and of timers beyond process_test.cpp and timers_test.cpp. On virtual time.

#include <gtest/gtest.h>

#include <coterie/process.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_process;
using test::VirtualNode;
using Numbers = std::vector<int>;

struct Tick {
  int id = 0;
};
struct Other {
  int id = 0;
};

bool tick_in(Duration within) {
  return receive([](const Tick&) { return true; }, after(within, [] { return false; }));
}
Numbers ticks(std::size_t count) {
  Numbers ids;
  while (ids.size() < count) receive([&](const Tick& tick) { ids.push_back(tick.id); });
  return ids;
}

// after_SUITE:receive_zero, receive_var_zero. A wait of nothing looks at what is here, once.
TEST(ReceiveAfter, ZeroLooksAndLeavesTheRest) {
  VirtualNode node;
  run_process([&node] {
    send(self(), Other{1});
    send(self(), Other{2});
    EXPECT_FALSE(tick_in(0s));
    receive(after(0s, [] {}));
    send(self(), Tick{3});
    EXPECT_TRUE(tick_in(0s)) << "behind others, but here";
    receive([](const Other& other) { EXPECT_EQ(other.id, 1); });
    receive([](const Other& other) { EXPECT_EQ(other.id, 2); });
    EXPECT_EQ(node.elapsed(), 0s);
  });
}

// after_SUITE:receive_after_32bit, receive_after_big, timer_bif_SUITE:send_after_big.
TEST(ReceiveAfter, WaitsMayBeLong) {
  VirtualNode node;
  run_process([&node] {
    const Duration days = 24h * 60;  // more milliseconds than 32 bits have
    const Time begin = node.world.now();
    EXPECT_FALSE(tick_in(days));
    EXPECT_GE(node.world.now() - begin, days);
    EXPECT_LT(node.world.now() - begin, days + 1s);
    const Ref timer = send_after(days, self(), Tick{});
    sleep(200ms);
    EXPECT_LE(read_timer(timer).value(), days - 200ms);
    EXPECT_GT(cancel_timer(timer).value(), days - 10s);
    spawn([me = self()] { send(me, Tick{}); });
    EXPECT_TRUE(tick_in(24h * 365 * 100));
    spawn([me = self()] { send(me, Tick{}); });
    EXPECT_TRUE(tick_in(infinity));
  });
}

// after_SUITE:receive_after_blast: all wake, none too early.
TEST(ReceiveAfter, ManyWakeAtTheSameMoment) {
  VirtualNode node;
  constexpr int count = 2'000;
  int woken = 0, early = 0;
  std::vector<Ref> ends;
  for (int i = 0; i < count; ++i) {
    ends.push_back(spawn_monitor([&] {
                     receive(after(5s, [] {}));
                     ++woken;
                     early += node.elapsed() < 5s ? 1 : 0;
                   }).second);
  }
  for (const Ref ref : ends) receive_down(ref);
  EXPECT_EQ(woken, count);
  EXPECT_EQ(early, 0);
  EXPECT_LT(node.elapsed(), 6s);
}

// receive_SUITE:receive_opt_exception. What is thrown while a message is looked at leaves it there.
TEST(SelectiveReceive, AConditionThatThrowsLeavesItsMessage) {
  VirtualNode node;
  run_process([] {
    send(self(), Other{1});
    send(self(), Tick{2});
    const auto throws = [](const Tick&) -> bool { throw std::runtime_error("no"); };
    EXPECT_THROW(receive(when(throws, [](const Tick&) {})), std::runtime_error);
    EXPECT_EQ(ticks(1), Numbers{2});
    receive([](const Other& other) { EXPECT_EQ(other.id, 1); });
  });
}

// receive_SUITE:receive_in_between, receive_opt_recursion, gh_5235_missing_save_reset.
TEST(SelectiveReceive, AReceiveInsideAnotherBeginsAtTheFront) {
  VirtualNode node;
  run_process([] {
    for (int i = 0; i < 100; ++i) {
      send(self(), Other{i});
      send(self(), Tick{i});
      receive([i](const Tick& tick) {
        EXPECT_EQ(tick.id, i);
        receive([i](const Other& other) { EXPECT_EQ(other.id, i); });
      });
    }
    // One that waits has seen the messages before it; those that come count, and the old ones again
    // for whoever receives next.
    send(self(), Other{1});
    spawn([me = self()] {
      sleep(1ms);
      send(me, Other{2});
      send(me, Tick{3});
    });
    EXPECT_EQ(ticks(1), Numbers{3});
    receive([](const Other& other) { EXPECT_EQ(other.id, 1); });
    receive([](const Other& other) { EXPECT_EQ(other.id, 2); });
  });
}

// timer_bif_SUITE:send_after_2, send_after_3.
TEST(Timers, FireInTheOrderOfTheirTimes) {
  VirtualNode node;
  for (const int ms : {5000, 0, 200, 100, 500, 300, 400, 101, 102, 103}) {
    send_after(1ms * ms, self(), Tick{ms});
  }
  EXPECT_EQ(ticks(10), (Numbers{0, 100, 101, 102, 103, 200, 300, 400, 500, 5000}));
}

// OTP refuses a negative time; here one that is over is now.
TEST(Timers, ATimeThatIsOverIsNow) {
  VirtualNode node;
  run_process([&node] {
    send_after(-4ms, self(), Tick{1});
    EXPECT_EQ(ticks(1), Numbers{1});
    EXPECT_FALSE(tick_in(-1s));
    sleep(-1s);
    EXPECT_LT(node.elapsed(), 2ms);
  });
}

// timer_bif_SUITE:registered_process. A name is looked for when the timer fires.
TEST(Timers, ToANameGoToWhoHasItThen) {
  VirtualNode node;
  const Ref cancelled = send_after(10ms, local("late"), Tick{1});
  EXPECT_TRUE(cancel_timer(cancelled));
  send_after(10ms, local("late"), Tick{2});
  ASSERT_TRUE(register_name("late", self()));
  EXPECT_EQ(ticks(1), Numbers{2});
  send_after(10ms, local("late"), Tick{3});
  ASSERT_TRUE(unregister_name("late"));
  const auto before = node.runtime.counters().dead_letters.load();
  sleep(20ms);
  EXPECT_EQ(node.runtime.counters().dead_letters.load(), before + 1);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  EXPECT_EQ(node.runtime.timer_count(), 0u);
}

// timer_bif_SUITE:cleanup, auto_cancel. Nothing is left of a timer, however it went.
TEST(Timers, LeaveNothingBehind) {
  VirtualNode node;
  const Pid dead = spawn([] {});
  test::wait_for_end(dead);
  send_after(10ms, dead, Tick{});
  const Pid dies = spawn([] { sleep(5ms); });
  send_after(10ms, dies, Tick{});
  run_process([] { send_after(10ms, self(), Tick{}); });
  cancel_timer(send_after(1h, self(), Tick{}));
  sleep(20ms);
  EXPECT_EQ(node.runtime.timer_count(), 0u);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

}  // namespace
}  // namespace coterie
