// GenStage: demand, batches, buffers, subscriptions and their ends, after gen_stage_test.exs; on
// virtual time. Row 55.

#include <gtest/gtest.h>

#include <numeric>

#include <coterie/gen_stage.hpp>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using test::VirtualNode;
using test::wait_for_end;
using Events = std::vector<int>;
using Subscribe = GenStage::Subscribe;

Events numbers(int first, int last) {
  Events events(static_cast<std::size_t>(last - first + 1));
  std::iota(events.begin(), events.end(), first);
  return events;
}

struct Consumed {
  Events events;
};
struct Wanted {
  std::size_t demand = 0;
};
struct Ended {
  ExitReason reason;
  bool down = false;
};

/// Counts as far as it is asked; tells the test of each demand if it has one.
class Counter final : public GenStage::Producer<int> {
 public:
  struct Queue {
    using Reply = Nothing;
    Events events;
  };
  struct Stop {};
  struct Note {};
  using Calls = Messages<Queue>;
  using Casts = Messages<Stop>;
  using Infos = Messages<Note, Down>;

  explicit Counter(GenStage::ProducerOptions<int> options = {}, Pid test = {}, bool silent = false)
      : Producer(std::move(options)), test_(test), silent_(silent) {}

  Events handle_demand(std::size_t demand) override {
    if (test_) send(test_, Wanted{demand});
    if (silent_) return {};
    const int first = next_;
    next_ += static_cast<int>(demand);
    return numbers(first, next_ - 1);
  }
  void handle_cancel(const GenStage::Cancelled& why, const Subscription&) override {
    if (test_) send(test_, Ended{why.reason, why.down});
  }
  bool format_discarded(std::size_t count) override { return count != 2; }
  Nothing handle_call(const Queue& queue) {
    emit(queue.events);
    return {};
  }
  void handle_cast(const Stop&) { end_with(ExitReason::term("told")); }
  void handle_info(const Note&) { emit({-1}); }
  void handle_info(const Down&) { emit({-2}); }

 private:
  int next_ = 0;
  Pid test_;
  bool silent_;
};

/// Tells the test what it has consumed.
class Forwarder final : public GenStage::Consumer<int> {
 public:
  struct Ask {
    std::size_t count = 1;
  };
  struct Cancel {};
  using Casts = Messages<Ask, Cancel>;

  explicit Forwarder(Pid test, std::vector<Subscribe> subscribe_to = {}, bool manual = false,
                     Duration pause = 1ms)
      : Consumer(std::move(subscribe_to)), test_(test), manual_(manual), pause_(pause) {}

  void handle_events(Events events, const Subscription&) override {
    send(test_, Consumed{std::move(events)});
    sleep(pause_);  // or virtual time would stand still, and nothing but they would run
  }
  GenStage::Asking handle_subscribe(GenStage::Role, const Subscribe&,
                                    const Subscription& producer) override {
    producer_ = producer;
    return manual_ ? GenStage::Asking::manual : GenStage::Asking::automatic;
  }
  void handle_cancel(const GenStage::Cancelled& why, const Subscription&) override {
    send(test_, Ended{why.reason, why.down});
  }
  void handle_cast(const Ask& a) { GenStage::ask(producer_, a.count); }
  void handle_cast(const Cancel&) { GenStage::cancel(producer_, ExitReason::shutdown()); }

 private:
  Pid test_;
  bool manual_;
  Duration pause_;
  Subscription producer_;
};

class Doubler final : public GenStage::ProducerConsumer<int, int> {
 public:
  explicit Doubler(Pid test = {}, int times = 1, std::vector<Subscribe> subscribe_to = {})
      : ProducerConsumer(std::move(subscribe_to)), test_(test), times_(times) {}
  Events handle_events(Events events, const Subscription&) override {
    if (test_) send(test_, Wanted{events.size()});
    Events out;
    for (int event : events) out.insert(out.end(), static_cast<std::size_t>(times_), event * 2);
    return out;
  }

