// Two simulated nodes: remote calls, casts, monitors, links and their outcomes when a session or a
// node is lost. Virtual time: no sleeps.

#include <gtest/gtest.h>

#include <array>

#include <coterie/requests.hpp>
#include <coterie/sys.hpp>

#include "process/seeded_random.hpp"

#include "tests/sim/sim_cluster.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_on;
using test::SimCluster;

class Store final : public GenServer {
 public:
  struct Put {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "store.put";
    std::int64_t value = 0;
  };
  struct Hold {  // never answered
    using Reply = void;
    static constexpr std::string_view type_name = "store.hold";
  };
  struct Crash {
    using Reply = void;
    static constexpr std::string_view type_name = "store.crash";
  };
  struct Note {
    static constexpr std::string_view type_name = "store.note";
    std::int64_t value = 0;
  };
  using Calls = Messages<Put, Hold, Crash>;
  using Casts = Messages<Note>;

  explicit Store(std::vector<std::int64_t>* notes = nullptr) : notes_(notes) {}
  std::int64_t handle_call(const Put& m) { return sum_ += m.value; }
  Next handle_call(const Hold&, From<Hold>) { return noreply(); }
  void handle_call(const Crash&) { throw std::runtime_error("boom"); }
  void handle_cast(const Note& m) {
    if (notes_ != nullptr) notes_->push_back(m.value);
  }

 private:
  std::int64_t sum_ = 0;
  std::vector<std::int64_t>* notes_;
};

struct TwoNodes : SimCluster {
  explicit TwoNodes(std::uint64_t seed = 1, sim::SimNetworkOptions options = {})
      : SimCluster(seed, options) {
    a = start("a");
    b = start("b");
    join_all();
    run_on(runtime(b), [this] {
      server = GenServer::start<Store>({.name = local("store"), .trap_exit = true}, &notes).value();
    });
    world.run_for(1ms);
  }
  /// Runs `body` on node a to its end.
  void on_a(std::move_only_function<void()> body) { complete_on(a, std::move(body)); }

  NodeId a{}, b{};
  Pid server;
  std::vector<std::int64_t> notes;
};

std::vector<Down> drain_downs(Duration wait) {
  std::vector<Down> downs;
  while (receive([&](const Down& d) { return downs.push_back(d), true; },
                 after(wait, [] { return false; }))) {
  }
  return downs;
}

TEST(SimRemote, CallsCastsAndTypedErrors) {
  TwoNodes nodes;
  nodes.on_a([&] {
    EXPECT_EQ(call(nodes.server, Store::Put{2}).value(), 2);
    EXPECT_EQ(call(at("store", "b"), Store::Put{3}).value(), 5);
    cast(nodes.server, Store::Note{7});
    EXPECT_EQ(call(nodes.server, Store::Put{0}).value(), 5);
    EXPECT_EQ(nodes.notes, std::vector<std::int64_t>{7});
    EXPECT_EQ(call(at("nobody", "b"), Store::Put{}).error().code(), CallError::Code::noproc);
    EXPECT_EQ(call(at("store", "c"), Store::Put{}).error().code(), CallError::Code::nodedown);
    const auto crashed = call(nodes.server, Store::Crash{});
    EXPECT_EQ(crashed.error().execution(), CallError::Execution::executed);
    EXPECT_EQ(to_string(crashed.error().reason()), "{error,std::runtime_error,\"boom\"}");
  });
}

TEST(SimRemote, ALateReplyNeverReachesTheMailbox) {
  TwoNodes nodes;
  nodes.on_a([&] {
    // Round trips take at least 100 us: the reply comes after the deadline.
    const auto late = call(nodes.server, Store::Put{1}, 60us);
    EXPECT_EQ(late.error().code(), CallError::Code::timeout);
    EXPECT_TRUE(late.error().maybe_executed());
    sleep(1s);
    EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })));
  });
}

