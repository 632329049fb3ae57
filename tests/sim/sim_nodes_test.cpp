// What a process hears of other nodes, and in which order: monitor_nodes through cuts, restarts and
// full mailboxes. Simulated nodes, virtual time.

#include <gtest/gtest.h>

#include <coterie/nodes.hpp>

#include "process/seeded_random.hpp"

#include "tests/sim/sim_cluster.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_on;
using test::SimCluster;

struct Hello {
  static constexpr std::string_view type_name = "nodes.hello";
  std::int64_t number = 0;
};

class Idle final : public GenServer {};

/// Two nodes. On b a server for whoever watches, and a process that greets `watcher` as soon as it
/// hears of a.
struct WatchedNode : SimCluster {
  explicit WatchedNode(std::uint64_t seed) : SimCluster(seed) {
    a = start("a");
    watcher = run_on(runtime(a), [this] { watch(); });
    world.run_for(1ms);
    restart();
  }
  void restart() {
    b = start("b");
    run_on(runtime(b), [this] {
      server = GenServer::start<Idle>({.name = local("idle"), .trap_exit = true}).value();
    });
    run_on(runtime(b), [this, me = b] {
      monitor_nodes(true);
      for (;;) {
        receive([&](const NodeUp&) { send(watcher, Greeting{static_cast<std::uint64_t>(me)}); });
      }
    });
    world.run_for(1ms);
  }
  void connect() {
    ASSERT_TRUE(world.run_until([this] { return network.connect(a, b); }, 1s));
    world.run_for(30ms);
  }

  struct Greeting {
    static constexpr std::string_view type_name = "nodes.greeting";
    std::uint64_t node = 0;
  };

  void watch() {
    trap_exit(true);
    monitor_nodes(true);
    for (;;) {
      receive(
          [&](const NodeUp& up) {
            note("up", up.incarnation.id);
            for (int i = 0; i < 3; ++i) monitor(at("idle", "b"));
            link(server);
          },
          [&](const NodeDown& down) {
            note("down", down.incarnation.id);
            last_down = down;
          },
          [&](const Down& down) { note("gone", down.pid.node); },
          [&](const Exit& exit) {
            if (exit.from.node != a) note("gone", exit.from.node);
          },
          [&](const Greeting& greeting) { note("hello", NodeId{greeting.node}); });
    }
  }
  void note(const char* what, NodeId node) {
    heard.push_back(std::string(what) + " " + std::to_string(static_cast<std::uint64_t>(node)));
  }
  std::vector<std::string> take_heard() { return std::exchange(heard, {}); }
  std::string of(const char* what) const {
    return std::string(what) + " " + std::to_string(static_cast<std::uint64_t>(b));
  }

  NodeId a{}, b{};
  Pid watcher, server;
  NodeDown last_down;
  std::vector<std::string> heard;
};

// Goal: however often the link flaps: NodeUp, then messages; every Down and Exit, then NodeDown,
// then nothing.
TEST(SimNodes, AFlappingNodeIsToldInOrder) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    WatchedNode nodes(seed);
    SeededRandom draw(seed);
    for (int round = 0; round < 10; ++round) {
      nodes.connect();
      nodes.world.run_for(Duration(1ms) * static_cast<int>(draw.below(40)));
      nodes.network.cut(nodes.a, nodes.b);
      nodes.world.run_for(200ms);
      const std::vector<std::string> heard = nodes.take_heard();
      ASSERT_EQ(heard.size(), 7u) << "seed " << seed;
      EXPECT_EQ(heard.front(), nodes.of("up"));
      EXPECT_EQ(heard[1], nodes.of("hello"));
      EXPECT_EQ(std::ranges::count(heard, nodes.of("gone")), 4);
      EXPECT_EQ(heard.back(), nodes.of("down"));
      EXPECT_FALSE(nodes.last_down.reason.empty());
      EXPECT_FALSE(nodes.last_down.confirmed);
    }
  }
}

// Goal: a node that was started again is another incarnation: the old one is down before the new
// one is up, and each message is its own incarnation's.
TEST(SimNodes, ARestartedNodeIsAnotherIncarnation) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    WatchedNode nodes(seed);
    for (int round = 0; round < 5; ++round) {
      nodes.connect();
      std::vector<std::string> wanted{nodes.of("up"), nodes.of("hello")};
      wanted.insert(wanted.end(), 4, nodes.of("gone"));
      wanted.push_back(nodes.of("down"));
      const bool confirmed = round % 2 == 0;
      nodes.kill(nodes.b, confirmed);
      nodes.restart();
      nodes.connect();
      wanted.insert(wanted.end(), {nodes.of("up"), nodes.of("hello")});
      nodes.world.run_for(200ms);
      EXPECT_EQ(nodes.take_heard(), wanted) << "seed " << seed << ", round " << round;
      EXPECT_EQ(nodes.last_down.confirmed, confirmed);
      nodes.network.cut(nodes.a, nodes.b);
      nodes.world.run_for(200ms);
      nodes.take_heard();
    }
  }
}

// Goal: the news of nodes is not lost in a full mailbox, and keeps its place in it.
TEST(SimNodes, AFullMailboxHearsOfNodes) {
  WatchedNode nodes(1);
  bool done = false;
  nodes.complete_on(nodes.a, [&] {
    const Pid full = spawn(
        [&] {
          monitor_nodes(true);
          sleep(1s);
          std::string order;
          while (receive([&](const NodeUp&) { return order += 'u', true; },
                         [&](const NodeDown&) { return order += 'd', true; },
                         [&](AnyMessage) { return order += '.', true; },
                         after(0s, [] { return false; }))) {
          }
          EXPECT_EQ(order, "..ud");
          done = true;
        },
        {.mailbox = MailboxLimits{.messages = 2}});
    sleep(1ms);
    while (try_send(full, Hello{})) {
    }
    ASSERT_TRUE(nodes.network.connect(nodes.a, nodes.b));
    sleep(100ms);
    nodes.network.cut(nodes.a, nodes.b);
    sleep(2s);
  });
  EXPECT_TRUE(done);
}

// Goal: nodes() tells who is there, monitor_nodes(false) ends the news, and asking twice is once.
TEST(SimNodes, NewsAreSubscribedOnce) {
  WatchedNode nodes(1);
  nodes.complete_on(nodes.a, [&] {
    EXPECT_TRUE(coterie::nodes().empty());
    monitor_nodes(true);
    monitor_nodes(true);
    ASSERT_TRUE(nodes.network.connect(nodes.a, nodes.b));
    sleep(100ms);
    EXPECT_EQ(coterie::nodes(), std::vector<std::string>{"b"});
    int ups = 0;
    while (receive([&](const NodeUp& up) { return ++ups, up.node == "b"; },
                   after(0s, [] { return false; }))) {
    }
    EXPECT_EQ(ups, 1);
    monitor_nodes(false);
    nodes.network.cut(nodes.a, nodes.b);
    sleep(1s);
    EXPECT_TRUE(coterie::nodes().empty());
    EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })));
  });
}

}  // namespace
}  // namespace coterie
