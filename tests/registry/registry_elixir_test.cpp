// The local Registry where registry_test.cpp leaves off: the rest of what Elixir's
// registry_test.exs and its unique_test.exs and duplicate_test.exs check.

#include <coterie/registry.hpp>

#include <gtest/gtest.h>

#include <coterie/agent.hpp>
#include <coterie/supervisor.hpp>
#include <coterie/sys.hpp>

#include "registry/local_names.hpp"
#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

struct Registered {
  bool done = false;
};

struct RegistryElixirTest : testing::TestWithParam<std::size_t> {
  LocalNames names;
  test::LocalNode node;
  Pid unique, duplicate;

  RegistryElixirTest() {
    node.runtime.set_names(&names);
    unique = Registry::start({.name = "unique", .partitions = GetParam()}).value();
    duplicate = Registry::start({.name = "many", .keys = Keys::duplicate, .partitions = GetParam()})
                    .value();
  }
  static Pid registrant(const std::string& registry, const std::string& key, int value) {
    const Pid pid = spawn([to = self(), registry, key, value] {
      send(to, Registered{Registry::register_name(registry, key, value).has_value()});
      sleep(infinity);
    });
    receive([](Registered registered) { EXPECT_TRUE(registered.done); });
    return pid;
  }
  static void kill(const Pid& pid) {
    const Ref ref = monitor(pid);
    exit(pid, ExitReason::kill());
    test::await_down(ref);
  }
};
INSTANTIATE_TEST_SUITE_P(Partitions, RegistryElixirTest, testing::Values(1, 8));

// A refused registration leaves nothing behind, whoever asks and however often.
TEST_P(RegistryElixirTest, ARefusedRegistrationAddsNothing) {
  const Pid holder = registrant("unique", "hello", 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Registry::register_name("unique", "hello", 2).error().holder, holder);
  }
  ASSERT_TRUE(Registry::register_name("unique", "world", 3));
  EXPECT_FALSE(Registry::register_name("unique", "world", 4));
  EXPECT_EQ(Registry::count("unique"), 2u);
  EXPECT_EQ(Registry::keys("unique", self()), Strings{"world"});
  EXPECT_TRUE(Registry::unregister("unique", "world"));
  EXPECT_EQ(Registry::count("unique"), 1u);
}

// In Elixir a partition that is late may still show a dead process; its name is taken over.
TEST_P(RegistryElixirTest, ANameIsFreeAlthoughTheRegistryIsSuspended) {
  ASSERT_TRUE(sys::suspend(unique));
  const Pid holder = registrant("unique", "hello", 1);
  kill(holder);
  ASSERT_TRUE(Registry::register_name("unique", "hello", 2));
  EXPECT_EQ(Registry::lookup("unique", "hello").at(0).pid, self());
  ASSERT_TRUE(sys::resume(unique));
  EXPECT_EQ(Registry::count("unique"), 1u);
}

TEST_P(RegistryElixirTest, KeysAreComparedAsTheyAre) {
  for (const char* key : {"1", "1.0", "01", "_", "$1", "", "{a,b}"}) {
    ASSERT_TRUE(Registry::register_name("unique", key, std::string(key)));
  }
  EXPECT_EQ(Registry::count("unique"), 7u);
  for (const char* key : {"1", "1.0", "01", "_", "$1", "", "{a,b}"}) {
    EXPECT_EQ(Registry::lookup("unique", key).at(0).value, std::string(key));
    EXPECT_EQ(Registry::count_match("unique", key, [](const auto&) { return true; }), 1u);
    EXPECT_EQ(Registry::unregister_match("unique", key, [](const auto&) { return true; }), 1u);
  }
  EXPECT_EQ(Registry::count("unique"), 0u);
}

TEST_P(RegistryElixirTest, MatchesAndSelectsInBothKinds) {
  for (const char* registry : {"unique", "many"}) {
    ASSERT_TRUE(Registry::register_name(registry, "hello", 1));
    ASSERT_TRUE(Registry::register_name(registry, "world", 2));
    const auto above = [](int least) { return [least](int value) { return value > least; }; };
    EXPECT_EQ(Registry::match<int>(registry, "hello", above(0)).size(), 1u);
    EXPECT_TRUE(Registry::match<int>(registry, "hello", above(1)).empty());
    EXPECT_TRUE(Registry::match<double>(registry, "hello", [](double) { return true; }).empty());
    EXPECT_EQ(Registry::count_match<int>(registry, "world", above(1)), 1u);
    const auto either = [](const RegistryRow& row) {
      return row.key == "hello" || *row.value.get<int>() == 2;
    };
    EXPECT_EQ(Registry::select(registry, either).size(), 2u);
    EXPECT_EQ(Registry::count_select(registry, either), 2u);
    EXPECT_EQ(Registry::count_select(registry, [](const auto& row) { return row.key > "z"; }), 0u);
    EXPECT_EQ(Registry::unregister_match<int>(registry, "hello", above(1)), 0u);
    EXPECT_EQ(Registry::unregister_match<int>(registry, "hello", above(0)), 1u);
    EXPECT_EQ(Registry::keys(registry, self()), Strings{"world"});
  }
}

