// The dispatchers of GenStage by themselves: who gets what, and what is asked for upstream. After
// gen_stage's demand_, broadcast_ and partition_dispatcher_test.exs.

#include <gtest/gtest.h>

#include <coterie/gen_stage.hpp>

namespace coterie {
namespace {

using Events = std::vector<int>;
using Sent = std::vector<std::pair<int, Events>>;  // consumer, events

GenStage::Subscription consumer(int n) {
  return {{NodeId{1}, static_cast<std::uint64_t>(n)}, Ref{static_cast<std::uint64_t>(n)}};
}

template <class D>
struct Dispatched {
  template <class... Args>
  explicit Dispatched(Args&&... args) : dispatcher(std::forward<Args>(args)...) {}

  std::string subscribe(int n, GenStage::Subscribe options = {}) {
    const auto added = dispatcher.subscribe(options, consumer(n));
    return added ? "ok" : to_string(added.error());
  }
  std::size_t ask(int n, std::size_t count) { return dispatcher.ask(count, consumer(n), deliver); }
  std::size_t cancel(int n) { return dispatcher.cancel(consumer(n)); }
  Events dispatch(Events events) { return dispatcher.dispatch(std::move(events), deliver, again); }
  Sent take() { return std::exchange(sent, {}); }

  D dispatcher;
  Sent sent;
  std::vector<std::pair<int, std::size_t>> asked_again;
  typename D::Deliver deliver = [this](const GenStage::Subscription& to, Events events) {
    sent.emplace_back(static_cast<int>(to.pid.serial), std::move(events));
  };
  std::function<void(const GenStage::Subscription&, std::size_t)> again =
      [this](const GenStage::Subscription& to, std::size_t count) {
        asked_again.emplace_back(static_cast<int>(to.pid.serial), count);
      };
};

TEST(DemandDispatcher, ServesWhoWaitsForMost) {
  Dispatched<DemandDispatcher<int>> d;
  EXPECT_EQ(d.subscribe(1), "ok");
  EXPECT_EQ(d.subscribe(2), "ok");
  EXPECT_EQ(d.ask(1, 2), 2u);
  EXPECT_EQ(d.ask(2, 3), 3u);
  EXPECT_EQ(d.dispatch({1, 2, 3, 4, 5, 6}), Events{6});
  EXPECT_EQ(d.take(), (Sent{{2, {1, 2, 3}}, {1, {4, 5}}}));
}

TEST(DemandDispatcher, EqualOnesTakeTurns) {
  Dispatched<DemandDispatcher<int>> d;
  for (int n : {1, 2}) d.subscribe(n), d.ask(n, 2);
  for (int event : {1, 2, 3}) EXPECT_EQ(d.dispatch({event}), Events{});
  EXPECT_EQ(d.take(), (Sent{{1, {1}}, {2, {2}}, {1, {3}}}));
}

TEST(DemandDispatcher, DemandOfWhoLeftIsNotAskedTwice) {
  Dispatched<DemandDispatcher<int>> d;
  d.subscribe(1);
  EXPECT_EQ(d.ask(1, 10), 10u);
  EXPECT_EQ(d.cancel(1), 0u);
  d.subscribe(2);
  EXPECT_EQ(d.ask(2, 5), 0u);
  EXPECT_EQ(d.ask(2, 10), 5u);
  EXPECT_EQ(d.dispatch(Events(15)), Events{});
}

TEST(BroadcastDispatcher, IsAsFastAsTheSlowest) {
  Dispatched<BroadcastDispatcher<int>> d;
  d.subscribe(1);
  d.subscribe(2);
  EXPECT_EQ(d.ask(1, 3), 0u);
  EXPECT_EQ(d.ask(2, 2), 2u);
  EXPECT_EQ(d.dispatch({1, 2, 3}), Events{3});
  EXPECT_EQ(d.take(), (Sent{{1, {1, 2}}, {2, {1, 2}}}));
  EXPECT_EQ(d.cancel(2), 1u);  // the one that is left waits for one more
  EXPECT_EQ(d.dispatch({3}), Events{});
}

TEST(BroadcastDispatcher, LateOnesStartFromNow) {
  Dispatched<BroadcastDispatcher<int>> d;
  d.subscribe(1);
  EXPECT_EQ(d.ask(1, 10), 10u);
  d.subscribe(2);
  EXPECT_EQ(d.dispatch({1}), Events{1});  // the second has not asked
  EXPECT_EQ(d.ask(2, 5), 0u);             // asked for already, by the first
  EXPECT_EQ(d.dispatch({1}), Events{});
  EXPECT_EQ(d.take(), (Sent{{1, {1}}, {2, {1}}}));
}

TEST(BroadcastDispatcher, SelectorsAreMadeGood) {
  Dispatched<BroadcastDispatcher<int>> d;
  d.subscribe(1,
              {.to = Pid{}, .selector = GenStage::select<int>([](int n) { return n % 2 == 0; })});
  d.subscribe(2);
  d.ask(1, 3);
  d.ask(2, 3);
  d.dispatch({1, 2, 3});
  EXPECT_EQ(d.take(), (Sent{{1, {2}}, {2, {1, 2, 3}}}));
  EXPECT_EQ(d.asked_again, (std::vector<std::pair<int, std::size_t>>{{1, 2}}));
}

TEST(BroadcastDispatcher, OneSubscriptionForEachProcess) {
  Dispatched<BroadcastDispatcher<int>> d;
  EXPECT_EQ(d.subscribe(1), "ok");
  EXPECT_EQ(d.subscribe(1), "already_subscribed");
}

TEST(PartitionDispatcher, SendsToThePartitionOfTheEvent) {
  Dispatched<PartitionDispatcher<int>> d(2u, [](const int& n) -> std::optional<std::size_t> {
    if (n % 3 == 0) return std::nullopt;
    return static_cast<std::size_t>(n % 2);
  });
  EXPECT_EQ(d.subscribe(1, {.to = Pid{}, .partition = 0}), "ok");
  EXPECT_EQ(d.subscribe(2, {.to = Pid{}, .partition = 1}), "ok");
  EXPECT_NE(d.subscribe(3, {.to = Pid{}, .partition = 1}), "ok");
  EXPECT_NE(d.subscribe(3, {.to = Pid{}, .partition = 2}), "ok");
  EXPECT_NE(d.subscribe(3), "ok");
  EXPECT_EQ(d.ask(1, 4), 4u);
  EXPECT_EQ(d.ask(2, 4), 4u);
  EXPECT_EQ(d.dispatch({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), Events{12});
  EXPECT_EQ(d.take(), (Sent{{1, {2, 4, 8, 10}}, {2, {1, 5, 7, 11}}}));
}

TEST(PartitionDispatcher, EventsWaitForTheirConsumer) {
  Dispatched<PartitionDispatcher<int>> d(2u);
  d.subscribe(1, {.to = Pid{}, .partition = 0});
  EXPECT_EQ(d.ask(1, 4), 4u);
  EXPECT_EQ(d.dispatch({0, 1, 2, 3, 5}), Events{5});
  EXPECT_EQ(d.take(), (Sent{{1, {0, 2}}}));
  d.subscribe(2, {.to = Pid{}, .partition = 1});
  EXPECT_EQ(d.ask(2, 1), 1u);
  EXPECT_EQ(d.take(), (Sent{{2, {1}}}));
  EXPECT_EQ(d.cancel(2), 1u);  // 3 waited for it
}

TEST(PartitionDispatcher, DemandOfWhoLeftIsNotAskedTwice) {
  Dispatched<PartitionDispatcher<int>> d(2u);
  d.subscribe(1, {.to = Pid{}, .partition = 0});
  EXPECT_EQ(d.ask(1, 10), 10u);
  EXPECT_EQ(d.cancel(1), 0u);
  d.subscribe(2, {.to = Pid{}, .partition = 1});
  EXPECT_EQ(d.ask(2, 5), 0u);
  EXPECT_EQ(d.cancel(2), 0u);
  EXPECT_EQ(d.dispatch({0, 1, 2, 3}), Events{});
}

}  // namespace
}  // namespace coterie
