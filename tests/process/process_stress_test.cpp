// Random trees of supervisors, servers and functions on real threads, on which actors act at
// random: links, monitors, calls with short deadlines, casts, timers, kills. Everything that is
// promised is counted. COTERIE_STRESS_SECONDS=60 runs it for a minute instead of a few rounds,
// COTERIE_STRESS_SEED draws other trees; the threads interleave as they like.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>

#include <coterie/supervisor.hpp>

#include "tests/process/runtime_fixture.hpp"
#include "tests/sanitizer.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::LocalNode;

constexpr std::uint64_t default_rounds = 60 / test::work_divisor;
constexpr std::uint64_t actors = 16;

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// What is counted, and the processes that all actors know.
struct World {
  std::atomic<std::int64_t> servers = 0;
  std::atomic<std::uint64_t> draws = 0;
  std::atomic<std::uint64_t> monitors = 0, downs = 0, links = 0, exits = 0, timers = 0, ticks = 0;
  std::atomic<std::uint64_t> wrong = 0;  // what came twice, out of order, or unasked
  std::mutex lock;
  std::vector<Pid> known;

  void meet(const Pid& pid) {
    std::lock_guard guard(lock);
    if (known.size() < 64) known.push_back(pid);
  }
  std::optional<Pid> any(Random& random) {
    std::lock_guard guard(lock);
    if (known.empty()) return std::nullopt;
    return known[random.below(known.size())];
  }
};

struct Tick {
  std::uint64_t id = 0;
};

/// Answers in every way that there is; starts, and crashes, at random.
class Server final : public GenServer {
 public:
  struct Work {
    using Reply = std::uint64_t;
    std::uint64_t id = 0;
    std::uint32_t mode = 0;
  };
  struct Note {
    Pid from;
    std::uint64_t number = 0;
  };
  using Calls = Messages<Work>;
  using Casts = Messages<Note>;
  using Infos = Messages<Tick, Timeout, Down, Exit>;

  explicit Server(World* world) : world_(*world) {
    if (world_.draws++ % 32 == 31) throw std::runtime_error("no start");
    ++world_.servers;
  }
  ~Server() { --world_.servers; }

  Outcome<std::uint64_t> handle_call(const Work& m, From<Work> from) {
    switch (m.mode % 10) {
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
        if (m.mode % 40 == 4) throw std::runtime_error("stress");
        break;
      case 5:
        return reply(m.id).timeout(1ms);
      case 6:
        return reply(blocking([id = m.id] { return id; }));
      case 7:
        if (m.mode % 40 == 7) return stop(ExitReason::normal(), m.id);
        break;
      case 8:
        spawn_link([] { sleep(100us); });
        break;
      default:
        break;
    }
    return reply(m.id);
  }
  void handle_cast(const Note& note) {
    std::uint64_t& last = last_[note.from];
    if (note.number <= last) ++world_.wrong;  // twice, or overtaken
    last = note.number;
  }
  void handle_info(const Tick&) {}
  void handle_info(const Timeout&) {}
  void handle_info(const Down&) {}
  void handle_info(const Exit&) {}
  void terminate(const ExitReason&) {
    if (world_.draws++ % 16 == 0) sleep(200us);
  }

 private:
  World& world_;
  std::map<Pid, std::uint64_t> last_;
};

std::vector<ChildSpec> random_children(Random& random, World& world, int depth) {
  std::vector<ChildSpec> children;
  const std::uint64_t count = 1 + random.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string id = std::to_string(i);
    ChildSpec spec;
    if (depth > 0 && random.below(3) == 0) {
      SupervisorOptions options;
      options.strategy = static_cast<Strategy>(random.below(3));
      options.max_restarts = random.below(4);
      spec = Supervisor::child_spec(id, random_children(random, world, depth - 1), options);
    } else {
      spec = child<Server>(id, StartOptions{.trap_exit = random.below(2) == 0}, &world);
      if (random.below(3) == 0) spec.shutdown = Shutdown::brutal_kill();
    }
    spec.restart = static_cast<Restart>(random.below(3));
    children.push_back(std::move(spec));
  }
  return children;
}

/// One process that acts on the others and keeps account of what it is owed.
class Actor {
 public:
  Actor(LocalNode& node, World& world, std::uint64_t seed)
      : node_(node), world_(world), random_(seed) {}

  void run(bool leave_all_running) {
    for (int i = 0; i < 40; ++i) {
      if (own_.size() < 3 || random_.below(8) == 0) start_something();
      act_on(random_.below(4) == 0 ? world_.any(random_).value_or(own_.front())
                                   : own_[random_.below(own_.size())]);
      while (take_news(0s)) {
      }
    }
    if (leave_all_running) return;
    for (const Pid& pid : own_) exit(pid, ExitReason::kill());
    const Time end = after(node_.clock.now(), 60s);
    while (owed() > 0 && node_.clock.now() < end) take_news(50ms);
    world_.wrong += owed();
  }

 private:
  std::size_t owed() const { return monitors_.size() + links_.size() + timers_.size(); }

  bool take_news(Duration wait) {
    return receive(
        [&](const Down& down) {
          ++world_.downs;
          if (monitors_.erase(down.ref) == 0) ++world_.wrong;
          return true;
        },
        [&](const Exit& exit) {
          ++world_.exits;
          if (links_.erase(exit.from) == 0) ++world_.wrong;
          return true;
        },
        [&](const Tick& tick) {
          ++world_.ticks;
          if (timers_.erase(tick.id) == 0) ++world_.wrong;
          return true;
        },
        [&](AnyMessage) {
          ++world_.wrong;
          return true;
        },
        after(wait, [] { return false; }));
  }

