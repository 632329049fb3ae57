// What the runtime is built of: the table of ties, the timer queue, the mailbox's word, the lock of
// a worker's queues; against plain models, and under threads.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "process/biased_lock.hpp"
#include "process/flat_table.hpp"
#include "process/mailbox.hpp"
#include "process/seeded_random.hpp"
#include "process/timer.hpp"

namespace coterie::detail {
namespace {

using namespace std::chrono_literals;

TEST(FlatTable, AgreesWithAMapAsItGrowsAndShrinks) {
  // Random inserts and erasures of few, some and many keys leave what a map holds.
  SeededRandom random(7);
  for (const std::uint64_t keys : {8u, 40u, 3000u}) {
    FlatTable<Monitor> table;
    std::map<Ref, Pid> model;
    for (int i = 0; i < 20'000; ++i) {
      const Ref ref{random.below(keys) + 1};
      const Pid pid{NodeId{1}, random.below(1000) + 1};
      if (random.below(2) == 0) {
        ASSERT_EQ(table.insert({ref, pid}), model.emplace(ref, pid).second);
      } else {
        ASSERT_EQ(table.erase(ref), model.erase(ref) == 1);
      }
      ASSERT_EQ(table.size(), model.size());
      const Monitor* found = table.find(ref);
      ASSERT_EQ(found != nullptr, model.contains(ref));
      if (found != nullptr) {
        ASSERT_EQ(found->target, model.at(ref));
      }
    }
    std::map<Ref, Pid> all;
    for (const auto& [ref, pid] : table) all.emplace(ref, pid);
    EXPECT_EQ(all, model);
  }
}

struct TestTimer final : Timer {
  explicit TestTimer(std::vector<TestTimer*>& fired_list)
      : Timer([](Timer& timer) {
          auto& self = static_cast<TestTimer&>(timer);
          self.fired.push_back(&self);
        }),
        fired(fired_list) {}
  std::vector<TestTimer*>& fired;
  Duration wait{};
  Time due{};
  std::uint64_t set = 0;
};

TEST(TimerQueue, FiresInOrderAndAtItsTimeHoweverFarAhead) {
  // Waits from nothing to two days, cancels, and steps of the clock to where the queue says:
  // each timer fires at the first step that is not before its moment, in the order of moments.
  SeededRandom random(11);
  std::vector<TestTimer*> fired;
  std::vector<std::unique_ptr<TestTimer>> timers;
  for (int i = 0; i < 300; ++i) timers.push_back(std::make_unique<TestTimer>(fired));
  TimerQueue queue;
  Time now{1h};
  Time next = queue.advance(now);
  std::uint64_t sets = 0;
  std::vector<TestTimer*> fresh;  // their waits begin at the next clock read
  constexpr Duration scales[] = {1us, 1ms, 1s, 60s, 1h, 48h};
  for (int step = 0; step < 20'000; ++step) {
    TestTimer& timer = *timers[random.below(timers.size())];
    if (timer.pending()) {
      if (random.below(2) == 0) {
        queue.cancel(timer);
        std::erase(fresh, &timer);
      }
    } else {
      const Duration wait(static_cast<Duration::rep>(
          random.below(static_cast<std::uint64_t>(scales[random.below(6)].count()))));
      queue.set(timer, wait);
      timer.wait = wait;
      timer.set = ++sets;
      fresh.push_back(&timer);
      next = std::min(next, after(now, wait));
    }
    if (random.below(3) != 0) continue;
    // To the next moment, or not quite so far.
    Time to = next == Time::max() ? after(now, 1ms) : next;
    if (to > now && random.below(4) == 0) to = after(now, (to - now) / 2);
    now = std::max(now, to);
    fired.clear();
    for (TestTimer* each : fresh) each->due = after(now, each->wait);
    fresh.clear();
    next = queue.advance(now);
    for (std::size_t i = 0; i < fired.size(); ++i) {
      ASSERT_LE(fired[i]->due, now);
      if (i == 0) continue;
      ASSERT_LT(std::pair(fired[i - 1]->due, fired[i - 1]->set),
                std::pair(fired[i]->due, fired[i]->set));
    }
    Time earliest = Time::max();
    for (const auto& each : timers) {
      if (!each->pending()) continue;
      ASSERT_GT(each->due, now);
      earliest = std::min(earliest, each->due);
    }
    ASSERT_LE(next, earliest);
    ASSERT_GT(next, now);
  }
  for (const auto& each : timers) queue.cancel(*each);
  EXPECT_TRUE(queue.empty());
}

TEST(Mailbox, LosesNothingBetweenPushAndRest) {
  // Two threads push; whoever finds the process at rest owns it and takes what is there until it
  // rests again. Every message is taken once, in its sender's order, and never by two at once.
  constexpr int each = 20'000;
  Mailbox mailbox;
  std::atomic<std::uint32_t> taken{0};
  std::atomic<int> owners{0};
  std::array<int, 2> last{-1, -1};
  int received = 0;
  const auto own = [&] {
    do {
      EXPECT_EQ(owners.fetch_add(1), 0);
      for (Message* list = mailbox.take(taken); list != nullptr;) {
        MessagePtr message(std::exchange(list, list->next));
        const auto [sender, number] = *message->as<std::pair<int, int>>();
        EXPECT_EQ(number, last[static_cast<std::size_t>(sender)] + 1);
        last[static_cast<std::size_t>(sender)] = number;
        ++received;
      }
      owners.fetch_sub(1);
    } while (!mailbox.rest());
  };
  ASSERT_TRUE(mailbox.rest());
  const auto send = [&](int sender) {
    for (int i = 0; i < each; ++i) {
      auto message = make_message(MessageKind::send, std::pair(sender, i));
      const auto pushed = mailbox.push(*message, Mailbox::counted_max, taken);
      ASSERT_TRUE(pushed.accepted);
      static_cast<void>(message.release());
      if (pushed.was_resting) own();
    }
  };
  std::thread other([&] { send(1); });
  send(0);
  other.join();
  ASSERT_TRUE(mailbox.claim());
  own();
  EXPECT_EQ(received, 2 * each);
  EXPECT_EQ(taken.load(), 2u * each);
}

TEST(Mailbox, RefusesPastItsRoomOnlyWhatIsCounted) {
  // A room of one: the second counted message is refused, also while the owner holds the first;
  // a signal is not.
  Mailbox mailbox;
  std::atomic<std::uint32_t> taken{0};
  auto first = make_message(MessageKind::send, 1);
  auto second = make_message(MessageKind::send, 2);
  auto signal = make_message(MessageKind::signal, 3);
  EXPECT_TRUE(mailbox.push(*first, 1, taken).accepted);
  EXPECT_FALSE(mailbox.push(*second, 1, taken).accepted);
  EXPECT_TRUE(mailbox.push(*signal).accepted);
  EXPECT_EQ(mailbox.counted(), 1u);
  Message* list = mailbox.take(taken);
  EXPECT_EQ(list, first.get());
  EXPECT_EQ(list->next, signal.get());
  EXPECT_EQ(taken.load(), 1u);
  EXPECT_FALSE(mailbox.push(*second, 1, taken).accepted);
  taken = 0;
  EXPECT_TRUE(mailbox.push(*second, 1, taken).accepted);
  EXPECT_EQ(mailbox.take(taken), second.get());
}

TEST(BiasedLock, ExcludesTheOwnerAndTheThieves) {
  // The owner and two thieves add to a plain number: no addition is lost.
  prepare_biased_locks();
  constexpr int owned = 200'000;
  constexpr int stolen = 500;
  BiasedLock lock;
  std::int64_t sum = 0;
  const auto steal = [&] {
    for (int i = 0; i < stolen; ++i) {
      lock.lock_foreign();
      ++sum;
      lock.unlock_foreign();
    }
  };
  std::thread one(steal);
  std::thread two(steal);
  for (int i = 0; i < owned; ++i) {
    std::lock_guard guard(lock);
    ++sum;
  }
  one.join();
  two.join();
  EXPECT_EQ(sum, owned + 2 * stolen);
}

}  // namespace
}  // namespace coterie::detail