 private:
  Pid test_;
  int times_;
};

class GenStageTest : public testing::Test {
 protected:
  VirtualNode node;
  Pid me = self();

  static Pid counter(GenStage::ProducerOptions<int> options = {}) {
    return GenServer::start<Counter>({}, std::move(options)).value();
  }
  static GenStage::ProducerOptions<int> with(std::unique_ptr<Dispatcher<int>> dispatcher) {
    GenStage::ProducerOptions<int> options;
    options.dispatcher = std::move(dispatcher);
    return options;
  }
  Pid forwarder(Duration pause = 1ms) {
    return GenServer::start<Forwarder>({}, me, std::vector<Subscribe>{}, false, pause).value();
  }
  static Events consumed() {
    return receive([](Consumed&& c) { return std::move(c.events); },
                   after(1s, [] { return Events{-99}; }));
  }
  static bool nothing_consumed() {
    return receive([](const Consumed&) { return false; }, after(10ms, [] { return true; }));
  }
  static ExitReason ended() {
    return receive([](const Ended& e) { return e.reason; });
  }
};

TEST_F(GenStageTest, AsksForAThousandAndAgainAtHalf) {
  const Pid producer = counter();
  GenServer::start<Forwarder>({}, me, std::vector<Subscribe>{{.to = producer}}).value();
  EXPECT_EQ(consumed(), numbers(0, 499));
  EXPECT_EQ(consumed(), numbers(500, 999));
  EXPECT_EQ(consumed(), numbers(1000, 1499));
}

TEST_F(GenStageTest, MinDemandSaysWhenToAskAgain) {
  EXPECT_TRUE(GenStage::sync_subscribe(forwarder(),
                                       {.to = counter(), .max_demand = 100, .min_demand = 80}));
  EXPECT_EQ(consumed(), numbers(0, 19));
  EXPECT_EQ(consumed(), numbers(20, 39));
}

TEST_F(GenStageTest, LowMinDemandMakesBigBatches) {
  EXPECT_TRUE(GenStage::sync_subscribe(forwarder(),
                                       {.to = counter(), .max_demand = 100, .min_demand = 20}));
  EXPECT_EQ(consumed(), numbers(0, 79));
  EXPECT_EQ(consumed(), numbers(80, 99));
  EXPECT_EQ(consumed(), numbers(100, 179));
}

TEST_F(GenStageTest, OneByOne) {
  GenStage::async_subscribe(forwarder(), {.to = counter(), .max_demand = 1, .min_demand = 0});
  for (int i : {0, 1, 2}) EXPECT_EQ(consumed(), Events{i});
}

TEST_F(GenStageTest, ASlowConsumerIsNeverSentMoreThanItAskedFor) {
  const Pid producer = GenServer::start<Counter>({}, GenStage::ProducerOptions<int>{}, me).value();
  EXPECT_TRUE(
      GenStage::sync_subscribe(forwarder(1s), {.to = producer, .max_demand = 10, .min_demand = 5}));
  sleep(10s);
  std::size_t demanded = 0;
  std::size_t received = 0;
  while (receive([&](const Wanted& w) { return demanded += w.demand, true; },
                 [&](const Consumed& c) { return received += c.events.size(), true; },
                 after(0s, [] { return false; }))) {
  }
  EXPECT_GE(received, 45u);
  EXPECT_LE(demanded, received + 10);
  EXPECT_EQ(GenStage::estimate_buffered_count(producer).value(), 0u);
}

TEST_F(GenStageTest, BroadcastAsksOnceForAll) {
  const Pid producer =
      GenServer::start<Counter>({}, with(std::make_unique<BroadcastDispatcher<int>>()), me, true)
          .value();
  EXPECT_TRUE(GenStage::sync_subscribe(forwarder(), {.to = producer, .max_demand = 10}));
  EXPECT_TRUE(GenStage::sync_subscribe(forwarder(), {.to = producer, .max_demand = 20}));
  EXPECT_EQ(receive([](const Wanted& w) { return w.demand; }), 10u);
  EXPECT_FALSE(receive([](const Wanted&) { return true; }, after(10ms, [] { return false; })));
}

