// What Elixir's process_test.exs checks of a process seen from outside, and what others cannot do:
// info of every process, labels, hibernation of plain processes, names, aliases of monitors. On
// virtual time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>

#include <coterie/alias.hpp>
#include <coterie/call.hpp>
#include <coterie/sys.hpp>

#include "tests/process/runtime_fixture.hpp"
#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::LocalNode;
using test::run_process;
using test::VirtualNode;
using test::wait_for_end;
using testing::ElementsAre;

struct Go {};
struct Question {
  Alias answer_to;
};
struct Answer {
  int value = 0;
};

class Echo final : public GenServer {
 public:
  struct Get {
    using Reply = int;
    static constexpr std::string_view type_name = "echo.get";
  };
  struct Nap {
    using Reply = void;
    static constexpr std::string_view type_name = "echo.nap";
  };
  struct Wait {
    static constexpr std::string_view type_name = "echo.wait";
  };
  using Calls = Messages<Get, Nap>;
  using Casts = Messages<Wait>;
  int handle_call(const Get&) { return 1; }
  Outcome<Nothing> handle_call(const Nap&) { return reply().hibernate(); }
  void handle_cast(const Wait&) { sleep(1h); }
};

TEST(ProcessInfo, TellsOfAnotherProcess) {
  VirtualNode node;
  const Pid me = self();
  const Pid linked = spawn([] { sleep(infinity); });
  const auto [pid, ref] = spawn_monitor(
      [linked] {
        link(linked);
        monitor(linked);
        receive([](const Go&) {});
        sleep(infinity);
      },
      {.trap_exit = true, .label = "worker"});
  EXPECT_TRUE(register_name("named", pid));
  send(pid, Answer{});
  sleep(1ms);
  auto seen = info(pid);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->pid, pid);
  EXPECT_EQ(seen->registered_name, "named");
  EXPECT_EQ(seen->label, "worker");
  EXPECT_EQ(seen->initial_call, "function");
  EXPECT_EQ(seen->status, Status::waiting);
  EXPECT_EQ(seen->message_queue_length, 1u);
  EXPECT_TRUE(seen->trap_exit);
  EXPECT_EQ(seen->parent, me);
  EXPECT_THAT(seen->links, ElementsAre(linked));
  EXPECT_THAT(seen->monitors, ElementsAre(linked));
  EXPECT_THAT(seen->monitored_by, ElementsAre(me));
  EXPECT_THAT(seen->ancestors, ElementsAre(me));
  EXPECT_EQ(seen->messages_taken, 0u);
  EXPECT_EQ(seen->mailbox, MailboxLimits());
  EXPECT_TRUE(seen->answered);
  send(pid, Go{});
  sleep(1ms);
  seen = info(pid);
  EXPECT_EQ(seen->messages_taken, 1u);
  EXPECT_THAT(list(), testing::IsSupersetOf({me, linked, pid}));
  exit(pid, ExitReason::kill());
  wait_for_end(pid);
  EXPECT_FALSE(info(pid));
  EXPECT_FALSE(info(Pid{}));
  EXPECT_FALSE(info(Pid{NodeId{77}, 1}));
  EXPECT_EQ(info(me)->status, Status::running);
}

// What it asks for is answered where it looks for messages, deep in its stack and not parked yet.
TEST(ProcessInfo, CountsTheStackOfOneThatLooksForMessages) {
  VirtualNode node;
  const Pid deep = spawn([] {
    std::array<volatile char, 8192> buffer{};
    buffer[0] = 1;
    receive([](const Go&) {});
    buffer[0] = 2;
  });
  auto seen = info(deep);  // the question is there before it runs for the first time
  EXPECT_EQ(seen->status, Status::runnable);
  while (seen->status == Status::runnable) seen = info(deep);
  EXPECT_EQ(seen->status, Status::waiting);
  EXPECT_GE(seen->memory, 8192u);
  send(deep, Go{});
}

// On its way to sleep as well: it counts as parked a moment before its stack is left.
TEST(ProcessInfo, CountsTheStackOfOneThatIsAboutToPark) {
  for (int i = 0; i < 300; ++i) {
    const LocalNode node;  // whose stacks nobody has used
    const Pid deep = spawn([] {
      std::array<volatile char, 8192> buffer{};
      buffer[0] = 1;
      receive([](const Go&) {});
      buffer[0] = 2;
    });
    auto seen = info(deep);
    while (seen->status != Status::waiting) seen = info(deep);
    ASSERT_GE(seen->memory, 8192u) << "process " << i;
    send(deep, Go{});
  }
}

