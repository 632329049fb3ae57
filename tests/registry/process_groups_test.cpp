// Process groups as the processes of one node use them: what OTP's pg_SUITE checks of a node alone.

#include <coterie/process_groups.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/supervisor.hpp>
#include <coterie/sys.hpp>

#include "registry/local_names.hpp"
#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using Pids = std::vector<Pid>;
using Strings = std::vector<std::string>;

struct ProcessGroups : ::testing::Test {
  LocalNames names;
  test::LocalNode node;
  Pid scope;

  ProcessGroups() {
    node.runtime.set_names(&names);
    scope = pg::start("chat").value();
  }
  static Pid idle() {
    return spawn([] { sleep(infinity); });
  }
  static void end(const Pid& pid) {
    const Ref ref = monitor(pid);
    exit(pid, ExitReason::kill());
    test::await_down(ref);
  }
  /// After the scope has taken in what it was sent before.
  void settle() const { static_cast<void>(sys::get_status(scope)); }
};

TEST_F(ProcessGroups, JoinsAndLeavesByOneOrMany) {
  const Pid a = idle(), b = idle();
  EXPECT_TRUE(pg::get_members("chat", "room").empty());
  pg::join("chat", "room", a);
  pg::join("chat", "room", {a, b});
  EXPECT_EQ(pg::get_members("chat", "room"), (Pids{a, a, b}));
  EXPECT_EQ(pg::get_local_members("chat", "room"), (Pids{a, a, b}));
  pg::join("chat", "hall", b);
  EXPECT_EQ(pg::which_groups("chat"), (Strings{"hall", "room"}));
  EXPECT_EQ(pg::which_local_groups("chat"), (Strings{"hall", "room"}));

  EXPECT_TRUE(pg::leave("chat", "room", {a, b}));
  EXPECT_EQ(pg::get_members("chat", "room"), Pids{a});
  EXPECT_FALSE(pg::leave("chat", "room", b)) << "it is no member";
  EXPECT_FALSE(pg::leave("chat", "nowhere", a));
  EXPECT_TRUE(pg::leave("chat", "room", {b, a})) << "one of them is";
  EXPECT_EQ(pg::which_groups("chat"), Strings{"hall"}) << "an empty group does not exist";
  pg::join("chat", "none", Pids{});
  EXPECT_EQ(pg::which_groups("chat"), Strings{"hall"});
}

TEST_F(ProcessGroups, AProcessThatEndsLeavesAllGroups) {
  const Pid a = idle(), b = idle();
  pg::join("chat", "room", {a, a, b});
  pg::join("chat", "hall", a);
  end(a);
  settle();
  EXPECT_EQ(pg::get_members("chat", "room"), Pids{b});
  EXPECT_EQ(pg::which_groups("chat"), Strings{"room"});
  pg::join("chat", "room", a);
  settle();
  EXPECT_EQ(pg::get_members("chat", "room"), Pids{b}) << "one that has ended stays no member";
}

TEST_F(ProcessGroups, TellsWhoMonitorsAGroupOrAScope) {
  const Pid a = idle(), b = idle();
  pg::join("chat", "room", a);
  const auto [of_room, members] = pg::monitor("chat", "room");
  EXPECT_EQ(members, Pids{a});
  const auto [of_all, groups] = pg::monitor_scope("chat");
  EXPECT_EQ(groups, (std::map<std::string, Pids>{{"room", {a}}}));
  const auto joined = [](Ref ref, const std::string& group, const Pids& pids) {
    receive(when([&](const pg::Joined& m) { return m.monitor == ref; },
                 [&](const pg::Joined& m) {
                   EXPECT_EQ(m.group, group);
                   EXPECT_EQ(m.pids, pids);
                 }),
            after(10s, [] { FAIL() << "nobody joined"; }));
  };
  const auto left = [](Ref ref, const Pids& pids) {
    receive(when([&](const pg::Left& m) { return m.monitor == ref; },
                 [&](const pg::Left& m) { EXPECT_EQ(m.pids, pids); }),
            after(10s, [] { FAIL() << "nobody left"; }));
  };
  pg::join("chat", "room", {b, b});
  pg::join("chat", "hall", b);
  joined(of_room, "room", {b, b});
  joined(of_all, "room", {b, b});
  joined(of_all, "hall", {b});
  end(b);
  left(of_room, {b, b});
  left(of_all, {b});     // of hall
  left(of_all, {b, b});  // of room

  pg::leave("chat", "room", a);
  settle();
  EXPECT_TRUE(pg::demonitor("chat", of_room)) << "what is in the mailbox is removed";
  EXPECT_FALSE(pg::demonitor("chat", of_room));
  pg::join("chat", "room", a);
  settle();
  left(of_all, {a});
  joined(of_all, "room", {a});
  EXPECT_FALSE(receive([](const pg::Joined&) { return true; }, [](const pg::Left&) { return true; },
                       after(0s, [] { return false; })));
  spawn_monitor([ref = of_all] { EXPECT_FALSE(pg::demonitor("chat", ref)) << "another's"; });
  EXPECT_EQ(receive([](const Down& d) { return d.reason; }), ExitReason::normal());
}