  void start_something() {
    std::optional<Pid> made;
    switch (random_.below(4)) {
      case 0:
        // A tree without a supervisor: the death of one takes all of it.
        made = spawn([n = random_.below(3)] {
          for (std::uint64_t k = 0; k <= n; ++k) spawn_link([] { sleep(infinity); });
          sleep(infinity);
        });
        break;
      case 1: {
        SupervisorOptions options;
        options.strategy = static_cast<Strategy>(random_.below(3));
        options.max_restarts = random_.below(6);
        if (auto top = Supervisor::start(random_children(random_, world_, 2), options)) made = *top;
        break;
      }
      default:
        if (auto server = GenServer::start<Server>({}, &world_)) made = *server;
    }
    if (!made) return start_something();  // some starts fail, by chance
    own_.push_back(*made);
    world_.meet(*made);
  }

  void act_on(const Pid& target) {
    switch (random_.below(10)) {
      case 0:
        ++world_.monitors;
        monitors_.emplace(monitor(target), target);
        break;
      case 1:
        if (links_.insert(target).second) {
          ++world_.links;
          link(target);
        }
        break;
      case 2:
        give_back_one();
        break;
      case 3:
        if (random_.below(4) == 0) {
          exit(target, random_.below(2) == 0 ? ExitReason::kill() : ExitReason::shutdown());
        }
        break;
      case 4:
        set_timer();
        break;
      case 5:
        look_into(target);
        break;
      case 6:
        for (int i = 0; i < 3; ++i) cast(target, Server::Note{self(), ++notes_});
        break;
      default: {
        constexpr Duration waits[] = {20us, 200us, 2ms};
        const Server::Work work{random_.next(), static_cast<std::uint32_t>(random_.next())};
        const auto answer = call(target, work, waits[random_.below(3)]);
        if (answer && *answer != work.id) ++world_.wrong;
      }
    }
  }

  /// After demonitor nothing comes; after unlink at most what is in the mailbox already.
  void give_back_one() {
    if (!monitors_.empty()) {
      --world_.monitors;
      demonitor(monitors_.begin()->first);
      monitors_.erase(monitors_.begin());
    }
    if (!links_.empty()) {
      const Pid pid = *links_.begin();
      --world_.links;
      unlink(pid);
      receive(when([pid](const Exit& exit) { return exit.from == pid; }, [](const Exit&) {}),
              after(0s, [] {}));
      links_.erase(pid);
    }
  }

  void set_timer() {
    const std::uint64_t id = ++timer_ids_;
    const Ref timer = send_after(Duration(random_.below(500'000)), self(), Tick{id});
    timers_.insert(id);
    ++world_.timers;
    if (random_.below(2) == 0) yield();
    if (random_.below(2) == 0 && cancel_timer(timer)) {
      timers_.erase(id);  // it must not come
      --world_.timers;
    }
  }

  /// The children of a supervisor are acted upon as well.
  void look_into(const Pid& target) {
    const auto children = call(target, Supervisor::WhichChildren{}, 2ms);
    if (!children) return;
    for (const ChildInfo& child : *children) {
      if (child.state == ChildState::running) world_.meet(child.pid);
    }
  }

  LocalNode& node_;
  World& world_;
  SeededRandom random_;
  std::vector<Pid> own_;
  std::map<Ref, Pid> monitors_;
  std::set<Pid> links_;
  std::set<std::uint64_t> timers_;
  std::uint64_t timer_ids_ = 0, notes_ = 0;
};

void play_round(LocalNode& node, World& world, std::uint64_t seed, bool leave_all_running) {
  std::vector<Ref> refs;
  for (std::uint64_t i = 0; i < actors; ++i) {
    const auto body = [&node, &world, seed, i, leave_all_running] {
      Actor(node, world, seed * 1000 + i).run(leave_all_running);
    };
    refs.push_back(spawn_monitor(body, {.trap_exit = true}).second);
  }
  for (const Ref ref : refs) {
    receive(when([ref](const Down& down) { return down.ref == ref; },
                 [](const Down& down) { EXPECT_EQ(down.reason, ExitReason::normal()); }),
            after(300s, [&] { FAIL() << "an actor hangs"; }));
  }
}

TEST(ProcessStress, RandomTreesKeepEveryPromise) {
  const std::uint64_t seed = setting("COTERIE_STRESS_SEED", 1);
  const std::uint64_t seconds = setting("COTERIE_STRESS_SECONDS", 0);
  const SystemClock clock;
  const Time end = after(clock.now(), std::chrono::seconds(seconds));
  for (std::uint64_t round = 0;; ++round) {
    if (seconds > 0 ? clock.now() >= end : round >= default_rounds) break;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    World world;
    // Each second node is stopped while everything on it still runs.
    const bool stop_early = round % 2 == 1;
    {
      LocalNode node({.node = "test", .workers = 4, .stack_bytes = 256u << 10});
      play_round(node, world, seed + round, stop_early);
      if (!stop_early) {
        EXPECT_EQ(world.downs, world.monitors);
        EXPECT_EQ(world.exits, world.links);
        EXPECT_EQ(world.ticks, world.timers);
        // All roots were killed: the trees below them go too, and then the timers.
        const Time patience = after(clock.now(), 60s);
        while (node.runtime.process_count() > 0 && clock.now() < patience) sleep(1ms);
        EXPECT_EQ(node.runtime.process_count(), 0u);
        EXPECT_EQ(node.runtime.parked(), 0u);
      }
      EXPECT_TRUE(node.runtime.stop());
      EXPECT_EQ(node.runtime.process_count(), 0u);
      EXPECT_EQ(node.runtime.counters().abandoned_fibers, 0u);
    }
    EXPECT_EQ(world.servers, 0);
    EXPECT_EQ(world.wrong, 0u);
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace coterie
