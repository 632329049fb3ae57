// Names on real threads: two nodes, one store.

#include <gtest/gtest.h>

#include <thread>

#include "process/system_clock.hpp"
#include "process/thread_executor.hpp"
#include "registry/store_names_driver.hpp"
#include "tests/registry/locked_store.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;

class NamesDriverTest : public ::testing::Test {
 protected:
  NamesDriverTest() {
    both = std::make_shared<View>();
    both->number = 1;
    for (const char* name : {"a", "b"}) {
      Member member;
      member.name = name;
      member.incarnation = {1, NodeId{static_cast<unsigned char>(*name)}};
      both->members[name] = member;
    }
    a.view_installed(both);
    b.view_installed(both);
  }

  static StoreNamesDriver::Options options(const char* name) {
    StoreNamesDriver::Options options;
    options.names.node = name;
    options.names.incarnation = {1, NodeId{static_cast<unsigned char>(*name)}};
    options.cache_max = 100;
    return options;
  }
  template <class Ready>
  bool eventually(Ready ready) {
    const Time end = clock.now() + 10s;
    while (!ready() && clock.now() < end) std::this_thread::sleep_for(100us);
    return ready();
  }
  template <class Result, class Ask>
  Result wait(Ask ask) {
    auto slot = std::make_shared<std::pair<std::mutex, std::optional<Result>>>();
    ask([slot](Result result) {
      std::lock_guard lock(slot->first);
      slot->second = std::move(result);
    });
    EXPECT_TRUE(eventually([&] {
      std::lock_guard lock(slot->first);
      return slot->second.has_value();
    }));
    return *slot->second;
  }
  NameResult<Registration> reserve(StoreNamesDriver& node, std::string_view key, Pid owner,
                                   Duration timeout = 5s) {
    return wait<NameResult<Registration>>([&](auto callback) {
      node.reserve("contracts", key, owner, clock.now() + timeout, callback);
    });
  }
  NameResult<void> confirm(StoreNamesDriver& node, std::string_view key,
                           Registration registration) {
    return wait<NameResult<void>>([&](auto callback) {
      node.confirm("contracts", key, registration, clock.now() + 5s, callback);
    });
  }
  NameResult<Location> lookup(StoreNamesDriver& node, std::string_view key) {
    return wait<NameResult<Location>>(
        [&](auto callback) { node.lookup("contracts", key, clock.now() + 5s, callback); });
  }

  SystemClock clock;
  LockedStore store;
  ThreadExecutor executor{clock};
  std::atomic<int> hints = 0;
  StoreNamesDriver a{options("a"), store, clock, executor, [this] { ++hints; }};
  StoreNamesDriver b{options("b"), store, clock, executor, [this] { ++hints; }};
  std::shared_ptr<View> both;
  const Pid on_a{NodeId{'a'}, 7}, on_b{NodeId{'b'}, 8};
};

// Reserve, confirm, find, release: visible only when confirmed, taken for everybody else, free at
// once for a restart on the same node, with a greater epoch.
TEST_F(NamesDriverTest, one_name_from_two_nodes) {
  const auto first = reserve(a, "x", on_a);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->epoch.view, 1u);
  EXPECT_EQ(lookup(b, "x").error().code, NameError::Code::not_found);
  EXPECT_EQ(reserve(b, "x", on_b).error().holder, on_a);
  ASSERT_TRUE(confirm(a, "x", *first));
  EXPECT_EQ(lookup(b, "x")->pid, on_a);
  EXPECT_TRUE(b.cached("contracts", "x")->cached);
  EXPECT_EQ(b.cached("contracts", "x")->epoch, first->epoch);
  EXPECT_EQ(reserve(a, "x", {NodeId{'a'}, 9}).error().code, NameError::Code::taken);

  a.release("contracts", "x", *first);
  const auto again = reserve(a, "x", on_a);
  ASSERT_TRUE(again);
  EXPECT_GT(again->epoch, first->epoch);
  EXPECT_FALSE(confirm(a, "x", *first)) << "the old registration is gone";
  b.forget("contracts", "x", {.pid = on_a, .epoch = first->epoch});
  EXPECT_EQ(b.cached("contracts", "x"), std::nullopt);
  EXPECT_EQ(lookup(b, "y").error().code, NameError::Code::not_found);
}