TEST(ProcessInfo, TellsTheStatusOfAServer) {
  VirtualNode node;
  const Pid server = GenServer::start<Echo>({}).value();
  EXPECT_EQ(info(server)->status, Status::waiting);
  EXPECT_NE(info(server)->initial_call.find("Echo"), std::string::npos);
  EXPECT_TRUE(call(server, Echo::Nap{}));
  EXPECT_EQ(info(server)->status, Status::hibernating);
  EXPECT_TRUE(sys::suspend(server));
  EXPECT_EQ(info(server)->status, Status::suspended);
  EXPECT_TRUE(sys::resume(server));
  EXPECT_EQ(call(server, Echo::Get{}).value(), 1);
  EXPECT_EQ(info(server)->status, Status::waiting);
  const std::size_t idle = info(server)->memory;
  cast(server, Echo::Wait{});
  cast(server, Echo::Wait{});
  sleep(1ms);
  const auto busy = info(server);  // parked in the middle of its callback, it answers all the same
  EXPECT_EQ(busy->status, Status::waiting);
  EXPECT_EQ(busy->message_queue_length, 1u);
  EXPECT_GE(busy->memory, idle + 4096);
}

TEST(ProcessInfo, AThreadIsSeenFromOutside) {
  VirtualNode node;
  const Pid me = self();
  send(me, Answer{});
  std::optional<ProcessInfo> seen;
  run_process([&] { seen = info(me); });
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->answered);
  EXPECT_EQ(seen->initial_call, "attached");
  EXPECT_EQ(seen->message_queue_length, 1u);
}

TEST(ProcessInfo, LabelsAndNamesCanBeSetLater) {
  VirtualNode node;
  const Pid pid = spawn([] {
    set_label("cart 7");
    sleep(infinity);
  });
  sleep(1ms);
  EXPECT_EQ(info(pid)->label, "cart 7");
  EXPECT_TRUE(register_name("carts", pid));
  EXPECT_EQ(whereis(ServerRef(local("carts"))), pid);
  EXPECT_EQ(whereis(ServerRef(at("carts", node_name()))), pid);
  EXPECT_EQ(whereis(ServerRef(pid)), pid);
  EXPECT_FALSE(whereis(ServerRef(local("nobody"))));
  EXPECT_FALSE(whereis(ServerRef(at("carts", "elsewhere"))));
  // A crash of a process without a name tells its label.
  wait_for_end(spawn([] { throw std::runtime_error("x"); }, {.label = "import"}));
  EXPECT_EQ(node.sink.entries().back().field("name"), "import");
}

int deep(int n) {
  std::array<volatile char, 4096> frame{};
  frame[0] = 1;
  if (n == 0) {
    receive([](const Go&) {});
    return frame[0];
  }
  return deep(n - 1) + frame[0];
}

// Row 13, for plain processes. Bytes before and after.
TEST(Hibernate, GivesTheStackBackUntilAMessageComes) {
  VirtualNode node;
  const Pid me = self();
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  const Pid pid = spawn([me, held = std::move(held)] {
    deep(10);
    hibernate([me] {
      receive([me](const Answer& a) { send(me, Answer{a.value + 1}); });
      hibernate([] { receive([](const Go&) {}); });
    });
  });
  sleep(1ms);
  const std::size_t before = info(pid)->memory;
  send(pid, Go{});
  sleep(1ms);
  auto seen = info(pid);
  EXPECT_EQ(seen->status, Status::hibernating);
  EXPECT_TRUE(watched.expired());  // destructors run
  EXPECT_GE(before, 40'960u);
  EXPECT_LT(seen->memory, 1024u);
  std::printf("bytes: %zu waiting, %zu hibernating\n", before, seen->memory);
  send(pid, Answer{1});
  EXPECT_EQ(receive([](const Answer& a) { return a.value; }), 2);
  EXPECT_TRUE(is_alive(pid));
  // What it does not receive stays, and then it does not sleep again.
  send(pid, Go{});
  EXPECT_EQ(wait_for_end(pid), ExitReason::normal());
}

TEST(Hibernate, WithAMessageInTheQueueItGoesOnAtOnce) {
  VirtualNode node;
  send(spawn([me = self()] {
         receive([](const Go&) {});
         send(self(), Answer{7});
         hibernate([me] { receive([me](const Answer& a) { send(me, a); }); });
       }),
       Go{});
  EXPECT_EQ(receive([](const Answer& a) { return a.value; }), 7);
}

TEST(Hibernate, ExitSignalsStillArrive) {
  VirtualNode node;
  const Pid pid = spawn([] { hibernate([] {}); });
  sleep(1ms);
  exit(pid, ExitReason::term("enough"));
  EXPECT_FALSE(is_alive(pid) && wait_for_end(pid) != ExitReason::term("enough"));
}

class Sleepy final : public GenServer {
 public:
  struct Sleep {
    using Reply = void;
  };
  using Calls = Messages<Sleep>;
  void handle_call(const Sleep&) {
    hibernate([] {});
  }
};

TEST(Hibernate, IsNotForServers) {
  VirtualNode node;
  const auto slept = call(GenServer::start<Sleepy>({}).value(), Sleepy::Sleep{});
  EXPECT_EQ(slept.error().reason().term(), "std::logic_error");
  EXPECT_THROW(hibernate([] {}), std::logic_error);
}

TEST(MonitorAlias, ReplyDemonitorEndsBothWithTheFirst) {
  VirtualNode node;
  const Pid me = self();
  const Pid server = spawn([] {
    receive([](const Question& q) {
      send(q.answer_to, Answer{1});
      send(q.answer_to, Answer{2});
    });
  });
  const Ref ref = monitor(server, AliasMode::reply_demonitor);
  send(server, Question{{me, ref}});
  EXPECT_EQ(receive([](const Answer& a) { return a.value; }), 1);
  wait_for_end(server);
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());  // neither the second answer nor a Down
  EXPECT_TRUE(info().monitors.empty());
  EXPECT_FALSE(demonitor(ref));
}

