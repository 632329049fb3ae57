// What OTP's signal_SUITE, erl_link_SUITE, monitor_SUITE, register_SUITE and the exits and aliases
// of its process_SUITE check beyond signals_test.cpp: the order of what one process sends another,
// kills that travel along links, monitors and aliases at their ends. On virtual time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/alias.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_process;
using test::VirtualNode;
using test::wait_for_end;
using testing::IsEmpty;
using Texts = std::vector<std::string>;

struct Note {
  std::string text;
};
struct Before {};
struct After {};

constexpr int seeds = 20;

/// The next `count` messages, in the order in which they came.
Texts next_texts(std::size_t count) {
  Texts texts;
  while (texts.size() < count) {
    receive([&](const Note& note) { texts.push_back(note.text); },
            [&](const Exit& exit) { texts.push_back("exit " + to_string(exit.reason)); },
            [&](const Down& down) { texts.push_back("down " + to_string(down.reason)); });
  }
  return texts;
}

// signal_SUITE:xm_sig_order. Who has been sent an exit signal sees nothing of what follows it.
TEST(SignalOrder, NothingOvertakesAnExitSignal) {
  for (int seed = 1; seed <= seeds; ++seed) {
    VirtualNode node(static_cast<std::uint64_t>(seed));
    const auto [pid, ref] = spawn_monitor([] {
      for (;;) {
        receive([](const After&) { exit(ExitReason::term("bad_order")); }, [](const Before&) {},
                after(0s, [] { yield(); }));
      }
    });
    for (int i = 0; i < 3; ++i) send(pid, Before{});
    exit(pid, ExitReason::term("good_order"));
    for (int i = 0; i < 3; ++i) send(pid, After{});
    EXPECT_EQ(receive_down(ref)->reason, ExitReason::term("good_order")) << seed;
  }
}

TEST(SignalOrder, ATrappedExitStandsBetweenTheMessagesAroundIt) {
  VirtualNode node;
  Texts seen;
  const Pid pid = spawn([&] { seen = next_texts(5); }, {.trap_exit = true});
  send(pid, Note{"one"});
  exit(pid, ExitReason::term("a"));
  send(pid, Note{"two"});
  exit(pid, ExitReason::normal());
  send(pid, Note{"three"});
  wait_for_end(pid);
  EXPECT_EQ(seen, (Texts{"one", "exit a", "two", "exit normal", "three"}));
}

// signal_SUITE:monitor_order, monitor_named_order_local: by whatever address they were sent.
TEST(SignalOrder, DownComesAfterAllThatItsProcessSent) {
  for (int seed = 1; seed <= seeds; ++seed) {
    VirtualNode node(static_cast<std::uint64_t>(seed));
    ASSERT_TRUE(register_name("tester", self()));
    const Alias here = alias();
    const auto send_all = [me = self(), here] {
      receive([](const Before&) {});
      for (int i = 0; i < 20; ++i) {
        send(me, Note{"pid"});
        send(local("tester"), Note{"name"});
        send(here, Note{"alias"});
      }
    };
    const auto [pid, ref] = spawn_monitor(send_all);
    ASSERT_TRUE(register_name("sender", pid));
    const Ref by_name = monitor(local("sender"));
    send(pid, Before{});
    const Texts seen = next_texts(62);
    EXPECT_EQ(seen[59], "alias") << seed;
    EXPECT_EQ(seen[60], "down normal") << seed;
    EXPECT_EQ(seen[61], "down normal") << seed;
    EXPECT_NE(ref, by_name);
  }
}

/// A line of `length` processes, each linked to the one before it; the last does `last`.
void line(int length, const std::function<void()>& last) {
  if (length == 0) return last();
  spawn_link([=] {
    line(length - 1, last);
    sleep(infinity);
  });
}

// signal_SUITE:kill2killed. Who is killed ends with `killed`, and so do those linked to it, however
// far; `kill` as the reason of an end is a reason like others.
TEST(SignalOrder, AKillTravelsAsKilledAndAnEndWithKillAsKill) {
  VirtualNode node;
  const Pid me = self();
  const auto ends_with = [](int length, const std::function<void()>& last) {
    return run_process([=] {
      line(length, last);
      sleep(infinity);
    });
  };
  for (const int length : {1, 2, 9, 10}) {
    EXPECT_EQ(ends_with(length, [] { exit(ExitReason::kill()); }), ExitReason::kill());
    EXPECT_EQ(ends_with(length, [] { exit(self(), ExitReason::kill()); }), ExitReason::killed());
    const auto [head, ref] = spawn_monitor([=] {
      line(length, [me] {
        send(me, self());
        sleep(infinity);
      });
      sleep(infinity);
    });
    exit(receive([](const Pid& end) { return end; }), ExitReason::kill());
    EXPECT_EQ(receive_down(ref)->reason, ExitReason::killed());
  }
}

