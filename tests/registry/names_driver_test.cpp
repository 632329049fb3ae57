// What every keeper of names does for two nodes: one store, or the members themselves.

#include <gtest/gtest.h>

#include "registry/directory_driver.hpp"
#include "registry/store_names_driver.hpp"
#include "tests/registry/locked_store.hpp"
#include "tests/registry/names_driver_fixture.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;

struct InStore {
  StoreNamesDriver::Options options(const char* name, const Incarnation& incarnation) {
    StoreNamesDriver::Options made;
    made.names.node = name;
    made.names.incarnation = incarnation;
    return made;
  }
  InStore(const Clock& clock, Executor& executor, const Incarnation& of_a, const Incarnation& of_b)
      : a(options("a", of_a), store, clock, executor, [] {}),
        b(options("b", of_b), store, clock, executor, [] {}) {}

  LockedStore store;
  StoreNamesDriver a, b;
};

struct AtMembers {
  DirectoryDriver::Options options(const char* name, const Incarnation& incarnation) {
    DirectoryDriver::Options made;
    made.directory.node = name;
    made.directory.incarnation = incarnation;
    made.directory.lease_end = [] { return Time::max(); };
    return made;
  }
  // Messages are delivered by the thread that sends them: the worst order of locks.
  DirectoryDriver::Surroundings around(DirectoryDriver& other, const Incarnation& own) {
    return {.send =
                [&other, from = own.id](NodeId, Bytes& bytes) {
                  EXPECT_TRUE(other.received(from, bytes));
                  return SendResult::sent;
                },
            .newer_view = [] {},
            .silent = [](NodeId, bool) {},
            .notice = [](std::string_view text) { ADD_FAILURE() << text; }};
  }
  AtMembers(const Clock& clock, Executor& executor, const Incarnation& of_a,
            const Incarnation& of_b)
      : a(options("a", of_a), clock, executor, around(b, of_a)),
        b(options("b", of_b), clock, executor, around(a, of_b)) {}
  ~AtMembers() {
    a.stop("over");
    b.stop("over");
  }

  DirectoryDriver a, b;
};

template <class Keeper>
class NamesDriverTest : public NamesDriverFixture {
 protected:
  NamesDriverTest() {
    a.view_installed(both);
    b.view_installed(both);
  }
  Keeper keeper{clock, executor, incarnation_of("a"), incarnation_of("b")};
  NamesDriver& a = keeper.a;
  NamesDriver& b = keeper.b;
};

using Keepers = ::testing::Types<InStore, AtMembers>;
TYPED_TEST_SUITE(NamesDriverTest, Keepers);

// Reserve, confirm, find, release: visible only when confirmed, taken for everybody else, free at
// once for a restart on the same node, with a greater epoch.
TYPED_TEST(NamesDriverTest, one_name_from_two_nodes) {
  const auto first = this->reserve(this->a, "x", this->on_a);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->epoch.view, 1u);
  EXPECT_EQ(this->lookup(this->b, "x").error().code, NameError::Code::not_found);
  EXPECT_EQ(this->reserve(this->b, "x", this->on_b).error().holder, this->on_a);
  ASSERT_TRUE(this->confirm(this->a, "x", *first));
  EXPECT_EQ(this->lookup(this->b, "x")->pid, this->on_a);
  EXPECT_TRUE(this->b.cached("contracts", "x")->cached);
  EXPECT_EQ(this->b.cached("contracts", "x")->epoch, first->epoch);
  EXPECT_EQ(this->reserve(this->a, "x", {NodeId{'a'}, 9}).error().code, NameError::Code::taken);

  this->a.release("contracts", "x", *first);
  const auto again = this->reserve(this->a, "x", this->on_a);
  ASSERT_TRUE(again);
  EXPECT_GT(again->epoch, first->epoch);
  EXPECT_FALSE(this->confirm(this->a, "x", *first)) << "the old registration is gone";
  this->b.forget("contracts", "x", {.pid = this->on_a, .epoch = first->epoch});
  EXPECT_EQ(this->b.cached("contracts", "x"), std::nullopt);
  EXPECT_EQ(this->lookup(this->b, "y").error().code, NameError::Code::not_found);
}