TEST(MonitorAlias, ADownClosesItUnlessItIsExplicit) {
  VirtualNode node;
  const Pid me = self();
  const Pid gone = spawn([] {});
  const Ref closed = monitor(gone, AliasMode::reply_demonitor);
  const Ref open = monitor(gone, AliasMode::explicit_unalias);
  EXPECT_TRUE(receive_down(closed));
  EXPECT_TRUE(receive_down(open));
  send(Alias{me, closed}, Answer{1});
  send(Alias{me, open}, Answer{2});
  EXPECT_EQ(receive([](const Answer& a) { return a.value; }), 2);
  EXPECT_TRUE(unalias(Alias{me, open}));
  send(Alias{me, open}, Answer{3});
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
  // And demonitor() closes the alias of reply_demonitor.
  const Ref left = monitor(spawn([] { sleep(infinity); }), AliasMode::reply_demonitor);
  EXPECT_TRUE(demonitor(left));
  send(Alias{me, left}, Answer{4});
  EXPECT_TRUE(VirtualNode::mailbox_is_empty());
}

TEST(ReceiveDown, WaitsForOneMonitorOnly) {
  VirtualNode node;
  const Pid late = spawn([] { sleep(10ms); });
  const Ref waited = monitor(late);
  const Ref other = monitor(Pid{});
  EXPECT_FALSE(receive_down(waited, 1ms));
  EXPECT_EQ(receive_down(waited)->reason, ExitReason::normal());
  EXPECT_EQ(receive_down(other, 0s)->reason, ExitReason::noproc());
}

TEST(AnyMessageText, AMessageWithoutATypeNameShowsItsType) {
  VirtualNode node;
  send(self(), Go{});
  receive([](AnyMessage any) {
    EXPECT_NE(any.type_name().find("Go"), std::string::npos);
    EXPECT_FALSE(any.to_text().empty());
  });
}

// What cannot be packed stays on its node, and needs no packing there: a map's keys are scalars.
struct Seats {
  static constexpr std::string_view type_name = "seats";
  std::map<Pid, int> taken;
};
static_assert(!detail::Packable<Seats> && !detail::Packable<std::optional<std::optional<int>>>);
static_assert(detail::Packable<std::map<std::string, Pid>>);

TEST(AnyMessageText, AMapByPidIsAMessageOnItsNode) {
  VirtualNode node;
  send(self(), Seats{{{self(), 7}}});
  EXPECT_EQ(receive([](const Seats& seats) { return seats.taken.at(self()); }), 7);
}

// A program that ends by an uncaught `.value()` says why.
TEST(ResultValue, WhatIsThrownSaysWhichErrorItWas) {
  VirtualNode node;
  const auto text = [](auto ask) -> std::string {
    try {
      ask();
      return "no error";
    } catch (const std::exception& thrown) {
      return thrown.what();
    }
  };
  const std::string noproc = text([] { return call(local("nobody"), Echo::Get{}).value(); });
  EXPECT_NE(noproc.find("noproc"), std::string::npos) << noproc;
  EXPECT_NE(noproc.find("nobody"), std::string::npos) << noproc;
  GenServer::start<Echo>({.name = local("echo")}).value();
  EXPECT_NE(text([] {
              return GenServer::start<Echo>({.name = local("echo")}).value();
            }).find("already_started"),
            std::string::npos);
  const std::expected<int, ExitReason> ended = std::unexpected(ExitReason::term("oops"));
  EXPECT_EQ(text([&] { return ended.value(); }), "no value, but oops");
}

}  // namespace
}  // namespace coterie