// process_SUITE:exit_twice, exit_and_timeout.
TEST(ExitSignals, TheFirstIsTheReasonAlsoOfOneWhoWaits) {
  VirtualNode node;
  const auto [pid, ref] = spawn_monitor([] { sleep(infinity); });
  sleep(1ms);
  exit(pid, ExitReason::term("first"));
  exit(pid, ExitReason::term("second"));
  EXPECT_EQ(receive_down(ref)->reason, ExitReason::term("first"));
  // At the very moment at which its wait runs out.
  const auto [late, late_ref] = spawn_monitor([] {
    sleep(10ms);
    sleep(infinity);
  });
  spawn([late = late] {
    sleep(10ms);
    exit(late, ExitReason::term("in_time"));
  });
  EXPECT_EQ(receive_down(late_ref)->reason, ExitReason::term("in_time"));
}

// process_SUITE:t_exit_1, monitor_SUITE:large_exit.
TEST(ExitSignals, AReasonMayBeLarge) {
  VirtualNode node;
  const ExitReason large = ExitReason::term(std::string(128 << 10, 'x'));
  EXPECT_EQ(run_process([&] { exit(large); }), large);
  EXPECT_EQ(run_process([&] {
              spawn_link([&] { exit(large); });
              sleep(infinity);
            }),
            large);
}

// erl_link_SUITE:links.
TEST(Links, ToOneselfIsNone) {
  VirtualNode node;
  EXPECT_EQ(run_process([] {
              link(self());
              EXPECT_THAT(info().links, IsEmpty());
              unlink(self());
            }),
            ExitReason::normal());
}

