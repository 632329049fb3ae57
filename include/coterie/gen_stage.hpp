#pragma once
// GenStage: processes that pass events on only as fast as they are asked for. A consumer subscribes
// to a producer and asks; the producer never sends more than was asked, so a slow consumer slows
// the producer down instead of drowning. The counterpart of Elixir's gen_stage.
//
//   class Numbers final : public GenStage::Producer<int> {
//    public:
//     std::vector<int> handle_demand(std::size_t demand) override {
//       std::vector<int> events(demand);
//       for (int& event : events) event = next_++;
//       return events;
//     }
//    private:
//     int next_ = 0;
//   };
//   class Doubler final : public GenStage::ProducerConsumer<int, int> {
//     std::vector<int> handle_events(std::vector<int> events, const Subscription&) override {
//       for (int& event : events) event *= 2;
//       return events;
//     }
//   };
//   class Printer final : public GenStage::Consumer<int> {
//     void handle_events(std::vector<int> events, const Subscription&) override {
//       for (int event : events) std::println("{}", event);
//     }
//   };
//   auto numbers = GenServer::start_link<Numbers>({}).value();
//   auto doubler = GenServer::start_link<Doubler>({}).value();
//   auto printer = GenServer::start_link<Printer>({}).value();
//   GenStage::sync_subscribe(printer, {.to = doubler, .max_demand = 10});   // consumers first
//   GenStage::sync_subscribe(doubler, {.to = numbers, .max_demand = 10});
//
// A stage is a GenServer: it may have calls, casts and infos of its own, and emit() events in them;
// what nobody has asked for waits in its buffer. An event is moved, so it must be movable without
// exceptions; for broadcast it is copied. Stages of one subscription run on one node.

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include <coterie/detail/dispatchers.hpp>
#include <coterie/detail/stage.hpp>
#include <coterie/detail/stage_output.hpp>
#include <coterie/gen_server.hpp>
#include <coterie/stage_options.hpp>

namespace coterie {

/// Subscribe, ProducerOptions and what else belongs to them: <coterie/stage_options.hpp>.
class GenStage : public StageOptions {
 public:
  template <class Out>
  class Producer;
  template <class In>
  class Consumer;
  template <class In, class Out>
  class ProducerConsumer;

