// The local Registry as processes use it: what Elixir's registry_test.exs, unique_test.exs and
// duplicate_test.exs check, and the house's own promise that no look-up finds a dead process.

#include <coterie/registry.hpp>

#include <gtest/gtest.h>

#include <coterie/sys.hpp>

#include "registry/local_names.hpp"
#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;
using Entries = std::span<const RegistryEntry>;

struct Point {
  int x = 0;
  std::string kind{};
  friend bool operator==(const Point&, const Point&) = default;
};

struct Counter final : GenServer {
  struct Add {
    using Reply = int;
    int by = 0;
  };
  using Calls = Messages<Add>;
  int handle_call(const Add& m) { return count_ += m.by; }
  int count_ = 0;
};

struct Done {
  bool registered = false;
};
struct Ready {
  bool added = false;
};

struct RegistryTest : ::testing::Test {
  LocalNames names;
  test::LocalNode node;
  Pid unique, duplicate;

  RegistryTest() {
    node.runtime.set_names(&names);
    unique = Registry::start({.name = "unique"}).value();
    duplicate = Registry::start({.name = "duplicate", .keys = Keys::duplicate}).value();
  }
  /// A process that registers, says so, and lives until it is killed.
  Pid registrant(const std::string& registry, const std::string& key, RegistryValue value = {}) {
    const Pid pid = spawn([to = self(), registry, key, value] {
      const auto registered = Registry::register_name(registry, key, value);
      send(to, Done{registered.has_value()});
      sleep(infinity);
    });
    receive([](const Done& done) { EXPECT_TRUE(done.registered); });
    return pid;
  }
  ExitReason kill(const Pid& pid, ExitReason reason = ExitReason::kill()) {
    const Ref ref = monitor(pid);
    exit(pid, std::move(reason));
    return down(ref);
  }
  static ExitReason down(Ref ref) {
    return receive(
        when([ref](const Down& d) { return d.ref == ref; }, [](Down d) { return d.reason; }),
        after(10s, [] { return ExitReason::term("alive"); }));
  }
};

TEST_F(RegistryTest, UniqueRegistrations) {
  EXPECT_EQ(Registry::count("unique"), 0u);
  EXPECT_EQ(Registry::register_name("unique", "hello", "value").value(), unique);
  EXPECT_EQ(Registry::keys("unique", self()), Strings{"hello"});
  EXPECT_EQ(Registry::values("unique", "hello", self()).at(0), "value");

  const auto again = Registry::register_name("unique", "hello", "other");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().holder, self());
  EXPECT_EQ(Registry::lookup("unique", "hello").at(0).value, "value");

  ASSERT_TRUE(Registry::register_name("unique", "world"));
  EXPECT_EQ(Registry::keys("unique", self()), (Strings{"hello", "world"}));
  EXPECT_EQ(Registry::count("unique"), 2u);
  EXPECT_TRUE(Registry::unregister("unique", "hello"));
  EXPECT_FALSE(Registry::unregister("unique", "hello"));
  EXPECT_EQ(Registry::keys("unique", self()), Strings{"world"});
}

TEST_F(RegistryTest, UniqueRegistrationsAcrossProcesses) {
  const Pid other = registrant("unique", "hello", 1);
  EXPECT_EQ(Registry::keys("unique", other), Strings{"hello"});
  EXPECT_EQ(Registry::register_name("unique", "hello", 2).error().holder, other);
  EXPECT_TRUE(Registry::keys("unique", self()).empty());
  EXPECT_TRUE(Registry::values("unique", "hello", self()).empty());
  EXPECT_FALSE(Registry::unregister("unique", "hello"));
}

// Conformance 15, 23: whoever sees DOWN finds the name free.
TEST_F(RegistryTest, ANameIsFreeBeforeDownIsSeen) {
  for (int i = 0; i < 200; ++i) {
    const Pid one = registrant("unique", "key");
    const Pid two = registrant("duplicate", "key");
    EXPECT_EQ(kill(one), ExitReason::killed());
    EXPECT_EQ(Registry::whereis_name("unique", "key"), std::nullopt);
    EXPECT_TRUE(Registry::keys("unique", one).empty());
    kill(two);
    EXPECT_TRUE(Registry::lookup("duplicate", "key").empty());
  }
}