// A node that was told that nobody runs under an epoch forgets that place, and no other.
TYPED_TEST(NamesDriverTest, an_epoch_is_forgotten) {
  const auto x = this->reserve(this->a, "x", this->on_a);
  const auto y = this->reserve(this->a, "y", this->on_a);
  ASSERT_TRUE(this->confirm(this->a, "x", *x) && this->confirm(this->a, "y", *y));
  ASSERT_TRUE(this->lookup(this->b, "x") && this->lookup(this->b, "y"));
  this->b.forget_epoch(x->epoch);
  EXPECT_FALSE(this->b.cached("contracts", "x"));
  EXPECT_TRUE(this->b.cached("contracts", "y"));
  // A newer registration takes the older one's place: the old epoch means nothing any more.
  this->a.release("contracts", "y", *y);
  const auto again = this->reserve(this->a, "y", this->on_a);
  ASSERT_TRUE(this->confirm(this->a, "y", *again));
  ASSERT_TRUE(this->lookup(this->b, "y"));
  this->b.forget_epoch(y->epoch);
  EXPECT_EQ(this->b.cached("contracts", "y")->epoch, again->epoch);
  this->b.forget_epoch(again->epoch);
  EXPECT_FALSE(this->b.cached("contracts", "y"));
}

// A name that no keeper could keep is refused by itself and holds up nobody else's.
TYPED_TEST(NamesDriverTest, overlong_names_are_refused) {
  const std::string overlong(5000, 'x');
  EXPECT_EQ(this->reserve(this->a, overlong, this->on_a).error().code, NameError::Code::failed);
  EXPECT_EQ(this->lookup(this->a, overlong).error().code, NameError::Code::not_found);
  EXPECT_TRUE(this->reserve(this->a, "x", this->on_a));
}

// Names by the thousand, whose callbacks ask for more; then they are given back, and taken by the
// other node.
TYPED_TEST(NamesDriverTest, many_names_change_hands) {
  constexpr std::size_t many = 3'000;
  const Time end = this->clock.now() + 60s;
  std::atomic<std::size_t> done = 0, failed = 0;
  const auto take = [&](NamesDriver& node, Pid owner, std::vector<Registration>& taken) {
    done = 0;
    for (std::size_t i = 0; i < many; ++i) {
      node.reserve("contracts", std::to_string(i), owner, end, [&, i](auto registration) {
        if (!registration) return static_cast<void>(++failed);
        taken[i] = *registration;
        node.confirm("contracts", std::to_string(i), *registration, end,
                     [&](auto confirmed) { ++(confirmed ? done : failed); });
      });
    }
    return this->eventually([&] { return done + failed == many; });
  };
  std::vector<Registration> by_a(many), by_b(many);
  ASSERT_TRUE(take(this->a, this->on_a, by_a));
  std::atomic<std::size_t> found = 0;
  for (std::size_t i = 0; i < many; ++i) {
    this->b.lookup("contracts", std::to_string(i), end, [&, i](auto location) {
      if (location && location->epoch == by_a[i].epoch) ++found;
    });
  }
  EXPECT_TRUE(this->eventually([&] { return found == many; })) << found;
  for (std::size_t i = 0; i < many; ++i) {
    this->a.release("contracts", std::to_string(i), by_a[i]);
  }
  ASSERT_TRUE(this->eventually([&] { return this->a.changes_pending() == 0; }));
  ASSERT_TRUE(take(this->b, this->on_b, by_b));
  EXPECT_EQ(failed, 0u);
  for (std::size_t i = 0; i < many; ++i) EXPECT_GT(by_b[i].epoch, by_a[i].epoch);
}

// Who is withdrawn is not called, and what it would have got is free.
TYPED_TEST(NamesDriverTest, the_withdrawn_hold_nothing) {
  for (int i = 0; i < 200; ++i) {
    const auto request =
        this->a.reserve("contracts", "x", this->on_a, this->clock.now() + 5s, [](auto) {});
    this->a.withdraw("contracts", "x", request);
  }
  ASSERT_TRUE(this->eventually([&] { return this->a.changes_pending() == 0; }));
  EXPECT_TRUE(this->reserve(this->b, "x", this->on_b));
}

}  // namespace
}  // namespace coterie::testing
