// The agreement on real threads and real time: three drivers, one store.

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "process/system_clock.hpp"
#include "process/thread_executor.hpp"
#include "registry/store_agreement_driver.hpp"
#include "tests/registry/locked_store.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;

struct Quiet final : AgreementEvents {
  void view_installed(std::shared_ptr<const View> view) override {
    std::lock_guard lock(mutex);
    numbers.push_back(view->number);
  }
  void state_changed(NodeState state, std::string_view) override {
    std::lock_guard lock(mutex);
    states.push_back(state);
  }
  std::mutex mutex;
  std::vector<std::uint64_t> numbers;
  std::vector<NodeState> states;
};

class AgreementDriverTest : public ::testing::Test {
 protected:
  AgreementOptions options(std::string name) {
    AgreementOptions options;
    options.self.incarnation = {1, NodeId{static_cast<unsigned char>(name[0])}};
    options.self.name = std::move(name);
    options.timing = {.interval = 40ms, .length = 600ms};
    return options;
  }
  template <class Ready>
  bool eventually(Ready ready) {
    const Time end = clock.now() + 10s;
    while (!ready() && clock.now() < end) std::this_thread::sleep_for(1ms);
    return ready();
  }
  static std::size_t members(const StoreAgreementDriver& driver) {
    return driver.view() ? driver.view()->members.size() : 0;
  }

  SystemClock clock;
  LockedStore store;
  Quiet a_events, b_events, c_events;
  ThreadExecutor executor{clock};
};

// Joins, a confirmed death within milliseconds, a stalled store that freezes on time and thaws, a
// leave: views only grow, nothing is told twice.
TEST_F(AgreementDriverTest, lives_through_a_day) {
  StoreAgreementDriver a(options("a"), store, clock, executor, a_events);
  StoreAgreementDriver b(options("b"), store, clock, executor, b_events);
  auto c = std::make_unique<StoreAgreementDriver>(options("c"), store, clock, executor, c_events);
  for (StoreAgreementDriver* driver : {&a, &b, c.get()}) driver->start();
  ASSERT_TRUE(eventually([&] {
    return members(a) == 3 && members(b) == 3 && a.state() == NodeState::active &&
           b.state() == NodeState::active && c->state() == NodeState::active;
  }));
  EXPECT_GT(a.lease_end(), clock.now());
  EXPECT_EQ(a.gate().load() > 0, true);

  const Incarnation dead = c->view()->find("c")->incarnation;
  c.reset();
  const Time killed = clock.now();
  a.confirm_death("c", dead);
  b.confirm_death("c", dead);
  ASSERT_TRUE(eventually([&] { return members(a) == 2 && members(b) == 2; }));
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(clock.now() - killed);
  RecordProperty("removal_us", std::to_string(took.count()));
  EXPECT_LT(took, 300ms) << "a confirmed death waits for no lease";

  store.stall(true);
  ASSERT_TRUE(eventually([&] { return a.state() == NodeState::frozen; }));
  EXPECT_TRUE(eventually([&] {
    std::lock_guard lock(a_events.mutex);
    return a_events.states.back() == NodeState::frozen;
  })) << "the blocked statement must not delay the freeze";
  store.stall(false);
  ASSERT_TRUE(
      eventually([&] { return a.state() == NodeState::active && b.state() == NodeState::active; }));
  EXPECT_EQ(members(a), 2u);

  b.leave();
  ASSERT_TRUE(eventually([&] { return b.state() == NodeState::down; }));
  EXPECT_EQ(b.departure()->kind, Departure::Kind::left);
  a.hint();
  ASSERT_TRUE(eventually([&] { return members(a) == 1; }));
  std::lock_guard lock(a_events.mutex);
  EXPECT_TRUE(std::ranges::is_sorted(a_events.numbers, std::less_equal<>{}));
}

}  // namespace
}  // namespace coterie::testing