TEST_F(RegistryTest, DuplicateRegistrations) {
  ASSERT_TRUE(Registry::register_name("duplicate", "hello", 1));
  ASSERT_TRUE(Registry::register_name("duplicate", "hello", 2));
  ASSERT_TRUE(Registry::register_name("duplicate", "world", 3));
  const Pid other = registrant("duplicate", "hello", 4);
  EXPECT_EQ(Registry::keys("duplicate", self()), (Strings{"hello", "hello", "world"}));
  EXPECT_EQ(Registry::keys("duplicate", other), Strings{"hello"});
  EXPECT_EQ(Registry::values("duplicate", "hello", self()).size(), 2u);
  EXPECT_EQ(Registry::values("duplicate", "hello", other).at(0), 4);
  EXPECT_EQ(Registry::lookup("duplicate", "hello").size(), 3u);
  EXPECT_EQ(Registry::count("duplicate"), 4u);
  EXPECT_TRUE(Registry::unregister("duplicate", "hello"));
  EXPECT_EQ(Registry::keys("duplicate", self()), Strings{"world"});
  EXPECT_EQ(Registry::lookup("duplicate", "hello").at(0).pid, other);
}

TEST_F(RegistryTest, MatchesByPredicate) {
  ASSERT_TRUE(Registry::register_name("duplicate", "p", Point{1, "atom"}));
  ASSERT_TRUE(Registry::register_name("duplicate", "p", Point{2, "atom"}));
  ASSERT_TRUE(Registry::register_name("duplicate", "p", "no point"));
  const auto above = [](int x) { return [x](const Point& p) { return p.x > x; }; };
  EXPECT_EQ(Registry::match<Point>("duplicate", "p", above(0)).size(), 2u);
  const auto entries = Registry::match<Point>("duplicate", "p", above(1));
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].value, (Point{2, "atom"}));
  EXPECT_EQ(entries[0].pid, self());
  EXPECT_EQ(Registry::count_match<Point>("duplicate", "p", above(2)), 0u);
  EXPECT_EQ(
      Registry::match("duplicate", "p", [](const RegistryValue& v) { return v == "no point"; })
          .size(),
      1u);
  EXPECT_TRUE(Registry::match<Point>("duplicate", "q", above(0)).empty());
  EXPECT_EQ(Registry::unregister_match<Point>("duplicate", "p", above(1)), 1u);
  EXPECT_EQ(Registry::unregister_match<Point>("duplicate", "p", above(1)), 0u);
  EXPECT_EQ(Registry::lookup("duplicate", "p").size(), 2u);
}

TEST_F(RegistryTest, SelectsRows) {
  EXPECT_TRUE(Registry::select("unique").empty());
  const Pid other = registrant("unique", "hello", 1);
  ASSERT_TRUE(Registry::register_name("unique", "world", 2));
  EXPECT_EQ(Registry::select("unique").size(), 2u);
  const auto rows =
      Registry::select("unique", [&](const RegistryRow& row) { return row.pid == other; });
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key, "hello");
  EXPECT_EQ(rows[0].value, 1);
  EXPECT_EQ(Registry::count_select(
                "unique", [](const RegistryRow& row) { return *row.value.get<int>() > 1; }),
            1u);
}

TEST_F(RegistryTest, UpdatesTheCallersValue) {
  const auto never = [](const RegistryValue&) -> RegistryValue {
    throw std::logic_error("called");
  };
  EXPECT_FALSE(Registry::update_value("unique", "hello", never));
  registrant("unique", "hello", 5);
  EXPECT_FALSE(Registry::update_value("unique", "hello", never));
  ASSERT_TRUE(Registry::register_name("unique", "world", 1));
  EXPECT_EQ(Registry::update_value<int>("unique", "world", [](int old) { return old + 1; }),
            std::pair(2, 1));
  EXPECT_EQ(Registry::lookup("unique", "world").at(0).value, 2);
  EXPECT_FALSE(Registry::update_value<std::string>("unique", "world",
                                                   [](const std::string&) { return ""; }));
  EXPECT_THROW(Registry::update_value("duplicate", "k", never), std::invalid_argument);
}

