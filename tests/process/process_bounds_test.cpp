// Processes at their bounds: parked fibers, slots, timers, and what a review of the runtime found.

#include <gtest/gtest.h>

#include <thread>

#include <coterie/gen_server.hpp>

#include "tests/process/runtime_fixture.hpp"
#include "tests/sanitizer.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::await_down;
using test::LocalNode;

struct Pong {
  int value = 0;
};
struct Ask {
  using Reply = int;
};

/// Holds its callers until it is let go.
struct Sleeper final : GenServer {
  struct Nap {
    using Reply = void;
  };
  struct Count {
    using Reply = int;
  };
  using Calls = Messages<Nap, Count>;
  Sleeper(std::atomic<int>& naps, std::atomic<bool>& held) : naps_(naps), held_(held) {}
  void handle_call(const Nap&) {
    ++naps_;
    while (held_) sleep(1ms);
  }
  int handle_call(const Count&) { return naps_; }

 private:
  std::atomic<int>& naps_;
  std::atomic<bool>& held_;
};

struct Fragile final : GenServer {
  struct Break {
    using Reply = void;
    static constexpr std::string_view type_name = "fragile.break";
    int value = 0;
  };
  using Calls = Messages<Break>;
  void handle_call(const Break& m) {
    if (m.value == 2) exit(ExitReason::term("gave up"));
    throw std::runtime_error("boom");
  }
};

// A directory in which a name is found at one place after the other.
class MovingName final : public NameService {
 public:
  explicit MovingName(std::vector<Pid> places) : places_(std::move(places)) {}
  NameResult<Location> resolve(std::string_view, std::string_view, bool, Duration) override {
    const std::size_t at = std::min(lookups++, places_.size() - 1);
    return Location{.pid = places_[at], .epoch = {}};
  }
  void forget(std::string_view, std::string_view, const Location&) override {}
  NameResult<Registration> reserve(std::string_view, std::string_view, Pid, Duration) override {
    return Registration{};
  }
  NameResult<void> confirm(std::string_view, std::string_view, const Registration&,
                           Duration) override {
    return {};
  }
  void release(std::string_view, std::string_view, const Pid&, const Registration&) override {}
  std::size_t lookups = 0;

 private:
  const std::vector<Pid> places_;
};

TEST(ProcessBounds, ManyParkedProcessesAndTheBound) {
  constexpr std::size_t many = test::parked_fibers_max;
  LocalNode node({.node = "test", .workers = 2, .parked_fibers = many, .stack_bytes = 64u << 10});
  std::vector<std::pair<Pid, Ref>> parked;
  for (std::size_t i = 0; i < many; ++i) parked.push_back(spawn_monitor([] { sleep(infinity); }));
  while (node.runtime.parked() < many) sleep(1ms);
  EXPECT_EQ(await_down(spawn_monitor([] { sleep(infinity); }).second).reason,
            ExitReason::term("system_limit"));
  // A call that could not wait is not made at all.
  CallError::Execution execution{};
  const Pid nobody = parked.front().first;
  await_down(
      spawn_monitor([&] { execution = call(nobody, Ask{}, 1s).error().execution(); }).second);
  EXPECT_EQ(execution, CallError::Execution::not_executed);
  for (const auto& [pid, ref] : parked) exit(pid, ExitReason::kill());
  for (const auto& [pid, ref] : parked) EXPECT_EQ(await_down(ref).reason, ExitReason::killed());
}

TEST(ProcessBounds, MessagesToASlotThatWasJustFreedAreAnswered) {
  // Senders race with the end of their receiver: each call ends, nothing is run on a free slot.
  LocalNode node({.node = "test", .workers = 4});
  constexpr int rounds = 300;
  std::atomic<int> ended = 0;
  for (int i = 0; i < rounds; ++i) {
    const Pid target = spawn([] { yield(); });
    std::vector<Ref> callers;
    for (int c = 0; c < 3; ++c) {
      callers.push_back(spawn_monitor([target, &ended] {
                          const auto answer = call(target, Ask{}, infinity);
                          if (!answer) ++ended;
                        }).second);
    }
    for (const Ref ref : callers) EXPECT_EQ(await_down(ref).reason, ExitReason::normal());
  }
  EXPECT_EQ(ended, rounds * 3);
}