TEST_F(GenStageTest, BroadcastReachesAll) {
  auto options = with(std::make_unique<BroadcastDispatcher<int>>());
  options.demand = GenStage::Demand::accumulate;
  const Pid producer = counter(std::move(options));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(
        GenStage::sync_subscribe(forwarder(), {.to = producer, .max_demand = 4, .min_demand = 0}));
  }
  EXPECT_TRUE(nothing_consumed());
  GenStage::demand(producer, GenStage::Demand::forward);
  EXPECT_EQ(consumed(), numbers(0, 3));
  EXPECT_EQ(consumed(), numbers(0, 3));
}

TEST_F(GenStageTest, PartitionsHaveAConsumerEach) {
  const Pid producer = counter(with(std::make_unique<PartitionDispatcher<int>>(2)));
  const Pid even = forwarder();
  EXPECT_TRUE(GenStage::sync_subscribe(
      even, {.to = producer, .max_demand = 3, .min_demand = 0, .partition = 0}));
  const Events events = consumed();
  EXPECT_FALSE(events.empty());
  EXPECT_TRUE(std::ranges::all_of(events, [](int n) { return n % 2 == 0; }));
  const Pid late = forwarder();
  EXPECT_TRUE(GenStage::sync_subscribe(late, {.to = producer, .partition = 0}));
  EXPECT_NE(to_string(ended()).find("bad_opts"), std::string::npos);
}

TEST_F(GenStageTest, EventsPassThroughStagesOnDemand) {
  const Pid doubler = GenServer::start<Doubler>({}).value();
  EXPECT_TRUE(
      GenStage::sync_subscribe(forwarder(), {.to = doubler, .max_demand = 10, .min_demand = 8}));
  EXPECT_TRUE(
      GenStage::sync_subscribe(doubler, {.to = counter(), .max_demand = 10, .min_demand = 5}));
  EXPECT_EQ(consumed(), (Events{0, 2}));
  EXPECT_EQ(consumed(), (Events{4, 6}));
}

TEST_F(GenStageTest, AStageStopsAskingWhenItsConsumerDoes) {
  const Pid doubler =
      GenServer::start<Doubler>(
          {}, me, 1, std::vector<Subscribe>{{.to = counter(), .max_demand = 10, .min_demand = 8}})
          .value();
  EXPECT_TRUE(GenStage::sync_subscribe(forwarder(infinity),
                                       {.to = doubler, .max_demand = 10, .min_demand = 5}));
  std::size_t passed = 0;
  while (receive([&](const Wanted& w) { return passed += w.demand, true; },
                 after(1s, [] { return false; }))) {
  }
  EXPECT_EQ(passed, 10u);
}