TEST_P(RegistryElixirTest, UnregisterMatchTakesOnlyWhatMatches) {
  for (const int value : {1, 2, 3}) ASSERT_TRUE(Registry::register_name("many", "hello", value));
  registrant("many", "hello", 2);
  EXPECT_EQ(Registry::unregister_match<int>("many", "hello", [](int v) { return v == 2; }), 1u);
  EXPECT_EQ(Registry::keys("many", self()), (Strings{"hello", "hello"}));
  EXPECT_EQ(Registry::values("many", "hello", self()).at(0), 1);
  EXPECT_EQ(Registry::values("many", "hello", self()).at(1), 3);
  EXPECT_EQ(Registry::count("many"), 3u);  // that of the other process is none of ours
}

// As in Elixir, a listener hears that a process has left a key when its last registration there is
// gone, not when one of several is.
TEST_P(RegistryElixirTest, ListenersHearOfTheLastOfSeveral) {
  ASSERT_TRUE(register_name("listener", self()));
  ASSERT_TRUE(
      Registry::start({.name = "told", .keys = Keys::duplicate, .listeners = {"listener"}}));
  const auto left = [] {
    return receive([](const Registry::Unregistered& m) { return m.key; },
                   after(0s, [] { return std::string(); }));
  };
  for (const int value : {1, 2}) ASSERT_TRUE(Registry::register_name("told", "hello", value));
  EXPECT_EQ(Registry::unregister_match<int>("told", "hello", [](int v) { return v == 1; }), 1u);
  EXPECT_EQ(left(), "");
  EXPECT_EQ(Registry::unregister_match<int>("told", "hello", [](int v) { return v == 2; }), 1u);
  EXPECT_EQ(left(), "hello");
  EXPECT_EQ(left(), "");
}

// Elixir's {:via, Registry, {name, key, value}}: the server says its value when it starts.
class Session final : public GenServer {
 public:
  explicit Session(std::string user) : user_(std::move(user)) {}
  void init() {
    EXPECT_TRUE(Registry::update_value("unique", "s-1", [this](const auto&) { return user_; }));
  }

 private:
  std::string user_;
};
TEST_P(RegistryElixirTest, AViaNameMayCarryAValue) {
  const Pid pid = GenServer::start<Session>({.name = via("unique", "s-1")}, "ann").value();
  const auto entry = Registry::lookup("unique", "s-1").at(0);
  EXPECT_EQ(entry.pid, pid);
  EXPECT_EQ(entry.value, "ann");
}

TEST_P(RegistryElixirTest, AgentsGoByViaNames) {
  const auto name = via("unique", "hello");
  const auto agent = Agent<int>::start_link(0, {.name = name});
  ASSERT_TRUE(agent);
  EXPECT_TRUE(Agent<int>(name).update([](int n) { return n + 1; }));
  EXPECT_EQ(Agent<int>(name).get([](int n) { return n; }).value(), 1);
  EXPECT_EQ(Agent<int>::start(0, {.name = name}).error().holder, std::get<Pid>(agent->ref()));
  EXPECT_FALSE(Agent<int>::start([]() -> int { throw std::runtime_error("oops"); }));
}

// It stands in a tree: its end ends who is registered in it, and it comes back empty.
TEST_P(RegistryElixirTest, StandsInASupervisorsTree) {
  const Pid top = Supervisor::start({Registry::child_spec({.name = "rooms"}),
                                     Agent<int>::child_spec("one", 1, {.name = via("rooms", "1")})},
                                    {.strategy = Strategy::rest_for_one})
                      .value();
  const auto row = [&](std::size_t i) { return Supervisor::which_children(top)->at(i); };
  EXPECT_EQ(row(0).id, "rooms");
  EXPECT_EQ(row(0).type, ChildType::supervisor);
  const Pid agent = row(1).pid;
  const Ref ref = monitor(agent);
  exit(row(0).pid, ExitReason::kill());
  test::await_down(ref);
  // The answer comes after the restart.
  EXPECT_EQ(Registry::whereis_name("rooms", "1"), row(1).pid);
  EXPECT_NE(row(1).pid, agent);
  EXPECT_TRUE(Supervisor::stop(top));
}

// A lock of a process that waits for it goes with that process.
TEST_P(RegistryElixirTest, WhoWaitsForALockMayLeave) {
  const Pid holder = spawn([to = self()] {
    Registry::lock("unique", "ok", [to] {
      send(to, Registered{true});
      sleep(infinity);
      return 0;
    });
  });
  receive([](const Registered&) {});
  const auto [waiting, ref] =
      spawn_monitor([] { Registry::lock("unique", "ok", [] { return 1; }); });
  exit(waiting, ExitReason::kill());
  test::await_down(ref);
  kill(holder);
  EXPECT_EQ(Registry::lock("unique", "ok", [] { return 2; }), 2);
}

}  // namespace
}  // namespace coterie