TEST(SimRemote, LosingTheSessionEndsEverythingOnce) {
  TwoNodes nodes;
  nodes.on_a([&] {
    trap_exit(true);
    std::vector<Ref> refs;
    for (int i = 0; i < 3; ++i) refs.push_back(monitor(nodes.server));
    link(nodes.server);
    nodes.runtime(nodes.a).subscribe_nodes(self());
    spawn([&] {
      sleep(100ms);
      nodes.network.cut(nodes.a, nodes.b);
    });
    const auto held = call(nodes.server, Store::Hold{}, 10s);
    EXPECT_EQ(held.error().code(), CallError::Code::noconnection);
    EXPECT_EQ(held.error().execution(), CallError::Execution::unknown);
    // The node's own news comes after all that the loss did.
    int seen = 0;
    receive([](const Exit& e) { EXPECT_EQ(e.reason, ExitReason::noconnection()); },
            after(1s, [] { FAIL() << "no Exit"; }));
    for (bool more = true; more;) {
      more = receive(
          [&](const Down& d) {
            EXPECT_EQ(d.reason, ExitReason::noconnection());
            return ++seen < 10;
          },
          [&](const NodeDown&) { return false; }, after(1s, [] { return false; }));
    }
    EXPECT_EQ(seen, 3);
    EXPECT_TRUE(drain_downs(1s).empty());
    EXPECT_EQ(call(nodes.server, Store::Put{}).error().code(), CallError::Code::nodedown);
    EXPECT_EQ(drain_downs(1s).size(), 0u);
    monitor(nodes.server);
    EXPECT_EQ(drain_downs(1s).at(0).reason, ExitReason::noconnection());
  });
  // The server lives on and serves the next session.
  nodes.join_all();
  nodes.on_a([&] { EXPECT_EQ(call(nodes.server, Store::Put{4}).value(), 4); });
}

TEST(SimRemote, AKilledNodeIsConfirmedDead) {
  TwoNodes nodes;
  bool done = false;
  run_on(nodes.runtime(nodes.a), [&] {
    const Ref ref = monitor(nodes.server);
    receive([&](const Down& d) {
      EXPECT_EQ(d.ref, ref);
      EXPECT_TRUE(d.reason.confirmed());
    });
    done = true;
  });
  nodes.world.run_for(50ms);
  nodes.kill(nodes.b, true);
  EXPECT_TRUE(nodes.world.run_until([&] { return done; }, 1s));
}

TEST(SimRemote, DeadAndUnknownTargetsAnswerNoprocAtOnce) {
  TwoNodes nodes;
  nodes.on_a([&] {
    const Pid never{nodes.b, 12345};
    const Ref ref = monitor(never);
    EXPECT_EQ(drain_downs(50ms).at(0).ref, ref);
    monitor(at("nobody", "b"));
    EXPECT_EQ(drain_downs(50ms).at(0).reason, ExitReason::noproc());
    trap_exit(true);
    link(never);
    receive([&](const Exit& e) { EXPECT_EQ(e.reason, ExitReason::noproc()); },
            after(50ms, [] { FAIL() << "no Exit"; }));
    // By name: the Down carries the process that was found.
    monitor(at("store", "b"));
    exit(nodes.server, ExitReason::kill());
    const auto downs = drain_downs(50ms);
    ASSERT_EQ(downs.size(), 1u);
    EXPECT_EQ(downs[0].pid, nodes.server);
    EXPECT_EQ(downs[0].reason, ExitReason::killed());
  });
}

TEST(SimRemote, UnlinkAndDemonitorSilenceTheEnd) {
  TwoNodes nodes;
  nodes.on_a([&] {
    trap_exit(true);
    link(nodes.server);
    const Ref ref = monitor(nodes.server);
    sleep(20ms);
    exit(nodes.server, ExitReason::kill());  // races with what follows
    unlink(nodes.server);
    demonitor(ref);
    sleep(1s);
    EXPECT_FALSE(receive([](AnyMessage) { return true; }, after(0s, [] { return false; })));
  });
}

// The end of a link that was cut and made again is the end of the new one, once: what the other
// node said of the old one is not taken for it.
TEST(SimRemote, AnExitOfTheOldLinkIsNotTheNewOnes) {
  for (int wait = 200; wait <= 15'000; wait += 250) {  // us: the Exit travels at most that long
    TwoNodes nodes(static_cast<std::uint64_t>(wait) + 1);
    nodes.on_a([&] {
      trap_exit(true);
      link(nodes.server);
      sleep(20ms);
      // On its own node: it is dead before the new link can reach it.
      run_on(nodes.runtime(nodes.b), [&] { exit(nodes.server, ExitReason::kill()); });
      sleep(std::chrono::microseconds(wait));
      unlink(nodes.server);
      // An Exit that has come before is of the link that was.
      while (receive([](const Exit&) { return true; }, after(0s, [] { return false; }))) {
      }
      link(nodes.server);
      int exits = 0;
      while (receive(
          [&](const Exit& e) {
            EXPECT_EQ(e.reason, ExitReason::noproc()) << wait;
            return ++exits < 10;
          },
          after(1s, [] { return false; }))) {
      }
      EXPECT_EQ(exits, 1) << wait;
    });
    EXPECT_EQ(nodes.runtime(nodes.a).remote_tables().unlinks, 0u);
    EXPECT_EQ(nodes.runtime(nodes.a).remote_tables().links, 0u);
  }
}

