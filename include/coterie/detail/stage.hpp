#pragma once
// What stages say to each other, and the side of a stage that receives events: its subscriptions
// and how much it has asked for. Included by <coterie/gen_stage.hpp>.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <coterie/gen_stage.hpp>

namespace coterie::detail {

// ---- to a producer
struct StageSubscribe {
  GenStage::Subscription consumer;
  GenStage::Subscribe options;
  Ref replaces = Ref::none;
  ExitReason reason;  // of the end of the one that it replaces
};
struct StageAsk {
  GenStage::Subscription consumer;
  std::size_t count = 0;
};
struct StageCancel {
  GenStage::Subscription consumer;
  ExitReason reason;
};
struct StageDemand {
  GenStage::Demand mode = GenStage::Demand::forward;
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
  explicit StageSubscribeTo(GenStage::Subscribe o) : options(std::move(o)) {}
  GenStage::Subscribe options;
  Ref replaces = Ref::none;
  ExitReason reason;
};
/// From itself: to be told of its own subscriptions.
struct StageReady {};

/// What a stage may want to know.
class StageHooks {
 public:
  virtual GenStage::Asking handle_subscribe(GenStage::Role role, const GenStage::Subscribe& options,
                                            const GenStage::Subscription& other) = 0;
  virtual void handle_cancel(const GenStage::Cancelled& cancelled,
                             const GenStage::Subscription& other) = 0;
  virtual bool format_discarded(std::size_t count) = 0;

 protected:
  ~StageHooks() = default;
};

/// A producer is asked to subscribe: answered, and true.
bool refuse_subscription(Message& message, CallbackResult& result);

class StageInput {
 public:
  StageInput(StageHooks& hooks, std::vector<GenStage::Subscribe> subscribe_to);

  /// A subscription that ended, if `known`.
  struct Ended {
    bool known = false;
    GenStage::Cancel mode = GenStage::Cancel::permanent;
    GenStage::Subscription producer;
    GenStage::Cancelled why;
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
    const GenStage::Subscription from{all.producer, all.tag};
    for (const Batch& batch : split(all.tag, all.events.size())) {
      handle(split_front(all.events, batch.size), from);
      if (batch.ask > 0) GenStage::ask(from, batch.ask);
      if (end_) return;
    }
  }
  void end_with(ExitReason reason) { end_ = std::move(reason); }
  void stop_if_told(CallbackResult& result);

 private:
  struct Producer {
    Pid pid;
    GenStage::Cancel mode = GenStage::Cancel::permanent;
    GenStage::Asking asking = GenStage::Asking::automatic;
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
  Ended drop(Ref tag, GenStage::Cancelled why);

  StageHooks& hooks_;
  std::vector<GenStage::Subscribe> subscribe_to_;
  std::map<Ref, Producer> producers_;  // by tag, which is the monitor of the producer too
  std::optional<ExitReason> end_;
};

}  // namespace coterie::detail