TEST_F(ProcessGroups, ForgetsMonitorsOfProcessesThatHaveEnded) {
  const auto [pid, ref] = spawn_monitor([] {
    static_cast<void>(pg::monitor("chat", "room"));
    static_cast<void>(pg::monitor_scope("chat"));
  });
  test::await_down(ref);
  settle();
  EXPECT_THAT(to_string(sys::get_status(scope).value()), testing::HasSubstr("{monitors,0}"));
}

TEST_F(ProcessGroups, RefusesWhatIsAMistake) {
  EXPECT_THROW(pg::join("chat", "room", {self(), Pid{NodeId{77}, 1}}), std::invalid_argument);
  EXPECT_THROW(pg::join("chat", "room", Pid{}), std::invalid_argument);
  EXPECT_TRUE(pg::get_members("chat", "room").empty());
  EXPECT_THROW(pg::get_members("nowhere", "room"), std::invalid_argument);
  EXPECT_THROW(pg::join("nowhere", "room", self()), std::invalid_argument);
  EXPECT_EQ(pg::start("chat").error().code, StartError::Code::already_started);
  // A via registry of the program's own has the name.
  struct Own final : ViaRegistry {
    std::optional<Pid> whereis_name(std::string_view) override { return std::nullopt; }
    bool register_name(std::string_view, const Pid&) override { return false; }
    void unregister_name(std::string_view, const Pid&) override {}
  };
  ASSERT_TRUE(add_via_registry("taken", std::make_shared<Own>()));
  EXPECT_EQ(to_string(pg::start("taken").error().reason), "registry_exists_taken");
  EXPECT_THROW(pg::which_groups("taken"), std::invalid_argument);
}

struct Topic {
  using Reply = std::string;
};
struct Room final : GenServer {
  using Calls = Messages<Topic>;
  std::string handle_call(const Topic&) { return "cats"; }
};

TEST_F(ProcessGroups, AGroupIsAViaName) {
  EXPECT_EQ(call(via("chat", "room"), Topic{}).error().code(), CallError::Code::noproc);
  const Pid room = GenServer::start<Room>().value();
  pg::join("chat", "room", room);
  EXPECT_EQ(call(via("chat", "room"), Topic{}).value(), "cats");
  EXPECT_FALSE(GenServer::start<Room>({.name = via("chat", "hall")})) << "groups are joined";
}

TEST_F(ProcessGroups, ScopesAreApartAndRestartEmpty) {
  const Pid top = Supervisor::start_link({pg::child_spec("other")}).value();
  pg::join("chat", "room", self());
  pg::join("other", "room", self());
  EXPECT_EQ(pg::get_members("other", "room"), Pids{self()});
  end(whereis("other").value());
  static_cast<void>(Supervisor::count_children(top));  // answers after the restart
  EXPECT_TRUE(pg::get_members("other", "room").empty());
  EXPECT_EQ(pg::get_members("chat", "room"), Pids{self()});
  Supervisor::stop(top).value();
  EXPECT_THROW(pg::get_members("other", "room"), std::invalid_argument);
}

// Goal: a hundred thousand processes in one group cost what they cost one by one.
TEST_F(ProcessGroups, ManyMembers) {
  const auto [pid, ref] = spawn_monitor([this] {
    constexpr std::size_t many = 100'000;
    Pids pids;
    for (std::size_t i = 0; i < many; ++i) pids.push_back(GenServer::start<Room>().value());
    for (std::size_t i = 0; i < many; i += 2) pg::join("chat", "all", pids[i]);
    Pids rest;
    for (std::size_t i = 1; i < many; i += 2) rest.push_back(pids[i]);
    pg::join("chat", "all", rest);
    EXPECT_EQ(pg::get_members("chat", "all").size(), many);
    for (std::size_t i = 0; i < many / 2; ++i) EXPECT_TRUE(pg::leave("chat", "all", pids[i]));
    for (const Pid& member : pids) exit(member, ExitReason::kill());
    for (const Pid& member : pids) test::await_down(monitor(member));
    settle();
    EXPECT_TRUE(pg::which_groups("chat").empty());
  });
  EXPECT_EQ(test::await_down(ref, 5min).reason, ExitReason::normal());
}

}  // namespace
}  // namespace coterie
