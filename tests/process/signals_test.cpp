// Exit signals, links and monitors by the Erlang reference manual's chapter on processes: the full
// table of link or signal, reason, trapping, and to whom. On virtual time. Rows 27 and 28.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/process.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::run_process;
using test::VirtualNode;
using test::wait_for_end;
using testing::IsEmpty;

struct Go {};
struct Told {
  std::string text;
};

enum class Way { signal, link, self };

struct Fate {
  ExitReason reason = ExitReason::term("lives");  // of its end
  std::string message;                            // the reason of the Exit that it got, if any
};

/// What happens to a process which gets that exit.
Fate fate(Way way, const ExitReason& reason, bool trap) {
  const Pid me = self();
  const auto [pid, ref] = spawn_monitor(
      [=] {
        if (way == Way::self) exit(self(), reason);
        if (way == Way::link) spawn_link([reason] { exit(reason); });
        receive([me](const Exit& exit) { send(me, Told{to_string(exit.reason)}); },
                after(10ms, [me] { send(me, Told{}); }));
        exit(ExitReason::term("lives"));
      },
      {.trap_exit = trap});
  if (way == Way::signal) exit(pid, reason);
  Fate fate{receive_down(ref)->reason, {}};
  receive([&](Told told) { fate.message = std::move(told.text); }, after(0s, [] {}));
  return fate;
}

TEST(ExitSignals, FollowTheFullTable) {
  VirtualNode node;
  const ExitReason lives = ExitReason::term("lives"), x = ExitReason::term("x");
  const ExitReason normal, shutdown = ExitReason::shutdown(), kill = ExitReason::kill();
  struct Row {
    Way way;
    ExitReason sent;
    ExitReason dies_with;  // not trapping
    bool trappable;
  };
  for (const Row& row : {
           Row{Way::signal, normal, lives, true},
           Row{Way::signal, x, x, true},
           Row{Way::signal, shutdown, shutdown, true},
           Row{Way::signal, kill, ExitReason::killed(), false},
           // Through a link `kill` is a reason like others: trappable, and not renamed.
           Row{Way::link, normal, lives, true},
           Row{Way::link, x, x, true},
           Row{Way::link, shutdown, shutdown, true},
           Row{Way::link, kill, kill, true},
           // Only to oneself `normal` is an end.
           Row{Way::self, normal, normal, true},
           Row{Way::self, x, x, true},
           Row{Way::self, shutdown, shutdown, true},
           Row{Way::self, kill, ExitReason::killed(), false},
       }) {
    const std::string what = std::to_string(static_cast<int>(row.way)) + to_string(row.sent);
    const Fate plain = fate(row.way, row.sent, false);
    EXPECT_EQ(plain.reason, row.dies_with) << what;
    EXPECT_THAT(plain.message, IsEmpty()) << what;
    const Fate trapping = fate(row.way, row.sent, true);
    EXPECT_EQ(trapping.reason, row.trappable ? lives : row.dies_with) << what << " trapped";
    EXPECT_EQ(trapping.message, row.trappable ? to_string(row.sent) : "") << what << " trapped";
  }
}

TEST(Links, AreOneForEachPairAndBothWays) {
  VirtualNode node;
  const Pid other = spawn([] { sleep(infinity); });
  const Pid one = spawn([other] {
    link(other);
    link(other);
    sleep(infinity);
  });
  sleep(1ms);
  EXPECT_EQ(info(one)->links, std::vector{other});
  EXPECT_EQ(info(other)->links, std::vector{one});
  const Ref end = monitor(one);
  exit(other, ExitReason::term("x"));
  EXPECT_EQ(receive_down(end)->reason, ExitReason::term("x"));
}

TEST(Links, ToADeadProcessAnswerNoproc) {
  VirtualNode node;
  const Pid dead = spawn([] {});
  wait_for_end(dead);
  EXPECT_EQ(run_process([dead] {
              link(dead);
              sleep(infinity);
            }),
            ExitReason::noproc());
  EXPECT_EQ(run_process(
                [dead] {
                  link(dead);
                  receive([](const Exit& e) { exit(ExitReason::term(to_string(e.reason))); });
                },
                {.trap_exit = true}),
            ExitReason::term("noproc"));
}

// After unlink() no exit of that link arrives, however close it was.
TEST(Links, UnlinkSilencesTheEnd) {
  VirtualNode node;
  EXPECT_EQ(run_process([] {
              const Pid child = spawn_link([] {
                receive([](const Go&) {});
                exit(ExitReason::term("x"));
              });
              send(child, Go{});
              unlink(child);
              sleep(10ms);
              exit(ExitReason::term("lives"));
            }),
            ExitReason::term("lives"));
}

TEST(Monitors, StackAndAreOneWay) {
  VirtualNode node;
  const Pid watched = spawn([] { receive([](const Go&) {}); });
  const Ref first = monitor(watched);
  const Ref second = monitor(watched);
  EXPECT_EQ(run_process([watched] { monitor(watched); }), ExitReason::normal());
  EXPECT_TRUE(is_alive(watched));  // its watcher's end is nothing to it
  send(watched, Go{});
  EXPECT_EQ(receive_down(first)->pid, watched);
  EXPECT_EQ(receive_down(second)->reason, ExitReason::normal());
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  // A Down that is here already is flushed, or not.
  const Ref flushed = monitor(watched);
  const Ref kept = monitor(watched);
  sleep(1ms);
  EXPECT_FALSE(demonitor(flushed));
  EXPECT_FALSE(demonitor(kept, false));
  EXPECT_EQ(receive_down(kept, 0s)->reason, ExitReason::noproc());
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

}  // namespace
}  // namespace coterie