TEST_F(RegistryTest, DispatchesInTheCaller) {
  const auto never = [](Entries) { FAIL() << "there is no entry"; };
  Registry::dispatch("unique", "hello", never);
  Registry::dispatch("duplicate", "hello", never, {.parallel = true});
  ASSERT_TRUE(Registry::register_name("duplicate", "hello", 1));
  ASSERT_TRUE(Registry::register_name("duplicate", "hello", 2));
  ASSERT_TRUE(Registry::register_name("duplicate", "world", 3));
  Registry::dispatch("duplicate", "hello", [caller = self()](Entries entries) {
    EXPECT_EQ(self(), caller);
    for (const auto& [pid, value] : entries) send(pid, Point{*value.get<int>(), {}});
  });
  const auto next = [] {
    return receive([](Point p) { return p.x; }, after(0s, [] { return 0; }));
  };
  EXPECT_EQ(next(), 1);
  EXPECT_EQ(next(), 2);
  EXPECT_EQ(next(), 0);
}

TEST_F(RegistryTest, DispatchesInParallel) {
  ASSERT_TRUE(Registry::start({.name = "wide", .keys = Keys::duplicate, .partitions = 4}));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Registry::register_name("wide", "hello", i));
  Registry::dispatch("wide", "hello",
                     [caller = self()](Entries entries) {
                       EXPECT_NE(self(), caller);
                       EXPECT_FALSE(entries.empty());
                       for (const auto& [pid, value] : entries)
                         send(pid, Point{*value.get<int>(), {}});
                     },
                     {.parallel = true});
  int sum = 0;
  for (int i = 0; i < 10; ++i) {
    sum += receive([](Point p) { return p.x; }, after(0s, [] { return -100; }));
  }
  EXPECT_EQ(sum, 45);
  // No exit of a helper process is left behind, although this thread traps exits.
  EXPECT_FALSE(receive([](const Exit&) { return true; }, after(0s, [] { return false; })));
  // A part that fails ends the caller.
  const auto [pid, ref] = spawn_monitor([] {
    Registry::dispatch("wide", "hello", [](Entries) { throw std::runtime_error("oops"); },
                       {.parallel = true});
  });
  EXPECT_EQ(down(ref).what(), "oops");
}

TEST_F(RegistryTest, RaisesOnAnUnknownRegistry) {
  EXPECT_THROW(Registry::register_name("unknown", "k"), std::invalid_argument);
  EXPECT_THROW(Registry::lookup("unknown", "k"), std::invalid_argument);
  EXPECT_EQ(kill(unique), ExitReason::killed());
  EXPECT_THROW(Registry::count("unique"), std::invalid_argument);
}

// Conformance 23: the registry's death kills registrants, as through a link; not those that have
// unregistered.
TEST_F(RegistryTest, ItsDeathEndsItsRegistrants) {
  const Pid registered = registrant("unique", "a");
  const Pid named =
      GenServer::start<Counter>({.name = via("unique", "named"), .trap_exit = false}).value();
  ASSERT_TRUE(Registry::register_name("unique", "mine"));
  const auto [left, left_ref] = spawn_monitor([to = self()] {
    ASSERT_TRUE(Registry::register_name("unique", "b"));
    ASSERT_TRUE(Registry::unregister("unique", "b"));
    send(to, 1);
    sleep(infinity);
  });
  receive([](int) {});
  const Ref a = monitor(registered), n = monitor(named);
  exit(unique, ExitReason::kill());
  EXPECT_EQ(down(a), ExitReason::killed());
  EXPECT_EQ(down(n), ExitReason::killed());
  // This thread traps exits: it gets a message.
  EXPECT_EQ(receive(when([&](const Exit& e) { return e.from == unique; },
                         [](Exit e) { return e.reason; })),
            ExitReason::killed());
  EXPECT_TRUE(is_alive(left));
  // It starts again, empty.
  unique = Registry::start({.name = "unique"}).value();
  EXPECT_EQ(Registry::count("unique"), 0u);
  EXPECT_TRUE(Registry::register_name("unique", "a"));
}

TEST_F(RegistryTest, ItsReasonIsItsRegistrantsReason) {
  const Pid registered = registrant("unique", "a");
  const Ref a = monitor(registered);
  ASSERT_TRUE(GenServer::stop(unique, ExitReason::term("maintenance"), 5s));
  EXPECT_EQ(down(a), ExitReason::term("maintenance"));
}