TEST_F(GenStageTest, AStageBuffersWithoutBoundWhatItMakesTooMuch) {
  const Pid doubler =
      GenServer::start<Doubler>(
          {}, Pid{}, 20'000,
          std::vector<Subscribe>{{.to = counter(), .max_demand = 1, .min_demand = 0}})
          .value();
  EXPECT_TRUE(GenStage::sync_subscribe(forwarder(infinity),
                                       {.to = doubler, .max_demand = 1, .min_demand = 0}));
  sleep(1s);
  EXPECT_EQ(GenStage::estimate_buffered_count(doubler).value(), 19'999u);
}

TEST_F(GenStageTest, EventsThatNobodyAskedForAreBuffered) {
  const Pid producer = counter();
  EXPECT_TRUE(call(producer, Counter::Queue{{100, 101, 102}}));
  send(producer, Counter::Note{});
  EXPECT_EQ(GenStage::estimate_buffered_count(producer).value(), 4u);
  GenStage::async_subscribe(forwarder(), {.to = producer, .max_demand = 3, .min_demand = 0});
  EXPECT_EQ(consumed(), (Events{100, 101, 102}));
  EXPECT_EQ(consumed(), Events{-1});
  EXPECT_EQ(consumed(), (Events{0, 1}));
}

// A message for the producer itself, behind the events that are buffered now.
TEST_F(GenStageTest, AnInfoWaitsForTheEventsBeforeIt) {
  const Pid producer = counter();
  GenStage::async_info(producer, Counter::Note{});  // nothing to wait for: it emits -1
  sleep(1ms);
  EXPECT_EQ(GenStage::estimate_buffered_count(producer).value(), 1u);
  EXPECT_TRUE(call(producer, Counter::Queue{{100, 101}}));
  GenStage::async_info(producer, Counter::Note{});
  EXPECT_TRUE(call(producer, Counter::Queue{{102}}));
  EXPECT_EQ(GenStage::estimate_buffered_count(producer).value(), 4u);
  const Pid consumer = GenServer::start<Forwarder>({}, me, std::vector<Subscribe>{}, true).value();
  EXPECT_TRUE(GenStage::sync_subscribe(consumer, {.to = producer}));
  cast(consumer, Forwarder::Ask{2});
  EXPECT_EQ(consumed(), (Events{-1, 100}));
  EXPECT_EQ(GenStage::estimate_buffered_count(producer).value(), 2u);
  cast(consumer, Forwarder::Ask{1});
  EXPECT_EQ(consumed(), Events{101});
  sleep(1ms);
  EXPECT_EQ(GenStage::estimate_buffered_count(producer).value(), 2u);  // 102, and -1 behind it
  cast(consumer, Forwarder::Ask{2});
  EXPECT_EQ(consumed(), (Events{102, -1}));
}

TEST_F(GenStageTest, AFullBufferKeepsTheLastUnlessTold) {
  GenStage::ProducerOptions<int> first;
  first.buffer_size = 5;
  first.buffer_keep = GenStage::Keep::first;
  GenStage::ProducerOptions<int> last;
  last.buffer_size = 5;
  for (auto* options : {&first, &last}) {
    const bool keeps_last = options->buffer_keep == GenStage::Keep::last;
    const Pid producer = counter(std::move(*options));
    EXPECT_TRUE(call(producer, Counter::Queue{numbers(1, 8)}));
    GenStage::async_subscribe(forwarder(), {.to = producer, .max_demand = 5, .min_demand = 0});
    EXPECT_EQ(consumed(), keeps_last ? numbers(4, 8) : numbers(1, 5));
  }
  const auto logged = node.sink.entries();
  EXPECT_EQ(logged.size(), 2u);
  EXPECT_EQ(logged.at(0).field("events"), "3");
}

TEST_F(GenStageTest, FormatDiscardedMayKeepTheLogQuiet) {
  GenStage::ProducerOptions<int> small;
  small.buffer_size = 1;
  EXPECT_TRUE(call(counter(std::move(small)), Counter::Queue{{1, 2, 3}}));
  EXPECT_TRUE(node.sink.entries().empty());
}

TEST_F(GenStageTest, AccumulatedDemandsAreNotCombined) {
  GenStage::ProducerOptions<int> options;
  options.demand = GenStage::Demand::accumulate;
  const Pid producer = GenServer::start<Counter>({}, std::move(options), me, true).value();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(GenStage::sync_subscribe(forwarder(), {.to = producer, .max_demand = 2}));
  }
  GenStage::demand(producer, GenStage::Demand::forward);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(receive([](const Wanted& w) { return w.demand; }), 2u);
  }
}

TEST_F(GenStageTest, ManualDemandAsksByHand) {
  const Pid producer = counter();
  const Pid consumer = GenServer::start<Forwarder>({}, me, std::vector<Subscribe>{}, true).value();
  EXPECT_TRUE(GenStage::sync_subscribe(consumer, {.to = producer}));
  EXPECT_TRUE(nothing_consumed());
  cast(consumer, Forwarder::Ask{2});
  EXPECT_EQ(consumed(), (Events{0, 1}));
  EXPECT_TRUE(nothing_consumed());
  cast(consumer, Forwarder::Ask{1});
  EXPECT_EQ(consumed(), Events{2});
}