  /// The consumer `stage` subscribes. The reference is the subscription's tag. Errors: of the call;
  /// `refused` for options that make no sense, or a stage that is no consumer.
  static std::expected<Ref, CallError> sync_subscribe(const ServerRef& stage, Subscribe options,
                                                      Duration timeout = default_call_timeout);
  static void async_subscribe(const ServerRef& stage, Subscribe options);
  /// Ends the subscription `old` with `reason` and makes a new one, in one step for the producer.
  static std::expected<Ref, CallError> sync_resubscribe(const ServerRef& stage, Ref old,
                                                        ExitReason reason, Subscribe options,
                                                        Duration timeout = default_call_timeout);
  /// In a consumer with manual demand: asks for so many more events.
  static void ask(const Subscription& producer, std::size_t count);
  /// In a consumer: ends its subscription.
  static void cancel(const Subscription& producer, ExitReason reason);
  /// Of a producer. forward: hands the demand that was accumulated to handle_demand.
  static void demand(const ServerRef& producer, Demand mode);
  /// `message` comes to the producer's own handle_info once the events that it has in its buffer
  /// now have been sent, or dropped: to know that what was emitted is on its way.
  template <class T>
  static void async_info(const ServerRef& producer, T message) {
    send(producer,
         detail::StageInfo(detail::make_message(detail::MessageKind::send, std::move(message))));
  }
  static std::expected<std::size_t, CallError> estimate_buffered_count(
      const ServerRef& producer, Duration timeout = default_call_timeout);
};

template <class Out>
class GenStage::Producer : public GenServer,
                           public detail::OwnMessages,
                           private detail::StageHooks {
 public:
  using Subscription = GenStage::Subscription;

  explicit Producer(ProducerOptions<Out> options = {})
      : mode_(options.demand), output_(std::move(options), 10'000, *this) {}

  /// At most `demand` events: those that the consumers wait for. The rest may be emitted later.
  virtual std::vector<Out> handle_demand(std::size_t demand) = 0;

  /// Optional: a consumer has come, or gone.
  Asking handle_subscribe(Role, const Subscribe&, const Subscription&) override {
    return Asking::automatic;
  }
  void handle_cancel(const Cancelled&, const Subscription&) override {}
  /// Whether to log that the buffer has dropped so many events.
  bool format_discarded(std::size_t) override { return true; }

 protected:
  /// Events that nobody has asked for through handle_demand: sent, or buffered.
  void emit(std::vector<Out> events) {
    if (mode_ == Demand::accumulate) {
      held_.push_back({0, std::move(events)});
    } else {
      output_.dispatch(std::move(events));
    }
  }
  /// The stage ends after this callback.
  void end_with(ExitReason reason) { output_.end_with(std::move(reason)); }

 private:
  struct Held {
    std::size_t demand = 0;
    std::vector<Out> events;
  };

  bool take_own(detail::Message& message, detail::CallbackResult& result) final {
    if (auto* mode = message.as<detail::StageDemand>()) {
      set_mode(mode->mode);
    } else if (auto wanted = output_.take(message, result)) {
      more(*wanted);
    } else if (!detail::refuse_subscription(message, result)) {
      return false;
    }
    output_.stop_if_told(result);
    return true;
  }
  void more(std::size_t count) {
    count = output_.take_from_buffer(count);
    if (count == 0) return;
    if (mode_ == Demand::accumulate) {
      held_.push_back({count, {}});
    } else {
      output_.dispatch(handle_demand(count));
    }
  }
  void set_mode(Demand mode) {
    mode_ = mode;
    if (mode == Demand::accumulate) return;
    for (Held& held : std::exchange(held_, {})) {
      if (held.demand > 0) more(held.demand);
      if (!held.events.empty()) output_.dispatch(std::move(held.events));
    }
  }

  Demand mode_;
  std::vector<Held> held_;  // while it accumulates, in order
  detail::StageOutput<Out> output_;
};

template <class In>
class GenStage::Consumer : public GenServer,
                           public detail::OwnMessages,
                           private detail::StageHooks {
 public:
  using Subscription = GenStage::Subscription;

  /// Subscribes itself once it has started.
  explicit Consumer(std::vector<Subscribe> subscribe_to = {})
      : input_(*this, std::move(subscribe_to)) {}

  virtual void handle_events(std::vector<In> events, const Subscription& from) = 0;

  Asking handle_subscribe(Role, const Subscribe&, const Subscription&) override {
    return Asking::automatic;
  }
  void handle_cancel(const Cancelled&, const Subscription&) override {}

 protected:
  void end_with(ExitReason reason) { input_.end_with(std::move(reason)); }

 private:
  bool format_discarded(std::size_t) final { return true; }
  bool take_own(detail::Message& message, detail::CallbackResult& result) final {
    if (auto* batch = message.as<detail::StageEvents<In>>()) {
      if (!input_.knows(batch->producer, batch->tag)) return true;
      input_.each_batch(*batch, [this](std::vector<In> events, const Subscription& from) {
        handle_events(std::move(events), from);
      });
    } else if (auto ended = input_.take(message, result)) {
      if (ended->known) input_.finish(*ended);
    } else {
      return false;
    }
    input_.stop_if_told(result);
    return true;
  }

  detail::StageInput input_;
};

template <class In, class Out>
class GenStage::ProducerConsumer : public GenServer,
                                   public detail::OwnMessages,
                                   private detail::StageHooks {
 public:
  using Subscription = GenStage::Subscription;

  explicit ProducerConsumer(std::vector<Subscribe> subscribe_to = {},
                            ProducerOptions<Out> options = {})
      : input_(*this, std::move(subscribe_to)), output_(std::move(options), unlimited, *this) {}

  /// Any number of events for any number of events.
  virtual std::vector<Out> handle_events(std::vector<In> events, const Subscription& from) = 0;

  Asking handle_subscribe(Role, const Subscribe&, const Subscription&) override {
    return Asking::automatic;
  }
  void handle_cancel(const Cancelled&, const Subscription&) override {}
  bool format_discarded(std::size_t) override { return true; }

 protected:
  void emit(std::vector<Out> events) { dispatch(std::move(events)); }
  void end_with(ExitReason reason) { input_.end_with(std::move(reason)); }

 private:
  /// What came in and waits until somebody asks; and the ends of subscriptions between it.
  struct Waiting {
    std::optional<detail::StageEvents<In>> events;
    detail::StageInput::Ended ended;
  };

  bool take_own(detail::Message& message, detail::CallbackResult& result) final {
    if (auto* batch = message.as<detail::StageEvents<In>>()) {
      if (input_.knows(batch->producer, batch->tag)) waiting_.push_back({std::move(*batch), {}});
    } else if (auto wanted = output_.take(message, result)) {
      wanted_ += *wanted;
      std::size_t sent = 0;
      output_.take_from_buffer(wanted_, &sent);
      spend(sent);
    } else if (auto ended = input_.take(message, result)) {
      if (ended->known) waiting_.push_back({std::nullopt, std::move(*ended)});
    } else {
      return false;
    }
    work();
    input_.stop_if_told(result);
    output_.stop_if_told(result);
    return true;
  }
  /// As long as somebody downstream waits for events.
  void work() {
    while (!waiting_.empty() && (wanted_ > 0 || !waiting_.front().events)) {
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      if (!next.events) {
        input_.finish(next.ended);
        continue;
      }
      input_.each_batch(*next.events, [this](std::vector<In> events, const Subscription& from) {
        dispatch(handle_events(std::move(events), from));
      });
    }
  }
  void dispatch(std::vector<Out> events) { spend(output_.dispatch(std::move(events))); }
  void spend(std::size_t sent) { wanted_ -= std::min(sent, wanted_); }

  std::size_t wanted_ = 0;
  std::deque<Waiting> waiting_;
  detail::StageInput input_;
  detail::StageOutput<Out> output_;
};

}  // namespace coterie