TEST_F(RegistryTest, TellsItsListeners) {
  ASSERT_TRUE(register_name("listener", self()));
  for (const Keys keys : {Keys::unique, Keys::duplicate}) {
    const std::string name = keys == Keys::unique ? "told1" : "told2";
    ASSERT_TRUE(Registry::start({.name = name, .keys = keys, .listeners = {"listener", "nobody"}}));
    const auto registered = [&] {
      return receive([](Registry::Registered m) { return m; },
                     after(10s, [] { return Registry::Registered{}; }));
    };
    const auto unregistered = [&] {
      return receive([](Registry::Unregistered m) { return m; },
                     after(10s, [] { return Registry::Unregistered{}; }));
    };
    const Pid other = registrant(name, "hello", "world");
    const auto event = registered();
    EXPECT_EQ(event.registry, name);
    EXPECT_EQ(event.key, "hello");
    EXPECT_EQ(event.pid, other);
    EXPECT_EQ(event.value, "world");
    ASSERT_TRUE(Registry::register_name(name, "mine", 1));
    EXPECT_EQ(registered().pid, self());
    ASSERT_TRUE(Registry::unregister(name, "mine"));
    EXPECT_EQ(unregistered().key, "mine");
    kill(other);
    const auto gone = unregistered();
    EXPECT_EQ(gone.key, "hello");
    EXPECT_EQ(gone.pid, other);
  }
}

TEST_F(RegistryTest, Row24ARegistryShowsItself) {
  Registry::register_name("duplicate", "key").value();
  EXPECT_EQ(sys::get_status(unique)->state,
            "{registry,unique,unique,{count,0},{partitions,1},{locks,0},{listeners,[]}}");
  EXPECT_EQ(sys::get_status(duplicate)->state,
            "{registry,duplicate,duplicate,{count,1},{partitions,1},{locks,0},{listeners,[]}}");
}

TEST_F(RegistryTest, KeepsMetadata) {
  ASSERT_TRUE(Registry::start({.name = "m", .meta = {{"a", 1}}}));
  EXPECT_EQ(Registry::meta("m", "a").value(), 1);
  EXPECT_FALSE(Registry::meta("m", "b"));
  Registry::put_meta("m", "b", Point{2, "x"});
  EXPECT_EQ(Registry::meta("m", "b")->get<Point>()->x, 2);
  Registry::delete_meta("m", "b");
  EXPECT_FALSE(Registry::meta("m", "b"));
}

TEST_F(RegistryTest, ViaCallbacks) {
  const auto counter = GenServer::start_link<Counter>({.name = via("unique", "hello")});
  ASSERT_TRUE(counter);
  EXPECT_EQ(call(via("unique", "hello"), Counter::Add{2}).value(), 2);
  EXPECT_EQ(Registry::whereis_name("unique", "hello"), *counter);
  EXPECT_EQ(Registry::keys("unique", *counter), Strings{"hello"});
  const auto again = GenServer::start<Counter>({.name = via("unique", "hello")});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, StartError::Code::already_started);
  EXPECT_EQ(again.error().holder, *counter);
  const auto refused = GenServer::start<Counter>({.name = via("duplicate", "hello")});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("unique keys"), std::string::npos);
}

// ---- lock/3

struct Reached {
  int who = 0;
};
struct Go {};

std::pair<Pid, Ref> locker(int who, const std::string& key, bool raises = false) {
  return spawn_monitor([=, to = self()] {
    EXPECT_EQ(Registry::lock("unique", key,
                             [&] {
                               send(to, Reached{who});
                               receive([](Go) {});
                               if (raises) throw std::runtime_error("oops");
                               return 7;
                             }),
              7);
  });
}

struct RegistryLockTest : RegistryTest {
  static int reached() {
    return receive([](Reached r) { return r.who; }, after(10s, [] { return 0; }));
  }
  /// The registry has taken every earlier request when it answers this one.
  void sync() {
    Registry::lock("unique", "sync", [] { return 0; });
  }
  bool waits() {
    sync();
    return receive([](Reached) { return false; }, after(0s, [] { return true; }));
  }
};

