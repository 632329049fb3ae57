// The simulator's checkers fire: each is shown a run, or a piece of one, that breaks its invariant.
// What a whole node's own protections prevent, sim_mutants_test shows.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/sim_agenda.hpp"
#include "sim/sim_draw.hpp"
#include "sim/sim_play.hpp"
#include "sim/sim_views.hpp"
#include "tests/sim/drawn_program.hpp"

namespace coterie::test {
namespace {

using namespace sim;
using namespace std::chrono_literals;

Member member(std::string name, std::uint64_t counter, std::uint64_t id) {
  Member one;
  one.name = std::move(name);
  one.incarnation = {counter, NodeId{id}};
  return one;
}

std::shared_ptr<const View> view(std::uint64_t number, std::vector<Member> members) {
  auto made = std::make_shared<View>();
  made->number = number;
  for (Member& one : members) made->members[one.name] = one;
  return made;
}

/// Two runs, a and b, whose views and gates the test sets.
struct Watched {
  std::vector<std::string> seen;
  SimViews views{[this](std::string text) { seen.push_back(std::move(text)); }};
  std::shared_ptr<const View> installed[2];
  bool open[2] = {false, false};

  Watched() {
    for (std::uint64_t i = 0; i < 2; ++i) {
      views.add(i, {.node = i == 0 ? "a" : "b",
                    .incarnation = {1, NodeId{i + 1}},
                    .view = [this, i] { return installed[i]; },
                    .gate_open = [this, i] { return open[i]; }});
    }
  }
  void install(std::uint64_t run, std::shared_ptr<const View> what) {
    installed[run] = std::move(what);
    views.installed(run);
  }
  bool saw(std::string_view beginning) const {
    return seen.size() == 1 && seen.front().starts_with(beginning);
  }
};

const Member a = member("a", 1, 1);
const Member b = member("b", 1, 2);

TEST(SimViews, TheSameValueUnderGrowingNumbersIsRight) {
  Watched watched;
  watched.install(0, view(1, {a}));
  watched.install(0, view(2, {a, b}));
  watched.install(1, view(2, {a, b}));
  watched.install(1, view(4, {b}));
  EXPECT_TRUE(watched.seen.empty());
  EXPECT_EQ(watched.views.views(), 3u);
}

TEST(SimViews, SeesTwoViewsOfOneNumber) {
  Watched watched;
  watched.install(0, view(2, {a, b}));
  watched.install(1, view(2, {b}));
  EXPECT_TRUE(watched.saw("I8 b has another view 2"));
}

TEST(SimViews, SeesANumberThatShrinks) {
  Watched watched;
  watched.install(0, view(2, {a, b}));
  watched.install(1, view(1, {a}));
  EXPECT_TRUE(watched.seen.empty());  // b is only late
  watched.install(0, view(1, {a}));
  EXPECT_TRUE(watched.saw("I8 a goes back from view 2 to view 1"));
}

TEST(SimViews, SeesWhoComesBack) {
  Watched watched;
  watched.install(0, view(1, {a, b}));
  watched.install(0, view(2, {a}));
  watched.install(0, view(3, {a, b}));
  EXPECT_TRUE(watched.saw("I8 b 1"));
}

TEST(SimViews, SeesALeaseThatOutlivesItsView) {
  Watched watched;
  watched.install(0, view(1, {a, b}));
  watched.open[1] = true;
  watched.install(0, view(2, {a}));
  EXPECT_TRUE(watched.saw("I1 b is out by view 2"));
}

TEST(SimViews, JudgesNoLeaseWhenClocksLie) {
  Watched watched;
  watched.views.clocks_lie();
  watched.install(0, view(1, {a, b}));
  watched.open[1] = true;
  watched.install(0, view(2, {a}));
  EXPECT_TRUE(watched.seen.empty());
}

bool sees(std::string_view beginning, std::function<void(SimCluster&)> wrong) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto plan = draw_plan(program(), 3, seed);
    if (!plan) return false;
    const auto played =
        play_simulated(*plan, program(), {.seed = seed, .guests = true, .prepare = wrong});
    if (!played) continue;
    for (const SimViolation& violation : played->violations) {
      if (violation.text.starts_with(beginning)) return true;
    }
  }
  return false;
}

std::function<void(SimCluster&)> now_and_then(unsigned copies) {
  return [copies](SimCluster& cluster) {
    cluster.links().frame_copies = [&cluster, copies] {
      return cluster.world().random().below(200) == 0 ? copies : 1;
    };
  };
}

// Goal: a lane that loses frames, or carries them twice, is seen by those who count.
TEST(SimGuests, SeeALaneThatLoses) { EXPECT_TRUE(sees("I6 a ping from ", now_and_then(0))); }
TEST(SimGuests, SeeALaneThatDoubles) { EXPECT_TRUE(sees("I6 ping ", now_and_then(2))); }

// Goal: a journal that takes events out of order or of an earlier owner is seen.
TEST(SimStore, SeesEventsOutOfOrderAndOfEarlierOwners) {
  SimStore store;
  std::vector<std::string> seen;
  store.violation = [&](std::string text) { seen.push_back(std::move(text)); };
  store.fence_off = store.order_off = true;
  ASSERT_TRUE(store.streams().open("s", {1, 1}));
  ASSERT_TRUE(store.streams().open("s", {2, 1}));
  const std::vector<Append> early{
      {.stream = "s", .epoch = {2, 1}, .expected_sequence = 2, .events = {coterie::Event{}}}};
  ASSERT_TRUE(store.streams().append(early));
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen.front().starts_with("I3 s: event 2"));
  const std::vector<Append> old{
      {.stream = "s", .epoch = {1, 1}, .expected_sequence = 2, .events = {coterie::Event{}}}};
  ASSERT_TRUE(store.streams().append(old));
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_TRUE(seen.back().starts_with("I2 s: "));
}

/// Ready at a moment, or when told so.
class Item final : public SimItem {
 public:
  Time at = Time::max();
  Time now{};
  bool ready() const noexcept override { return at <= now; }
  void run() override {}
  Time next() const noexcept override { return at; }
};

// Goal: the agenda says what asking every item would say, whatever changes.
TEST(SimAgenda, AgreesWithAskingEverybody) {
  SeededRandom random(7);
  SimAgenda agenda;
  std::vector<std::unique_ptr<Item>> items;
  Time now{};
  for (int step = 0; step < 20'000; ++step) {
    const auto choice = random.below(40);
    if (items.empty() || (choice == 0 && items.size() < 200)) {
      agenda.add(*items.emplace_back(std::make_unique<Item>()));
    } else if (choice == 1) {
      const auto gone = items.begin() + static_cast<std::ptrdiff_t>(random.below(items.size()));
      agenda.remove(**gone);
      items.erase(gone);
    } else if (choice < 20) {
      Item& item = *items[random.below(items.size())];
      item.at = random.below(4) == 0 ? Time::max() : now + Duration(random.below(500));
      agenda.changed(item);
    } else {
      now += Duration(random.below(60));
    }
    for (const auto& item : items) item->now = now;
    agenda.refresh(now);
    std::vector<const Item*> ready;
    Time next = Time::max();
    for (const auto& item : items) {
      if (item->ready()) ready.push_back(item.get());
      if (!item->ready()) next = std::min(next, item->next());
    }
    ASSERT_EQ(agenda.ready(), ready.size());
    for (std::size_t i = 0; i < ready.size(); ++i) ASSERT_EQ(&agenda.pick(i), ready[i]);
    ASSERT_EQ(agenda.next(), next);
  }
}

}  // namespace
}  // namespace coterie::test
