#pragma once
// What stages say to each other, and the side of a stage that receives events: its subscriptions
// and how much it has asked for. Included by <coterie/gen_stage.hpp>.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <coterie/detail/dispatchers.hpp>
#include <coterie/gen_server.hpp>
#include <coterie/stage_options.hpp>

namespace coterie::detail {

// ---- to a producer
struct StageSubscribe {
  StageOptions::Subscription consumer;
  StageOptions::Subscribe options;
  Ref replaces = Ref::none;
  ExitReason reason;  // of the end of the one that it replaces
};
struct StageAsk {
  StageOptions::Subscription consumer;
  std::size_t count = 0;
};
struct StageCancel {
  StageOptions::Subscription consumer;
  ExitReason reason;
};
struct StageDemand {
  StageOptions::Demand mode = StageOptions::Demand::forward;
};
/// For the producer itself, once the events that are buffered now are gone.
struct StageInfo {
  explicit StageInfo(MessagePtr m) noexcept : message(std::move(m)) {}
  MessagePtr message;
};
struct StageBuffered {
  using Reply = std::size_t;
};
// ---- to a consumer
template <class T>
struct StageEvents {
  Pid producer;
  Ref tag = Ref::none;
  std::vector<T> events;
};
struct StageCancelled {
  Pid producer;
  Ref tag = Ref::none;
  ExitReason reason;
};
/// The tag of the new subscription, or what is wrong with the options.
struct StageSubscribeTo {
  using Reply = std::expected<Ref, std::string>;
  explicit StageSubscribeTo(StageOptions::Subscribe o) : options(std::move(o)) {}
  StageOptions::Subscribe options;
  Ref replaces = Ref::none;
  ExitReason reason;
};
/// From itself: to be told of its own subscriptions.
struct StageReady {};

/// What a stage may want to know.
class StageHooks {
 public:
  virtual StageOptions::Asking handle_subscribe(StageOptions::Role role,
                                                const StageOptions::Subscribe& options,
                                                const StageOptions::Subscription& other) = 0;
  virtual void handle_cancel(const StageOptions::Cancelled& cancelled,
                             const StageOptions::Subscription& other) = 0;
  virtual bool format_discarded(std::size_t count) = 0;

 protected:
  ~StageHooks() = default;
};

void ask_stage(const StageOptions::Subscription& producer, std::size_t count);
/// A producer is asked to subscribe: answered, and true.
bool refuse_subscription(Message& message, CallbackResult& result);

class StageInput {
 public:
  StageInput(StageHooks& hooks, std::vector<StageOptions::Subscribe> subscribe_to);

  /// A subscription that ended, if `known`.
  struct Ended {
    bool known = false;
    StageOptions::Cancel mode = StageOptions::Cancel::permanent;
    StageOptions::Subscription producer;
    StageOptions::Cancelled why;
  };
  /// Nothing: the message is none of its own.
  std::optional<Ended> take(Message& message, CallbackResult& result);
  /// Tells the stage, which may have to end for it.
  void finish(const Ended& ended);

  /// A producer whose subscription is unknown is told so.
  bool knows(const Pid& producer, Ref tag);
  /// In batches, so that it asks again early enough: max - min events at a time.
  template <class T, class Handle>
  void each_batch(StageEvents<T>& all, Handle handle) {
    const StageOptions::Subscription from{all.producer, all.tag};
    for (const Batch& batch : split(all.tag, all.events.size())) {
      handle(split_front(all.events, batch.size), from);
      if (batch.ask > 0) ask_stage(from, batch.ask);
      if (end_) return;
    }
  }
  void end_with(ExitReason reason) { end_ = std::move(reason); }
  void stop_if_told(CallbackResult& result);

 private:
  struct Producer {
    Pid pid;
    StageOptions::Cancel mode = StageOptions::Cancel::permanent;
    StageOptions::Asking asking = StageOptions::Asking::automatic;
    std::size_t max = 0;
    std::size_t min = 0;
    std::size_t demand = 0;  // asked for and not received yet
  };
  struct Batch {
    std::size_t size = 0;
    std::size_t ask = 0;
  };
  std::vector<Batch> split(Ref tag, std::size_t count);
  StageSubscribeTo::Reply subscribe(StageSubscribeTo& to);
  Ended drop(Ref tag, StageOptions::Cancelled why);

  StageHooks& hooks_;
  std::vector<StageOptions::Subscribe> subscribe_to_;
  std::map<Ref, Producer> producers_;  // by tag, which is the monitor of the producer too
  std::optional<ExitReason> end_;
};

}  // namespace coterie::detail
