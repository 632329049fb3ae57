// Row 29: what each policy does at a mailbox's bound, in messages and in bytes; what can be read of
// it; the alarm; try_send and try_cast. On virtual time.

#include <gtest/gtest.h>

#include <coterie/call.hpp>
#include <coterie/gen_server.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using test::wait_for_end;

struct Item {
  int value = 0;
};
struct Block {
  std::array<char, 60'000> bytes{};
};
struct Go {};
struct Ask {
  using Reply = int;
};

/// Waits for Go, then tells the values of all items in its mailbox.
Pid start_receiver(MailboxLimits limits) {
  return spawn(
      [me = self()] {
        receive([](const Go&) {});
        std::vector<int> values;
        while (receive(
            [&](const Item& item) {
              values.push_back(item.value);
              return true;
            },
            after(0s, [] { return false; }))) {
        }
        send(me, values);
        sleep(infinity);
      },
      {.mailbox = limits});
}
std::vector<int> values_of(const Pid& receiver) {
  exit(receiver, ExitReason::normal());  // a signal gets in whatever the mailbox holds
  send(receiver, Go{});
  return receive([](std::vector<int> values) { return values; },
                 after(10s, [] { return std::vector<int>{-1}; }));
}

TEST(MailboxBounds, RefuseKeepsTheOldest) {
  VirtualNode node;
  const Pid receiver = start_receiver({.messages = 5});
  sleep(1ms);
  for (int i = 0; i < 20; ++i) send(receiver, Item{i});
  const auto full = info(receiver);
  EXPECT_EQ(full->message_queue_length, 5u);
  EXPECT_EQ(full->refused_messages, 15u);
  EXPECT_TRUE(full->mailbox_alarm);
  EXPECT_EQ(full->mailbox.messages, 5u);
  EXPECT_EQ(node_counters().refused_messages, 15u);
  EXPECT_EQ(node_counters().mailbox_alarms, 1u);
  EXPECT_EQ(call(receiver, Ask{}, 1s).error().code(), CallError::Code::overloaded);
  EXPECT_EQ(try_send(receiver, Item{}).error().code(), CallError::Code::overloaded);
  EXPECT_EQ(try_cast(receiver, Item{}).error().execution(), CallError::Execution::not_executed);
}

TEST(MailboxBounds, DropOldKeepsTheNewest) {
  VirtualNode node;
  const Pid receiver = start_receiver({.messages = 5, .overflow = Overflow::drop_old});
  sleep(1ms);
  for (int i = 0; i < 20; ++i) {
    send(receiver, Item{i});
    sleep(1ms);  // it looks
  }
  const auto full = info(receiver);
  EXPECT_EQ(full->message_queue_length, 5u);
  EXPECT_EQ(full->refused_messages, 15u);
  EXPECT_EQ(full->mailbox, (MailboxLimits{.messages = 5, .overflow = Overflow::drop_old}));
  // Go takes the place of one more.
  EXPECT_EQ(values_of(receiver), (std::vector{16, 17, 18, 19}));
}

TEST(MailboxBounds, DropOldAnswersACallThatItDrops) {
  VirtualNode node;
  const Pid receiver = start_receiver({.messages = 3, .overflow = Overflow::drop_old});
  sleep(1ms);
  const Pid me = self();
  spawn([me, receiver] { send(me, Item{static_cast<int>(call(receiver, Ask{}).error().code())}); });
  sleep(1ms);
  for (int i = 0; i < 3; ++i) send(receiver, Item{i});
  EXPECT_EQ(receive([](const Item& code) { return CallError::Code(code.value); }),
            CallError::Code::overloaded);
}

// What the runtime itself puts into a mailbox is told once, so it is never dropped.
TEST(MailboxBounds, DropOldKeepsDownAndExit) {
  VirtualNode node;
  const Pid me = self();
  const Pid receiver = spawn(
      [me] {
        monitor(Pid{});
        receive([](const Go&) {});
        receive([me](const Down& down) { send(me, down); });
      },
      {.mailbox = MailboxLimits{.messages = 2, .overflow = Overflow::drop_old}});
  sleep(1ms);
  for (int i = 0; i < 10; ++i) {
    send(receiver, Item{i});
    sleep(1ms);
  }
  send(receiver, Go{});
  EXPECT_EQ(receive([](const Down& down) { return down.reason; }), ExitReason::noproc());
}

// While a callback runs nobody can take the oldest out: up to twice the bound, then refused.
TEST(MailboxBounds, DropOldIsBoundedWhileNobodyLooks) {
  VirtualNode node;
  const Pid receiver = spawn(
      [me = self()] {
        for (int i = 0; i < 100; ++i) send(self(), Item{i});
        send(me, static_cast<int>(node_counters().refused_messages));
        send(me, static_cast<int>(info().message_queue_length));
      },
      {.mailbox = MailboxLimits{.messages = 10, .overflow = Overflow::drop_old}});
  receive([](int refused) { EXPECT_LE(refused, 90); });
  receive([](int queued) { EXPECT_LE(queued, 20); });
  wait_for_end(receiver);
}

TEST(MailboxBounds, ParkMakesTheSenderWait) {
  VirtualNode node;
  const Pid slow = spawn(
      [me = self()] {
        for (;;) {
          receive([](const Item&) {});
          sleep(10ms);
        }
      },
      {.mailbox = MailboxLimits{.messages = 2, .overflow = Overflow::park}});
  const Time begin = node.world.now();
  for (int i = 0; i < 20; ++i) send(slow, Item{i});
  EXPECT_GE(node.world.now() - begin, 150ms);
  EXPECT_EQ(info(slow)->refused_messages, 0u);
  // A timer does not wait.
  for (int i = 0; i < 5; ++i) send_after(0s, slow, Item{});
  sleep(1ms);
  EXPECT_GE(info(slow)->refused_messages, 3u);
}

