// Names on real threads, kept in one store by two nodes.

#include <gtest/gtest.h>

#include "registry/store_names_driver.hpp"
#include "tests/registry/locked_store.hpp"
#include "tests/registry/names_driver_fixture.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;

class StoreNamesDriverTest : public NamesDriverFixture {
 protected:
  StoreNamesDriverTest() {
    a.view_installed(both);
    b.view_installed(both);
  }
  static StoreNamesDriver::Options options(const char* name) {
    StoreNamesDriver::Options options;
    options.names.node = name;
    options.names.incarnation = incarnation_of(name);
    options.cache_max = 100;
    return options;
  }

  LockedStore store;
  StoreNamesDriver a{options("a"), store, clock, executor, [this] { ++hints; }};
  StoreNamesDriver b{options("b"), store, clock, executor, [this] { ++hints; }};
};

// A view without a: its names are free, at a greater epoch; its locations leave the cache. Who has
// not seen that view yet waits for it and registers nothing meanwhile.
TEST_F(StoreNamesDriverTest, names_of_the_removed_are_free) {
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

// The store away: deadlines are kept, and what could not be given back is, later.
TEST_F(StoreNamesDriverTest, store_away_and_back) {
  const auto kept = reserve(a, "kept", on_a);
  ASSERT_TRUE(kept);
  store.fail(true);
  EXPECT_EQ(reserve(a, "x", on_a, 100ms).error().code, NameError::Code::unavailable);
  EXPECT_EQ(lookup(a, "kept", 100ms).error().code, NameError::Code::unavailable);
  a.release("contracts", "kept", *kept);
  EXPECT_GT(a.changes_pending(), 0u);
  store.fail(false);
  ASSERT_TRUE(eventually([&] { return a.changes_pending() == 0; }));
  EXPECT_TRUE(reserve(b, "kept", on_b));
  EXPECT_TRUE(reserve(b, "x", on_b));
}

// Many names share commits, and the cache keeps its bound.
TEST_F(StoreNamesDriverTest, many_names_quickly) {
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