TEST_F(GenStageTest, TheEndOfAProducerIsTakenAsTheSubscriptionSays) {
  struct Case {
    GenStage::Cancel mode;
    ExitReason reason;
    bool survives;
  };
  using enum GenStage::Cancel;
  for (const Case& c : {Case{permanent, ExitReason::shutdown(), false},
                        Case{permanent, ExitReason::term("oops"), false},
                        Case{transient, ExitReason::shutdown(), true},
                        Case{transient, ExitReason::term("oops"), false},
                        Case{temporary, ExitReason::term("oops"), true}}) {
    const Pid producer = counter();
    const Pid consumer = forwarder();
    EXPECT_TRUE(
        GenStage::sync_subscribe(consumer, {.to = producer, .max_demand = 2, .cancel = c.mode}));
    exit(producer, c.reason);
    EXPECT_EQ(ended(), c.reason);
    if (!c.survives) {
      wait_for_end(consumer);
    }
    sleep(10ms);
    EXPECT_EQ(is_alive(consumer), c.survives);
  }
}

TEST_F(GenStageTest, AConsumerMayCancel) {
  const Pid producer =
      GenServer::start<Counter>({}, GenStage::ProducerOptions<int>{}, me, true).value();
  const Pid consumer = forwarder();
  EXPECT_TRUE(
      GenStage::sync_subscribe(consumer, {.to = producer, .cancel = GenStage::Cancel::transient}));
  cast(consumer, Forwarder::Cancel{});
  EXPECT_EQ(ended(), ExitReason::shutdown());  // the producer, then the consumer
  EXPECT_EQ(ended(), ExitReason::shutdown());
  EXPECT_TRUE(is_alive(consumer));
}

TEST_F(GenStageTest, TheEndOfAConsumerIsToldToTheProducer) {
  const Pid producer =
      GenServer::start<Counter>({}, GenStage::ProducerOptions<int>{}, me, true).value();
  const Pid consumer = forwarder();
  EXPECT_TRUE(GenStage::sync_subscribe(consumer, {.to = producer}));
  exit(consumer, ExitReason::kill());
  receive([](const Ended& e) {
    EXPECT_TRUE(e.down);
    EXPECT_EQ(e.reason, ExitReason::killed());
  });
  EXPECT_TRUE(is_alive(producer));
}

TEST_F(GenStageTest, WithoutItsProducerOnlyATemporarySubscriberLives) {
  const Pid permanent = forwarder();
  EXPECT_TRUE(GenStage::sync_subscribe(permanent, {.to = local("nobody")}));
  wait_for_end(permanent);
  const Pid temporary = forwarder();
  EXPECT_TRUE(GenStage::sync_subscribe(
      temporary, {.to = local("nobody"), .cancel = GenStage::Cancel::temporary}));
  sleep(1ms);
  EXPECT_TRUE(is_alive(temporary));
}

TEST_F(GenStageTest, BadOptionsAreAnAnswer) {
  const Pid consumer = forwarder();
  const auto wrong =
      GenStage::sync_subscribe(consumer, {.to = counter(), .max_demand = 1, .min_demand = 2});
  EXPECT_EQ(wrong.error().code(), CallError::Code::refused);
  EXPECT_EQ(wrong.error().reason(), ExitReason::term("bad_opts"));
  EXPECT_FALSE(GenStage::sync_subscribe(consumer, {.to = counter(), .max_demand = 0}));
  EXPECT_EQ(GenStage::sync_subscribe(counter(), {.to = counter()}).error().detail(),
            "the stage is not a consumer");
  EXPECT_TRUE(is_alive(consumer));
}