// However link and unlink of both sides cross, both believe the same in the end.
TEST(SimRemote, CrossingLinksAndUnlinksLeaveNoHalfLink) {
  int linked = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    TwoNodes nodes(seed);
    std::array<Pid, 2> pids;
    std::array<bool, 2> believes{true, true};
    int ready = 0, told = 0;
    const auto play = [&](std::size_t me) {
      trap_exit(true);
      pids[me] = self();
      for (++ready; ready < 2;) sleep(1ms);
      SeededRandom draw(seed * 2 + me);
      for (int i = 0; i < 12; ++i) {
        sleep(std::chrono::microseconds(draw.below(4000)));
        draw.below(2) == 0 ? link(pids[1 - me]) : unlink(pids[1 - me]);
      }
      sleep(100ms);
      believes[me] = detail::current_process().has_link(pids[1 - me]);
      for (++told; told < 2;) sleep(1ms);
    };
    run_on(nodes.runtime(nodes.b), [&] { play(1); });
    nodes.on_a([&] { play(0); });
    EXPECT_EQ(believes[0], believes[1]) << "seed " << seed;
    linked += believes[0];
    EXPECT_EQ(nodes.runtime(nodes.a).remote_tables().unlinks, 0u);
  }
  EXPECT_GT(linked, 20);
  EXPECT_LT(linked, 180);
}

// A request that nobody waits for any more is not run: its deadline has passed, its caller has
// given it up, or has ended; whether it was sent to a pid or to a name.
TEST(SimRemote, AbandonedRequestsAreNotRun) {
  for (const bool by_name : {false, true}) {
    TwoNodes nodes;
    const ServerRef to = by_name ? ServerRef(at("store", "b")) : ServerRef(nodes.server);
    nodes.on_a([&] {
      ASSERT_TRUE(sys::suspend(nodes.server));
      EXPECT_FALSE(call(to, Store::Put{1}, 20ms));
      EXPECT_FALSE(receive_response(send_request(to, Store::Put{2}), 20ms));
      spawn([&] { static_cast<void>(call(to, Store::Put{4})); });  // the only one that waits on
      const Pid calling = spawn([&] { static_cast<void>(call(to, Store::Put{8})); });
      const Pid asking = spawn([&] {
        static_cast<void>(send_request(to, Store::Put{16}));
        sleep(1h);
      });
      sleep(20ms);
      for (const Pid& gone : {calling, asking}) exit(gone, ExitReason::kill());
      sleep(20ms);
      ASSERT_TRUE(sys::resume(nodes.server));
      EXPECT_EQ(call(to, Store::Put{0}).value(), 4);
    });
    EXPECT_EQ(nodes.runtime(nodes.a).remote_tables().calls, 0u);
  }
}

TEST(SimRemote, TheTablesKeepOnlyWhatStillHolds) {
  TwoNodes nodes;
  for (int i = 0; i < 20; ++i) {
    bool linked = false;
    const Pid gone = run_on(nodes.runtime(nodes.a), [&] {
      link(nodes.server);
      monitor(nodes.server);
      linked = true;
      call(nodes.server, Store::Hold{}, infinity).value();
    });
    ASSERT_TRUE(nodes.world.run_until([&] { return linked; }, 1s));
    nodes.world.run_for(20ms);
    nodes.on_a([&] {
      unlink(gone);
      exit(gone, ExitReason::shutdown());
    });
    nodes.world.run_for(50ms);
  }
  for (const NodeId node : {nodes.a, nodes.b}) {
    const auto tables = nodes.runtime(node).remote_tables();
    EXPECT_EQ(tables.calls + tables.monitors + tables.watchers + tables.links + tables.unlinks +
                  tables.overflow + tables.waiting,
              0u)
        << "links " << tables.links << " monitors " << tables.monitors << " watchers "
        << tables.watchers << " calls " << tables.calls;
  }
}

TEST(SimRemote, SignalsPastAFullWindowKeepTheirOrder) {
  TwoNodes nodes(3, {.window = 2});
  nodes.on_a([&] {
    for (std::int64_t i = 0; i < 300; ++i) {
      cast(nodes.server, Store::Note{i});
      demonitor(monitor(nodes.server));
    }
    EXPECT_EQ(call(nodes.server, Store::Put{1}, 30s).value(), 1);
  });
  ASSERT_EQ(nodes.notes.size(), 300u);
  EXPECT_TRUE(std::ranges::is_sorted(nodes.notes));
  EXPECT_EQ(nodes.runtime(nodes.a).remote_tables().overflow, 0u);
}

}  // namespace
}  // namespace coterie