// A node that was told that nobody runs under an epoch forgets that place, and no other.
TEST_F(NamesDriverTest, an_epoch_is_forgotten) {
  const auto x = reserve(a, "x", on_a);
  const auto y = reserve(a, "y", on_a);
  ASSERT_TRUE(confirm(a, "x", *x) && confirm(a, "y", *y));
  ASSERT_TRUE(lookup(b, "x") && lookup(b, "y"));
  b.forget_epoch(x->epoch);
  EXPECT_FALSE(b.cached("contracts", "x"));
  EXPECT_TRUE(b.cached("contracts", "y"));
  // A newer registration takes the older one's place: the old epoch means nothing any more.
  a.release("contracts", "y", *y);
  const auto again = reserve(a, "y", on_a);
  ASSERT_TRUE(confirm(a, "y", *again));
  ASSERT_TRUE(lookup(b, "y"));
  b.forget_epoch(y->epoch);
  EXPECT_EQ(b.cached("contracts", "y")->epoch, again->epoch);
  b.forget_epoch(again->epoch);
  EXPECT_FALSE(b.cached("contracts", "y"));
}

// A view without a: its names are free, at a greater epoch; its locations leave the cache. Who has
// not seen that view yet waits for it and registers nothing meanwhile.
TEST_F(NamesDriverTest, names_of_the_removed_are_free) {
  const auto first = reserve(a, "x", on_a);
  ASSERT_TRUE(confirm(a, "x", *first));
  ASSERT_TRUE(lookup(b, "x"));
  auto without = std::make_shared<View>(*both);
  without->number = 2;
  without->members.erase("a");
  b.view_installed(without);
  ASSERT_TRUE(eventually([&] { return !b.cached("contracts", "x"); }));
  const auto second = reserve(b, "x", on_b);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->epoch.view, 2u);

  EXPECT_EQ(reserve(a, "z", on_a, 200ms).error().code, NameError::Code::unavailable);
  EXPECT_GT(hints, 0);
  a.stop("excluded");
  EXPECT_EQ(reserve(a, "z", on_a).error().message, "excluded");
}

// A name that no store could keep is refused by itself and holds up nobody else's.
TEST_F(NamesDriverTest, overlong_names_are_refused) {
  const std::string overlong(5000, 'x');
  EXPECT_EQ(reserve(a, overlong, on_a).error().code, NameError::Code::failed);
  EXPECT_EQ(lookup(a, overlong).error().code, NameError::Code::not_found);
  EXPECT_TRUE(reserve(a, "x", on_a));
}

// The store away: deadlines are kept, and what could not be given back is, later.
TEST_F(NamesDriverTest, store_away_and_back) {
  const auto kept = reserve(a, "kept", on_a);
  ASSERT_TRUE(kept);
  store.fail(true);
  EXPECT_EQ(reserve(a, "x", on_a, 100ms).error().code, NameError::Code::unavailable);
  EXPECT_EQ(wait<NameResult<Location>>([&](auto callback) {
              a.lookup("contracts", "kept", clock.now() + 100ms, callback);
            })
                .error()
                .code,
            NameError::Code::unavailable);
  a.release("contracts", "kept", *kept);
  EXPECT_GT(a.changes_pending(), 0u);
  store.fail(false);
  ASSERT_TRUE(eventually([&] { return a.changes_pending() == 0; }));
  EXPECT_TRUE(reserve(b, "kept", on_b));
  EXPECT_TRUE(reserve(b, "x", on_b));
}

// Many names share commits, and the cache keeps its bound.
TEST_F(NamesDriverTest, many_names_quickly) {
  constexpr std::size_t many = 5'000;
  std::atomic<std::size_t> done = 0, failed = 0;
  const Time started = clock.now();
  const std::uint64_t commits = store.commits();
  for (std::size_t i = 0; i < many; ++i) {
    const std::string key = std::to_string(i);
    a.reserve("contracts", key, on_a, clock.now() + 60s, [&, key](auto registration) {
      if (!registration) ++failed;
      a.confirm("contracts", key, *registration, clock.now() + 60s,
                [&](auto confirmed) { ++(confirmed ? done : failed); });
    });
  }
  ASSERT_TRUE(eventually([&] { return done + failed == many; }));
  EXPECT_EQ(failed, 0u);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - started);
  std::printf("%zu names reserved and confirmed in %ld ms, %lu commits\n", many, took.count(),
              store.commits() - commits);
  EXPECT_LT(store.commits() - commits, many / 50);
  EXPECT_TRUE(a.cached("contracts", std::to_string(many - 1)));
  EXPECT_FALSE(a.cached("contracts", "0"));

  std::atomic<std::size_t> found = 0;
  for (std::size_t i = 0; i < many; ++i) {
    b.lookup("contracts", std::to_string(i), clock.now() + 60s, [&](auto location) {
      if (location) ++found;
    });
  }
  EXPECT_TRUE(eventually([&] { return found == many; }));
}

}  // namespace
}  // namespace coterie::testing