TEST(ProcessBounds, CallsToAThreadThatDetachesEnd) {
  LocalNode node({.node = "test", .workers = 2});
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> target = 0;
  std::thread plain([&] {
    while (!stop) {
      detail::AttachedThread here(node.runtime);
      target = here.pid().serial;
      receive([](const Pong&) {}, after(100us, [] {}));
    }
  });
  std::vector<Ref> callers;
  for (int c = 0; c < 3; ++c) {
    callers.push_back(spawn_monitor([&] {
                        for (int i = 0; i < 500; ++i) {
                          const Pid pid{self().node, target.load()};
                          if (pid) {
                            EXPECT_FALSE(call(pid, Ask{}, infinity));
                          }
                          if (i % 8 == 0) send(pid, Pong{});
                        }
                      }).second);
  }
  for (const Ref ref : callers) EXPECT_EQ(await_down(ref).reason, ExitReason::normal());
  stop = true;
  plain.join();
}

TEST(ProcessBounds, TimersCancelledElsewhereAreFreed) {
  LocalNode node({.node = "test", .workers = 2, .timers = 1'000});
  // The attached thread owns no worker: each of these is cancelled from another thread.
  for (int i = 0; i < 20'000; ++i) {
    const Ref timer = send_after(1h, self(), Pong{});
    EXPECT_TRUE(cancel_timer(timer));
    EXPECT_FALSE(cancel_timer(timer));
    if (i % 100 == 0) sleep(1ms);
    while (node.runtime.timer_count() > 900) {
      spawn([] {});  // a busy worker ticks
      sleep(1ms);
    }
  }
}

TEST(ProcessBounds, AtTheBoundOfTimersTheCallerEnds) {
  LocalNode node({.node = "test", .workers = 1, .timers = 10});
  const Ref ref = spawn_monitor([] {
                    for (int i = 0; i < 11; ++i) send_after(1h, self(), Pong{});
                  }).second;
  EXPECT_EQ(await_down(ref).reason, ExitReason::term("system_limit"));
}

TEST(ProcessBounds, ALoopThatOnlyYieldsCanBeKilled) {
  LocalNode node({.node = "test", .workers = 1});
  const auto [pid, ref] = spawn_monitor([] {
    for (;;) yield();
  });
  exit(pid, ExitReason::kill());
  EXPECT_EQ(await_down(ref).reason, ExitReason::killed());
  EXPECT_EQ(node.runtime.counters().abandoned_fibers, 0u);
}

TEST(ProcessBounds, KillThroughALinkKeepsItsName) {
  LocalNode node;
  const auto [pid, ref] = spawn_monitor([] {
    spawn_link([] { exit(ExitReason::kill()); });
    sleep(infinity);
  });
  EXPECT_EQ(await_down(ref).reason, ExitReason::kill());
}

TEST(ProcessBounds, AMonitorOfANameNobodyKnowsIsNoproc) {
  LocalNode node;
  EXPECT_EQ(await_down(monitor(local("nobody"))).reason, ExitReason::noproc());
  EXPECT_EQ(await_down(monitor(via("contracts", "x"))).reason, ExitReason::noproc());
  EXPECT_EQ(await_down(monitor(Pid{})).reason, ExitReason::noproc());
  EXPECT_EQ(await_down(monitor(at("nobody", "elsewhere"))).reason, ExitReason::noconnection());
}

// Goal: a name that is being moved is found again inside the deadline, and no later.
TEST(ProcessBounds, ACallFollowsANameThatIsBeingMoved) {
  LocalNode node;
  std::atomic<int> naps = 0;
  std::atomic<bool> held = false;
  const Pid server = GenServer::start<Sleeper>({}, std::ref(naps), std::ref(held)).value();
  const auto [dead, ref] = spawn_monitor([] {});
  await_down(ref);
  MovingName moving({dead, dead, dead, server});
  node.runtime.set_names(&moving);
  EXPECT_EQ(call(via("contracts", "x"), Sleeper::Count{}, 10s).value(), 0);
  EXPECT_EQ(moving.lookups, 4u);

  MovingName gone({dead});
  node.runtime.set_names(&gone);
  EXPECT_EQ(call(via("contracts", "x"), Sleeper::Count{}, 500ms).error().code(),
            CallError::Code::noproc);
  EXPECT_GT(gone.lookups, 2u);
  node.runtime.set_names(nullptr);
}

TEST(ProcessBounds, AnUnregisteredProcessMayTakeAnotherName) {
  LocalNode node;
  EXPECT_TRUE(register_name("one", self()));
  EXPECT_FALSE(register_name("two", self()));
  EXPECT_TRUE(unregister_name("one"));
  EXPECT_TRUE(register_name("two", self()));
  EXPECT_EQ(whereis("two"), self());
}

TEST(ProcessBounds, ARequestWhoseCallerGaveUpIsNotRun) {
  std::atomic<int> naps = 0;
  std::atomic<bool> held = true;
  LocalNode node;
  const Pid server = GenServer::start<Sleeper>({}, std::ref(naps), std::ref(held)).value();
  spawn([server] { static_cast<void>(call(server, Sleeper::Nap{})); });
  while (naps == 0) sleep(1ms);
  const auto late = call(server, Sleeper::Nap{}, 5ms);
  EXPECT_EQ(late.error().code(), CallError::Code::timeout);
  const auto [killed, ref] = spawn_monitor([server] { call(server, Sleeper::Nap{}).value(); });
  sleep(5ms);
  exit(killed, ExitReason::kill());
  await_down(ref);
  held = false;
  EXPECT_EQ(call(server, Sleeper::Count{}).value(), 1);
}

TEST(ProcessBounds, ARequestIsWithdrawnWhileItsReceiverLooksForAnotherMessage) {
  LocalNode node;
  const Pid asker = self();
  const auto [pid, ref] = spawn_monitor([asker] {
    send(asker, Pong{1});
    receive([](const Pong&) {});
    send(asker, Pong{2});
  });
  receive([](const Pong&) {});
  // It looks at each of these, waits behind it, and finds it gone.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(call(pid, Ask{}, 5ms).error().code(), CallError::Code::timeout);
  }
  send(pid, Pong{});
  EXPECT_EQ(receive([](const Pong& pong) { return pong.value; }, after(10s, [] { return 0; })), 2);
  EXPECT_EQ(await_down(ref).reason, ExitReason::normal());
}

TEST(ProcessBounds, ACrashReportShowsTheLastMessage) {
  LocalNode node;
  for (const int value : {1, 2}) {
    const Pid pid = GenServer::start<Fragile>({}).value();
    const Ref ref = monitor(pid);
    EXPECT_FALSE(call(pid, Fragile::Break{value}));
    await_down(ref);
  }
  std::vector<std::string> last;
  for (const auto& entry : node.sink.entries()) {
    if (entry.message == "process crashed") last.push_back(entry.field("last_message"));
  }
  EXPECT_EQ(last, (std::vector<std::string>{"{break,1}", "{break,2}"}));
}

struct Spinner final : GenServer {
  struct Spin {};
  using Casts = Messages<Spin>;
  explicit Spinner(std::atomic<bool>& go_on) : go_on_(go_on) {}
  void handle_cast(const Spin&) {
    while (go_on_) {
    }
  }

 private:
  std::atomic<bool>& go_on_;
};

TEST(ProcessBounds, ACallbackThatDoesNotReturnIsNamed) {
  LocalNode node({.node = "test", .workers = 2, .stuck_after = 20ms});
  std::atomic<bool> go_on = true;
  const Pid pid = GenServer::start<Spinner>({.name = local("spinner")}, std::ref(go_on)).value();
  system_monitor(true);
  cast(pid, Spinner::Spin{});
  receive([&](const LongSchedule& stuck) {
    EXPECT_EQ(stuck.pid, pid);
    EXPECT_GE(stuck.milliseconds, 20);
  });
  // It cannot answer, but is seen.
  const auto seen = info(pid, 1ms);
  go_on = false;
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->answered);
  EXPECT_EQ(seen->status, Status::running);
  EXPECT_EQ(seen->registered_name, "spinner");
  EXPECT_EQ(node_counters().stuck_callbacks, 1u);
  const auto entries = node.sink.entries();
  ASSERT_FALSE(entries.empty());
  EXPECT_EQ(entries.back().field("name"), "spinner");
  EXPECT_EQ(entries.back().field("pid"), to_string(pid));
}

TEST(ProcessBounds, StopSaysWhenTheServerHasNotEnded) {
  struct Slow final : GenServer {
    void terminate(const ExitReason&) { sleep(100ms); }
  };
  LocalNode node;
  const Pid pid = GenServer::start<Slow>({}).value();
  EXPECT_FALSE(GenServer::stop(pid, ExitReason::normal(), 10ms));
}

TEST(ProcessBounds, SpawningWhileTheNodeStopsEnds) {
  for (int round = 0; round < 20; ++round) {
    LocalNode node({.node = "test", .workers = 2});
    for (int i = 0; i < 4; ++i) {
      spawn([] {
        for (;;) {
          spawn([] { sleep(infinity); });
          yield();
        }
      });
    }
    sleep(1ms);
  }
}

}  // namespace
}  // namespace coterie
