#pragma once
// The side of a stage that sends events: its consumers, its dispatcher, its buffer. Included by
// <coterie/gen_stage.hpp>.

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <coterie/detail/dispatchers.hpp>
#include <coterie/detail/stage.hpp>

namespace coterie::detail {

/// Who is subscribed.
class StageConsumers {
 public:
  /// False if the tag is known already; then the consumer is told.
  bool add(const StageOptions::Subscription& consumer);
  bool knows(const StageOptions::Subscription& consumer);
  /// False if it is not there; else it is told that it is cancelled.
  bool remove(Ref tag, const ExitReason& reason, StageOptions::Subscription& removed);
  /// The tag of the consumer whose monitor that is.
  Ref find_monitor(Ref monitor) const;

 private:
  struct Consumer {
    StageOptions::Subscription subscription;
    Ref monitor = Ref::none;
  };
  std::map<Ref, Consumer> consumers_;
};

void log_discarded(std::size_t count);

template <class T>
class StageOutput {
 public:
  StageOutput(StageOptions::ProducerOptions<T> options, std::size_t buffer_size, StageHooks& hooks)
      : dispatcher_(options.dispatcher ? std::move(options.dispatcher)
                                       : std::make_unique<DemandDispatcher<T>>()),
        buffer_size_(options.buffer_size.value_or(buffer_size)),
        keep_(options.buffer_keep),
        hooks_(hooks) {}

  /// How many events more are wanted now; nothing: the message is none of its own.
  std::optional<std::size_t> take(Message& message, CallbackResult& result) {
    if (auto* subscribe = message.as<StageSubscribe>()) return add(*subscribe);
    if (auto* ask = message.as<StageAsk>()) {
      if (!consumers_.knows(ask->consumer)) return 0;
      return dispatcher_->ask(ask->count, ask->consumer, deliver_);
    }
    if (auto* cancel = message.as<StageCancel>()) {
      return remove(cancel->consumer.tag, {false, cancel->reason});
    }
    if (const auto* down = message.as<Down>()) {
      const Ref tag = consumers_.find_monitor(down->ref);
      if (tag == Ref::none) return std::nullopt;
      return remove(tag, {true, down->reason});
    }
    if (auto* info = message.as<StageInfo>()) {
      infos_.push_back({gone_ + buffer_.size(), std::move(info->message)});
      release_infos();
      return 0;
    }
    if (message.as<StageBuffered>() != nullptr) {
      result.reply = make_message(MessageKind::reply, std::size_t{buffer_.size()});
      return 0;
    }
    return std::nullopt;
  }

  /// Sends what was asked for and buffers the rest. How many were sent.
  std::size_t dispatch(std::vector<T> events) {
    const std::size_t count = events.size();
    std::vector<T> rest =
        count == 0 ? std::move(events) : dispatcher_->dispatch(std::move(events), deliver_, again_);
    const std::size_t sent = count - rest.size();
    store(std::move(rest));
    return sent;
  }

  /// Up to `count` events of the buffer are sent; how many more are wanted.
  std::size_t take_from_buffer(std::size_t count, std::size_t* sent = nullptr) {
    while (count > 0 && !buffer_.empty()) {
      const std::size_t now = std::min(count, buffer_.size());
      const auto end = buffer_.begin() + static_cast<std::ptrdiff_t>(now);
      std::vector<T> events(std::make_move_iterator(buffer_.begin()), std::make_move_iterator(end));
      buffer_.erase(buffer_.begin(), end);
      gone_ += now;
      count -= now;
      const std::size_t left = dispatch(std::move(events));
      if (sent != nullptr) *sent += left;
      release_infos();
    }
    return count;
  }

  void end_with(ExitReason reason) { end_ = std::move(reason); }
  void stop_if_told(CallbackResult& result) {
    if (!end_) return;
    result.directive.act = Directive::Act::stop;
    result.directive.reason = std::move(*end_);
  }

 private:
  std::size_t add(StageSubscribe& subscribe) {
    const std::size_t freed =
        subscribe.replaces == Ref::none ? 0 : remove(subscribe.replaces, {false, subscribe.reason});
    if (!consumers_.add(subscribe.consumer)) return freed;
    if (hooks_.handle_subscribe(StageOptions::Role::consumer, subscribe.options,
                                subscribe.consumer) == StageOptions::Asking::manual) {
      end_with(ExitReason::term("{bad_return,\"demand of consumers is automatic\"}"));
      return 0;
    }
    const auto added = dispatcher_->subscribe(subscribe.options, subscribe.consumer);
    if (added) return freed;
    StageOptions::Subscription refused;
    consumers_.remove(subscribe.consumer.tag, added.error(), refused);
    hooks_.handle_cancel({false, added.error()}, refused);
    return freed;
  }
  std::size_t remove(Ref tag, const StageOptions::Cancelled& why) {
    StageOptions::Subscription consumer;
    if (!consumers_.remove(tag, why.reason, consumer)) return 0;
    hooks_.handle_cancel(why, consumer);
    return dispatcher_->cancel(consumer);
  }
  void store(std::vector<T> events) {
    std::size_t discarded = 0;
    for (T& event : events) {
      if (buffer_.size() >= buffer_size_) {
        ++discarded;
        if (keep_ == StageOptions::Keep::first || buffer_size_ == 0) continue;
        buffer_.pop_front();
        ++gone_;
      }
      buffer_.push_back(std::move(event));
    }
    release_infos();
    if (discarded > 0 && hooks_.format_discarded(discarded)) log_discarded(discarded);
  }

  void release_infos() {
    while (!infos_.empty() && infos_.front().after <= gone_) {
      send_message(self(), std::move(infos_.front().message));
      infos_.pop_front();
    }
  }

  /// A message of the stage's own that waits for the events before it.
  struct Info {
    std::uint64_t after = 0;
    MessagePtr message;
  };
  const typename Dispatcher<T>::Deliver deliver_ = [](const StageOptions::Subscription& to,
                                                      std::vector<T> events) {
    send(to.pid, StageEvents<T>{self(), to.tag, std::move(events)});
  };
  const std::function<void(const StageOptions::Subscription&, std::size_t)> again_ =
      [](const StageOptions::Subscription& consumer, std::size_t count) {
        send(self(), StageAsk{consumer, count});
      };
  std::unique_ptr<Dispatcher<T>> dispatcher_;
  const std::size_t buffer_size_;
  const StageOptions::Keep keep_;
  StageHooks& hooks_;
  StageConsumers consumers_;
  std::deque<T> buffer_;
  std::uint64_t gone_ = 0;  // events, out of the buffer
  std::deque<Info> infos_;
  std::optional<ExitReason> end_;
};

}  // namespace coterie::detail
