// Random trees of linked and monitored processes and servers on real threads: calls with random
// deadlines, timers, kills. Every monitor yields one Down, every call ends, nothing is left over.

#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include <coterie/gen_server.hpp>

#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::LocalNode;

#if defined(__SANITIZE_THREAD__)
constexpr int rounds = 12;
constexpr int actors = 12;
#else
constexpr int rounds = 60;
constexpr int actors = 24;
#endif

class Echo final : public GenServer {
 public:
  struct Work {
    using Reply = std::uint64_t;
    std::uint64_t id = 0;
    std::uint32_t mode = 0;
  };
  struct Tick {};
  using Calls = Messages<Work>;
  using Infos = Messages<Tick, Timeout>;

  explicit Echo(std::atomic<std::int64_t>& alive) : alive_(alive) { ++alive_; }
  ~Echo() { --alive_; }

  Outcome<std::uint64_t> handle_call(const Work& m, From<Work> from) {
    switch (m.mode % 8) {
      case 0:
        sleep(100us);
        break;
      case 1:
        spawn([from, id = m.id] {
          yield();
          from.reply(id);
        });
        return noreply();
      case 2:
        return noreply();
      case 3:
        send_after(Duration(50us), self(), Tick{});
        break;
      case 4:
        if (m.mode % 64 == 4) throw std::runtime_error("stress");
        break;
      case 5:
        return reply(m.id).timeout(1ms);
      default:
        break;
    }
    return reply(m.id);
  }
  void handle_info(const Tick&) {}
  void handle_info(const Timeout&) {}

 private:
  std::atomic<std::int64_t>& alive_;
};

struct Totals {
  std::atomic<std::int64_t> servers = 0;
  std::atomic<std::uint64_t> monitors = 0, downs = 0, links = 0, exits = 0, wrong = 0, calls = 0;
};

/// Acts at random on the others, then waits for the last Down and Exit.
void act(LocalNode& node, Totals& totals, std::uint64_t seed) {
  SeededRandom random(seed);
  std::vector<Pid> targets;
  std::map<Ref, Pid> monitors;
  std::map<Pid, bool> links;
  const auto take_news = [&](Duration wait) {
    return receive(
        [&](const Down& down) {
          ++totals.downs;
          if (monitors.erase(down.ref) == 0) ++totals.wrong;
          return true;
        },
        [&](const Exit& exit) {
          ++totals.exits;
          if (links.erase(exit.from) == 0) ++totals.wrong;
          return true;
        },
        [&](AnyMessage) {
          ++totals.wrong;
          return true;
        },
        after(wait, [] { return false; }));
  };
  for (int i = 0; i < 40; ++i) {
    if (targets.size() < 3 || random.below(8) == 0) {
      if (random.below(2) == 0) {
        targets.push_back(GenServer::start<Echo>({}, std::ref(totals.servers)).value());
      } else {
        // A tree: the death of one takes all of it.
        targets.push_back(spawn([n = random.below(3)] {
          for (std::uint64_t k = 0; k <= n; ++k) spawn_link([] { sleep(infinity); });
          sleep(infinity);
        }));
      }
    }
    const Pid target = targets[random.below(targets.size())];
    switch (random.below(6)) {
      case 0:
        ++totals.monitors;
        monitors.emplace(monitor(target), target);
        break;
      case 1:
        if (links.emplace(target, true).second) {
          ++totals.links;
          link(target);
        }
        break;
      case 2:
        if (random.below(4) == 0) exit(target, ExitReason::kill());
        break;
      case 3:
        cancel_timer(send_after(Duration(1ms), target, Echo::Tick{}));
        send_after(Duration(20us), target, Echo::Tick{});
        break;
      default: {
        constexpr Duration waits[] = {20us, 200us, 2ms};
        const Echo::Work work{random.next(), static_cast<std::uint32_t>(random.next())};
        const auto answer = call(target, work, waits[random.below(3)]);
        if (answer && *answer != work.id) ++totals.wrong;
        ++totals.calls;
      }
    }
    while (take_news(0s)) {
    }
  }
  for (const Pid& pid : targets) exit(pid, ExitReason::kill());
  const Time end = after(node.clock.now(), 20s);
  while (!(monitors.empty() && links.empty()) && node.clock.now() < end) take_news(50ms);
  totals.wrong += monitors.size() + links.size();
}

TEST(ProcessStress, RandomTreesKillsCallsAndTimers) {
  LocalNode node({.node = "test", .workers = 4, .stack_bytes = 128u << 10});
  Totals totals;
  for (int round = 0; round < rounds; ++round) {
    std::vector<Ref> refs;
    for (int i = 0; i < actors; ++i) {
      const auto seed = static_cast<std::uint64_t>(round * 1000 + i);
      refs.push_back(
          spawn_monitor([&, seed] { act(node, totals, seed); }, {.trap_exit = true}).second);
    }
    for (const Ref ref : refs) {
      receive(when([ref](const Down& down) { return down.ref == ref; },
                   [](const Down& down) { EXPECT_EQ(down.reason, ExitReason::normal()); }),
              after(60s, [&] { FAIL() << "an actor hangs in round " << round; }));
    }
    ASSERT_EQ(totals.wrong, 0u) << "in round " << round;
  }
  EXPECT_EQ(totals.downs, totals.monitors);
  EXPECT_EQ(totals.exits, totals.links);
  // All targets were killed: their trees, servers and timers go too.
  const Time end = after(node.clock.now(), 10s);
  while ((node.runtime.process_count() > 0 || node.runtime.timer_count() > 0) &&
         node.clock.now() < end) {
    sleep(1ms);
  }
  EXPECT_EQ(node.runtime.process_count(), 0u);
  EXPECT_EQ(node.runtime.timer_count(), 0u);
  EXPECT_EQ(totals.servers, 0);
  EXPECT_EQ(node.runtime.parked(), 0u);
}

}  // namespace
}  // namespace coterie