TEST_F(RegistryLockTest, DifferentKeysDoNotMeet) {
  const auto one = locker(1, "a");
  EXPECT_EQ(reached(), 1);
  const auto two = locker(2, "b");
  EXPECT_EQ(reached(), 2);
  send(one.first, Go{});
  send(two.first, Go{});
  EXPECT_EQ(down(one.second), ExitReason::normal());
  EXPECT_EQ(down(two.second), ExitReason::normal());
  EXPECT_EQ(Registry::lock("unique", "a", [] { return 1; }), 1);
}

TEST_F(RegistryLockTest, TheSameKeyWaits) {
  const auto one = locker(1, "a");
  EXPECT_EQ(reached(), 1);
  const auto two = locker(2, "a");
  EXPECT_TRUE(waits());
  send(one.first, Go{});
  EXPECT_EQ(reached(), 2);
  send(two.first, Go{});
  EXPECT_EQ(down(two.second), ExitReason::normal());
}

TEST_F(RegistryLockTest, WhoRaisesOrDiesGivesItBack) {
  const auto one = locker(1, "a", true);
  EXPECT_EQ(reached(), 1);
  const auto two = locker(2, "a");
  send(one.first, Go{});
  EXPECT_EQ(down(one.second).what(), "oops");
  EXPECT_EQ(reached(), 2);
  const auto three = locker(3, "a");
  EXPECT_TRUE(waits());
  exit(two.first, ExitReason::kill());
  EXPECT_EQ(reached(), 3);
  // One that dies while it waits is left out.
  const auto four = locker(4, "a"), five = locker(5, "a");
  EXPECT_TRUE(waits());
  kill(four.first);
  send(three.first, Go{});
  EXPECT_EQ(reached(), 5);
  send(five.first, Go{});
  EXPECT_EQ(down(five.second), ExitReason::normal());
  EXPECT_EQ(Registry::lock("unique", "a", [] { return 1; }), 1);
}

// ---- registries of the program's own

class Rooms final : public ViaRegistry {
 public:
  std::optional<Pid> whereis_name(std::string_view key) override {
    const std::lock_guard guard(mutex_);
    const auto found = rooms_.find(std::string(key));
    return found == rooms_.end() ? std::nullopt : std::optional(found->second);
  }
  bool register_name(std::string_view key, const Pid& pid) override {
    const std::lock_guard guard(mutex_);
    return rooms_.emplace(key, pid).second;
  }
  void unregister_name(std::string_view key, const Pid& pid) override {
    const std::lock_guard guard(mutex_);
    const auto found = rooms_.find(std::string(key));
    if (found != rooms_.end() && found->second == pid) rooms_.erase(found);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Pid> rooms_;
};

TEST_F(RegistryTest, TakesRegistriesOfTheProgramsOwn) {
  const Pid owner = spawn([to = self()] {
    send(to, Ready{add_via_registry("rooms", std::make_shared<Rooms>())});
    sleep(infinity);
  });
  receive([](Ready ready) { EXPECT_TRUE(ready.added); });
  EXPECT_FALSE(add_via_registry("rooms", std::make_shared<Rooms>()));
  EXPECT_FALSE(add_via_registry("unique", std::make_shared<Rooms>()));
  EXPECT_FALSE(Registry::start({.name = "rooms"}));

  const Pid lobby = GenServer::start<Counter>({.name = via("rooms", "lobby")}).value();
  EXPECT_EQ(call(via("rooms", "lobby"), Counter::Add{3}).value(), 3);
  EXPECT_EQ(GenServer::start<Counter>({.name = via("rooms", "lobby")}).error().holder, lobby);
  EXPECT_EQ(call(via("rooms", "hall"), Counter::Add{3}).error().code(), CallError::Code::noproc);
  kill(lobby);
  EXPECT_TRUE(GenServer::start<Counter>({.name = via("rooms", "lobby")}));
  // It goes with its owner.
  kill(owner);
  EXPECT_EQ(call(via("rooms", "lobby"), Counter::Add{3}).error().code(), CallError::Code::noproc);
  EXPECT_TRUE(add_via_registry("rooms", std::make_shared<Rooms>()));
}

}  // namespace
}  // namespace coterie