TEST_F(GenStageTest, ResubscribingReplacesTheSubscription) {
  const Pid producer =
      GenServer::start<Counter>({}, GenStage::ProducerOptions<int>{}, me, true).value();
  const Pid consumer = forwarder();
  const Subscribe options{.to = producer, .cancel = GenStage::Cancel::temporary};
  const Ref old = GenStage::sync_subscribe(consumer, options).value();
  const auto fresh =
      GenStage::sync_resubscribe(consumer, old, ExitReason::term("changed"), options);
  ASSERT_TRUE(fresh);
  EXPECT_NE(*fresh, old);
  EXPECT_EQ(ended(), ExitReason::term("changed"));
}

TEST_F(GenStageTest, UnknownSubscriptionsAreCancelled) {
  const Pid producer = counter();
  send(producer, detail::StageAsk{{me, Ref{77}}, 5});
  EXPECT_EQ(receive([](const detail::StageCancelled& c) { return c.reason; }),
            ExitReason::term("unknown_subscription"));
  send(forwarder(), detail::StageEvents<int>{me, Ref{77}, {1}});
  EXPECT_EQ(receive([](const detail::StageCancel& c) { return c.reason; }),
            ExitReason::term("unknown_subscription"));
  EXPECT_TRUE(nothing_consumed());
}

TEST_F(GenStageTest, DownsOfItsOwnMonitorsReachTheUser) {
  const Pid producer = counter();
  GenStage::sync_subscribe(forwarder(), {.to = producer, .max_demand = 1, .min_demand = 0}).value();
  consumed();
  send(producer, Down{Ref{9999}, me, ExitReason::normal()});
  for (int tries = 0; tries < 50; ++tries) {
    if (consumed() == Events{-2}) return;
  }
  ADD_FAILURE() << "the Down was taken by the stage";
}

TEST_F(GenStageTest, AStageMayEndItself) {
  const Pid producer = counter();
  const Ref ref = monitor(producer);
  cast(producer, Counter::Stop{});
  GenStage::demand(producer, GenStage::Demand::forward);
  receive(when([ref](const Down& d) { return d.ref == ref; },
               [](const Down& d) { EXPECT_EQ(d.reason, ExitReason::term("told")); }));
}

// Queued events come before the end of the subscription that brought them.
TEST_F(GenStageTest, EventsOfALostProducerAreStillHandled) {
  const Pid doubler = GenServer::start<Doubler>({}).value();
  const Pid producer = counter();
  EXPECT_TRUE(GenStage::sync_subscribe(
      doubler, {.to = producer, .max_demand = 4, .cancel = GenStage::Cancel::temporary}));
  sleep(1ms);
  exit(producer, ExitReason::kill());
  sleep(1ms);
  EXPECT_TRUE(GenStage::sync_subscribe(forwarder(), {.to = doubler, .max_demand = 4}));
  Events all;
  while (all.size() < 4) {
    const Events some = consumed();
    all.insert(all.end(), some.begin(), some.end());
  }
  EXPECT_EQ(all, (Events{0, 2, 4, 6}));
}

// Two stages that never wait hold a worker for ever: others have their turn, and time goes on.
class Endless final : public GenStage::Producer<int> {
 public:
  std::vector<int> handle_demand(std::size_t demand) override { return std::vector<int>(demand); }
};
class Bottomless final : public GenStage::Consumer<int> {
 public:
  explicit Bottomless(std::uint64_t& taken) : taken_(taken) {}
  void handle_events(std::vector<int> events, const Subscription&) override {
    taken_ += events.size();
  }

 private:
  std::uint64_t& taken_;
};

TEST(GenStageSim, StagesThatNeverWaitDoNotHoldTimeBack) {
  VirtualNode node;
  std::uint64_t taken = 0;
  const Pid producer = GenServer::start<Endless>({}).value();
  const Pid consumer = GenServer::start<Bottomless>({}, std::ref(taken)).value();
  EXPECT_TRUE(GenStage::sync_subscribe(consumer, {.to = producer}));
  sleep(200ms);
  EXPECT_GE(node.elapsed(), 200ms);
  EXPECT_GT(taken, 1000u);
  exit(consumer, ExitReason::kill());
}

}  // namespace
}  // namespace coterie