TEST(MailboxBounds, KillEndsTheReceiver) {
  VirtualNode node;
  const Pid receiver = start_receiver({.messages = 5, .overflow = Overflow::kill});
  sleep(1ms);
  for (int i = 0; i < 5; ++i) send(receiver, Item{i});
  EXPECT_TRUE(is_alive(receiver));
  send(receiver, Item{5});
  EXPECT_EQ(wait_for_end(receiver), ExitReason::killed());
  const Pid called = start_receiver({.messages = 0, .overflow = Overflow::kill});
  EXPECT_EQ(call(called, Ask{}, 1s).error().code(), CallError::Code::overloaded);
  sleep(1ms);
  EXPECT_FALSE(is_alive(called));
}

// Large messages count by their bytes, and raise the alarm by them.
TEST(MailboxBounds, BytesAreABoundToo) {
  VirtualNode node;
  system_monitor(true);
  const Pid refusing = start_receiver({.bytes = 1'000'000});
  sleep(1ms);
  for (int i = 0; i < 20; ++i) send(refusing, Block{});
  auto full = info(refusing);
  EXPECT_EQ(full->message_queue_length, 16u);
  EXPECT_EQ(full->refused_messages, 4u);
  EXPECT_GE(full->memory, 900'000u);
  EXPECT_LE(full->memory, 1'010'000u);
  EXPECT_TRUE(full->mailbox_alarm);
  EXPECT_TRUE(receive([&](const LongMessageQueue& alarm) { return alarm.pid == refusing; },
                      after(1s, [] { return false; })));

  const Pid dropping = start_receiver({.bytes = 1'000'000, .overflow = Overflow::drop_old});
  sleep(1ms);
  for (int i = 0; i < 40; ++i) {
    send(dropping, Block{});
    sleep(1ms);
  }
  full = info(dropping);
  EXPECT_EQ(full->message_queue_length, 16u);
  EXPECT_EQ(full->refused_messages, 24u);
}

// Small messages fill a slot of 64 bytes each.
TEST(MailboxBounds, BytesBoundSmallMessagesToo) {
  VirtualNode node;
  const Pid receiver = start_receiver({.bytes = 6400, .overflow = Overflow::drop_old});
  sleep(1ms);
  for (int i = 0; i < 300; ++i) {
    send(receiver, Item{i});
    sleep(1ms);
  }
  EXPECT_EQ(info(receiver)->message_queue_length, 100u);
  EXPECT_EQ(info(receiver)->refused_messages, 200u);
  EXPECT_EQ(info(receiver)->mailbox.messages, 100u);
}

TEST(MailboxBounds, TheAlarmIsAMessageAndEnds) {
  VirtualNode node;
  system_monitor(true);
  const Pid receiver = start_receiver({.messages = 80});
  sleep(1ms);
  for (int i = 0; i < 20; ++i) send(receiver, Item{i});
  receive([&](const LongMessageQueue& alarm) {
    EXPECT_EQ(alarm.pid, receiver);
    EXPECT_TRUE(alarm.on);
    EXPECT_EQ(alarm.messages, 11u);
  });
  EXPECT_EQ(values_of(receiver).size(), 20u);
  for (int i = 0; i < 2; ++i) send(receiver, Item{i});  // it looks once more
  receive([&](const LongMessageQueue& alarm) { EXPECT_FALSE(alarm.on); },
          after(10s, [] { FAIL() << "the alarm does not end"; }));
  EXPECT_FALSE(info(receiver)->mailbox_alarm);
  system_monitor(false);
  for (int i = 0; i < 40; ++i) send(receiver, Item{i});
  sleep(1ms);
  EXPECT_FALSE(
      receive([](const LongMessageQueue&) { return true; }, after(0s, [] { return false; })));
}

/// Notes the longest queue that it has seen.
class Slow final : public GenServer {
 public:
  struct Longest {
    using Reply = std::size_t;
  };
  using Calls = Messages<Longest>;
  using Casts = Messages<Item>;
  void handle_cast(const Item&) { longest_ = std::max(longest_, info().message_queue_length); }
  std::size_t handle_call(const Longest&) { return longest_; }

 private:
  std::size_t longest_ = 0;
};

// A producer that never waits gives its turn up often enough: on one worker a receiver's queue
// stays within twice a step of 64 messages, with a bound that is far away.
TEST(MailboxBounds, AProducerThatNeverWaitsKeepsTheQueueShort) {
  VirtualNode node;
  std::size_t longest = 0;
  test::run_process([&longest] {
    const Pid slow = GenServer::start<Slow>({}).value();
    for (int i = 0; i < 100'000; ++i) cast(slow, Item{i});
    longest = call(slow, Slow::Longest{}).value();
  });
  EXPECT_GT(longest, 0u);
  EXPECT_LE(longest, 128u);
}

TEST(TrySend, SaysWhatHappened) {
  VirtualNode node;
  EXPECT_TRUE(try_send(self(), Item{1}));
  EXPECT_EQ(receive([](const Item& item) { return item.value; }), 1);
  EXPECT_EQ(try_send(local("nobody"), Item{}).error().code(), CallError::Code::noproc);
  EXPECT_EQ(try_send(Pid{}, Item{}).error().code(), CallError::Code::noproc);
  EXPECT_EQ(try_send(at("x", "elsewhere"), Item{}).error().code(), CallError::Code::nodedown);
  EXPECT_EQ(try_send(via("nothing", "x"), Item{}).error().code(), CallError::Code::noproc);
  EXPECT_FALSE(try_cast(local("nobody"), Item{}).error().maybe_executed());
}

}  // namespace
}  // namespace coterie