// monitor_SUITE:demon_2, demon_e_1.
TEST(Monitors, OfOneselfAreSilentAndEndOnce) {
  VirtualNode node;
  run_process([] {
    const Ref ref = monitor(self());
    EXPECT_TRUE(demonitor(ref));
    EXPECT_FALSE(demonitor(ref));
    monitor(self());
  });
  EXPECT_FALSE(demonitor(Ref::none));
  // Only who has a monitor can end it.
  const Pid me = self();
  const Pid watcher = spawn([me] {
    const Ref ref = monitor(me);
    send(me, ref);
    receive([](const Before&) {});
    EXPECT_TRUE(demonitor(ref));
  });
  EXPECT_FALSE(demonitor(receive([](const Ref& ref) { return ref; })));
  send(watcher, Before{});
  wait_for_end(watcher);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

// monitor_SUITE:local_remove_monitor. True: no Down, now or later. False: it is here.
TEST(Monitors, DemonitorSaysWhetherTheDownIsHere) {
  for (int seed = 1; seed <= seeds; ++seed) {
    VirtualNode node(static_cast<std::uint64_t>(seed));
    run_process([] {
      for (int i = 0; i < 50; ++i) {
        const Ref ref = monitor(spawn([] {}));
        if (i % 2 == 0) yield();
        if (i % 3 == 0) sleep(1ms);
        const bool active = demonitor(ref, false);
        const auto down = [ref](Duration within) { return receive_down(ref, within).has_value(); };
        EXPECT_NE(active, down(active ? 1ms : 0ms)) << i;
      }
    });
  }
}

// monitor_SUITE:list_cleanup. Neither end of a monitor is left in the other's lists.
TEST(Monitors, AreForgottenWithEitherEnd) {
  VirtualNode node;
  const Pid me = self();
  const Pid other = spawn([] { receive([](const Before&) {}); });
  const Ref ref = monitor(other);
  EXPECT_EQ(info(other)->monitored_by, std::vector{me});
  EXPECT_TRUE(demonitor(ref));
  EXPECT_THAT(info(other)->monitored_by, IsEmpty());
  EXPECT_THAT(info().monitors, IsEmpty());
  ASSERT_TRUE(register_name("other", other));
  const Ref named = monitor(local("other"));
  EXPECT_EQ(info(other)->monitored_by, std::vector{me});
  send(other, Before{});
  EXPECT_EQ(receive_down(named)->reason, ExitReason::normal());
  EXPECT_THAT(info().monitors, IsEmpty());
  // The one who monitors crashes.
  const Pid watched = spawn([] { sleep(infinity); });
  run_process([watched] {
    monitor(watched);
    monitor(watched);
    exit(ExitReason::term("crash"));
  });
  sleep(1ms);
  EXPECT_THAT(info(watched)->monitored_by, IsEmpty());
}

// monitor_SUITE:named_down.
TEST(Monitors, ADownByNameFindsTheNameFree) {
  for (int seed = 1; seed <= seeds; ++seed) {
    VirtualNode node(static_cast<std::uint64_t>(seed));
    const Pid pid = spawn([] { sleep(infinity); });
    ASSERT_TRUE(register_name("named", pid));
    const Ref ref = monitor(local("named"));
    exit(pid, ExitReason::term("bang"));
    EXPECT_EQ(receive_down(ref)->reason, ExitReason::term("bang"));
    EXPECT_TRUE(register_name("named", self()));
    EXPECT_TRUE(unregister_name("named"));
  }
}

// register_SUITE, process_SUITE:bad_register.
TEST(Names, AreForTheLivingWhoHaveNone) {
  VirtualNode node;
  const Pid dead = spawn([] {});
  wait_for_end(dead);
  EXPECT_FALSE(register_name("a", dead));
  EXPECT_FALSE(register_name("a", Pid{}));
  const Pid pid = spawn([] { sleep(infinity); });
  EXPECT_TRUE(register_name("a", pid));
  EXPECT_FALSE(register_name("a", self()));
  EXPECT_FALSE(register_name("b", pid)) << "one name each";
  EXPECT_FALSE(register_name("", self()));
  EXPECT_TRUE(unregister_name("a"));
  EXPECT_FALSE(unregister_name("a"));
  EXPECT_TRUE(register_name("b", pid));
  EXPECT_EQ(whereis("b"), pid);
}

// process_SUITE:processes_term_proc_list, is_process_alive of who ends.
TEST(Processes, WhoHasEndedIsInNoList) {
  VirtualNode node;
  std::vector<Pid> all;
  for (int i = 0; i < 100; ++i) all.push_back(spawn([] { sleep(infinity); }));
  for (const Pid& pid : all) EXPECT_THAT(list(), testing::Contains(pid));
  for (const Pid& pid : all) {
    const Ref ref = monitor(pid);
    exit(pid, ExitReason::kill());
    receive_down(ref);
    EXPECT_FALSE(is_alive(pid));
    EXPECT_THAT(list(), testing::Not(testing::Contains(pid)));
    EXPECT_FALSE(info(pid));
  }
}

// process_SUITE:monitor_alias, spawn_monitor_alias, demonitor_aliasmonitor.
TEST(MonitorAlias, AnExplicitOneOutlivesItsMonitor) {
  VirtualNode node;
  const auto twice = [me = self()](AliasMode mode) {
    const Pid pid = spawn([] {
      receive([](const Alias& to) {
        send(to, Note{"1"});
        send(to, Note{"2"});
        receive([](const Before&) {});
        send(to, Note{"3"});
      });
    });
    const Ref ref = monitor(pid, mode);
    send(pid, Alias{me, ref});
    EXPECT_EQ(next_texts(2), (Texts{"1", "2"}));
    return std::pair(pid, ref);
  };
  // unalias() leaves the monitor.
  const auto [one, kept] = twice(AliasMode::explicit_unalias);
  EXPECT_TRUE(unalias(Alias{self(), kept}));
  send(one, Before{});
  EXPECT_EQ(next_texts(1), Texts{"down normal"});
  // demonitor() leaves the alias.
  const auto [two, open] = twice(AliasMode::explicit_unalias);
  EXPECT_TRUE(demonitor(open));
  send(two, Before{});
  EXPECT_EQ(next_texts(1), Texts{"3"});
  EXPECT_TRUE(unalias(Alias{self(), open}));
  // Of the plain kind demonitor() closes both.
  const auto [three, closed] = twice(AliasMode::demonitor);
  EXPECT_TRUE(demonitor(closed));
  send(three, Before{});
  wait_for_end(three);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

}  // namespace
}  // namespace coterie
