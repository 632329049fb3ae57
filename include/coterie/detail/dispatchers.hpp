#pragma once
// Who of a producer's consumers gets which events. A dispatcher only decides: it is told of
// subscriptions, demand and events, and calls `deliver` with what goes where. Included by
// <coterie/gen_stage.hpp>; after gen_stage's dispatchers of the same names.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <coterie/stage_options.hpp>

namespace coterie {

template <class T>
class Dispatcher {
 public:
  using Subscription = StageOptions::Subscription;
  using Deliver = std::function<void(const Subscription& to, std::vector<T> events)>;
  virtual ~Dispatcher() = default;

  /// Nothing, or why not: the subscription is cancelled with that reason.
  virtual std::expected<void, ExitReason> subscribe(const StageOptions::Subscribe& options,
                                                    const Subscription& consumer) = 0;
  /// How many events more the producer shall make.
  virtual std::size_t cancel(const Subscription& consumer) = 0;
  virtual std::size_t ask(std::size_t count, const Subscription& consumer,
                          const Deliver& deliver) = 0;
  /// What was not asked for comes back, to be buffered. `ask_again`: events that a consumer did not
  /// want are to be made good.
  virtual std::vector<T> dispatch(
      std::vector<T> events, const Deliver& deliver,
      const std::function<void(const Subscription&, std::size_t)>& ask_again) = 0;
};

namespace detail {
/// Moves the first `count` out of `events`.
template <class T>
std::vector<T> split_front(std::vector<T>& events, std::size_t count) {
  if (count >= events.size()) return std::exchange(events, {});
  const auto middle = events.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<T> front(std::make_move_iterator(events.begin()), std::make_move_iterator(middle));
  events.erase(events.begin(), middle);
  return front;
}
}  // namespace detail

/// Each batch to the consumer that waits for most.
template <class T>
class DemandDispatcher final : public Dispatcher<T> {
 public:
  using typename Dispatcher<T>::Subscription;
  using typename Dispatcher<T>::Deliver;

  std::expected<void, ExitReason> subscribe(const StageOptions::Subscribe&,
                                            const Subscription& consumer) override {
    demands_.push_back({0, consumer});
    return {};
  }
  std::size_t cancel(const Subscription& consumer) override {
    pending_ += take_out(consumer);
    return 0;
  }
  std::size_t ask(std::size_t count, const Subscription& consumer, const Deliver&) override {
    put(take_out(consumer) + count, consumer);
    // Demand of a consumer that left is still under way: it is not asked for again.
    const std::size_t sent = std::min(pending_, count);
    pending_ -= sent;
    return count - sent;
  }
  std::vector<T> dispatch(std::vector<T> events, const Deliver& deliver,
                          const std::function<void(const Subscription&, std::size_t)>&) override {
    while (!events.empty() && !demands_.empty() && demands_.front().demand > 0) {
      const Entry first = demands_.front();
      demands_.erase(demands_.begin());
      std::vector<T> now = detail::split_front(events, first.demand);
      const std::size_t count = now.size();
      put(first.demand - count, first.consumer);
      deliver(first.consumer, std::move(now));
    }
    pending_ -= std::min(pending_, events.size());
    return events;
  }

 private:
  struct Entry {
    std::size_t demand = 0;
    Subscription consumer;
  };
  std::size_t take_out(const Subscription& consumer) {
    const auto found = std::ranges::find(demands_, consumer, &Entry::consumer);
    if (found == demands_.end()) return 0;
    const std::size_t demand = found->demand;
    demands_.erase(found);
    return demand;
  }
  /// Behind those with as much demand: equal ones take turns.
  void put(std::size_t demand, const Subscription& consumer) {
    const auto behind = std::ranges::find_if(
        demands_, [demand](const Entry& entry) { return entry.demand < demand; });
    demands_.insert(behind, {demand, consumer});
  }

  std::vector<Entry> demands_;  // most first
  std::size_t pending_ = 0;
};

/// Every event to every consumer that selects it; as fast as the slowest.
template <class T>
class BroadcastDispatcher final : public Dispatcher<T> {
 public:
  using typename Dispatcher<T>::Subscription;
  using typename Dispatcher<T>::Deliver;

  std::expected<void, ExitReason> subscribe(const StageOptions::Subscribe& options,
                                            const Subscription& consumer) override {
    for (const Entry& entry : demands_) {
      if (entry.consumer.pid == consumer.pid) {
        return std::unexpected(ExitReason::term("already_subscribed"));
      }
    }
    adjust(-waiting_);
    waiting_ = 0;
    demands_.push_back({0, consumer, options.selector});
    return {};
  }
  std::size_t cancel(const Subscription& consumer) override {
    std::erase_if(demands_, [&](const Entry& entry) { return entry.consumer == consumer; });
    if (!demands_.empty()) return sync();
    waiting_ = 0;
    return 0;
  }
  std::size_t ask(std::size_t count, const Subscription& consumer, const Deliver&) override {
    const auto found = std::ranges::find(demands_, consumer, &Entry::consumer);
    if (found == demands_.end()) return 0;
    found->demand += static_cast<std::int64_t>(count);
    return sync();
  }
  std::vector<T> dispatch(
      std::vector<T> events, const Deliver& deliver,
      const std::function<void(const Subscription&, std::size_t)>& ask_again) override {
    if (waiting_ == 0) return events;
    const std::vector<T> now = detail::split_front(events, static_cast<std::size_t>(waiting_));
    waiting_ -= std::ssize(now);
    requested_ -= std::ssize(now);
    for (const Entry& entry : demands_) {
      std::vector<T> wanted;
      const auto* selects = entry.selector.template get<T>();
      std::ranges::copy_if(now, std::back_inserter(wanted),
                           [selects](const T& event) { return !selects || (*selects)(event); });
      if (wanted.size() < now.size()) ask_again(entry.consumer, now.size() - wanted.size());
      if (!wanted.empty()) deliver(entry.consumer, std::move(wanted));
    }
    return events;
  }

 private:
  struct Entry {
    std::int64_t demand = 0;  // beyond what all of them have asked for
    Subscription consumer;
    StageOptions::Selector selector;
  };
  void adjust(std::int64_t less) {
    for (Entry& entry : demands_) entry.demand -= less;
  }
  /// What all wait for is asked for, once.
  std::size_t sync() {
    const std::int64_t least =
        std::max<std::int64_t>(0, std::ranges::min(demands_, {}, &Entry::demand).demand);
    adjust(least);
    waiting_ += least;
    const std::int64_t request = std::max<std::int64_t>(0, waiting_ - requested_);
    requested_ += request;
    return static_cast<std::size_t>(request);
  }

  std::vector<Entry> demands_;
  std::int64_t waiting_ = 0;
  std::int64_t requested_ = 0;
};

/// Each event to the consumer of its partition. One consumer for each partition; events of one that
/// has none wait, or of one that asks for less than others.
template <class T>
class PartitionDispatcher final : public Dispatcher<T> {
 public:
  using typename Dispatcher<T>::Subscription;
  using typename Dispatcher<T>::Deliver;
  /// The partition of an event, below `partitions`; nothing: the event is dropped.
  using Hash = std::function<std::optional<std::size_t>(const T&)>;

  PartitionDispatcher(std::size_t partitions, Hash hash)
      : partitions_(partitions), hash_(std::move(hash)) {
    if (partitions == 0) throw std::invalid_argument("there must be at least one partition");
  }
  /// By std::hash.
  explicit PartitionDispatcher(std::size_t partitions)
      : PartitionDispatcher(partitions, [partitions](const T& event) {
          return std::optional(std::hash<T>()(event) % partitions);
        }) {}

  std::expected<void, ExitReason> subscribe(const StageOptions::Subscribe& options,
                                            const Subscription& consumer) override {
    if (!options.partition || *options.partition >= partitions_.size()) {
      return std::unexpected(ExitReason::term("{bad_opts,\"partition must be below " +
                                              std::to_string(partitions_.size()) + "\"}"));
    }
    Partition& partition = partitions_[*options.partition];
    if (partition.consumer) {
      return std::unexpected(ExitReason::term("{bad_opts,\"the partition is taken\"}"));
    }
    partition.consumer = consumer;
    return {};
  }
  std::size_t cancel(const Subscription& consumer) override {
    Partition* partition = find(consumer);
    if (partition == nullptr) return 0;
    pending_ += std::exchange(partition->demand, 0);
    partition->consumer.reset();
    // What waited for it was asked for by it, and goes with it: others may have as many.
    const std::size_t lost = partition->queue.size();
    partition->queue.clear();
    waiting_ += lost;
    return lost;
  }
  std::size_t ask(std::size_t count, const Subscription& consumer,
                  const Deliver& deliver) override {
    Partition* partition = find(consumer);
    if (partition == nullptr) return 0;
    partition->demand += count;
    flush(*partition, deliver);
    const std::size_t sent = std::min(pending_, count);
    pending_ -= sent;
    waiting_ += count - sent;
    return count - sent;
  }
  std::vector<T> dispatch(std::vector<T> events, const Deliver& deliver,
                          const std::function<void(const Subscription&, std::size_t)>&) override {
    std::size_t taken = 0;
    for (; taken < events.size() && waiting_ > 0; ++taken) {
      const auto at = hash_(events[taken]);
      if (!at) continue;  // dropped, and another takes its place
      if (*at >= partitions_.size()) {
        throw std::out_of_range("partition " + std::to_string(*at) + " of an event: there are " +
                                std::to_string(partitions_.size()));
      }
      --waiting_;
      partitions_[*at].queue.push_back(std::move(events[taken]));
    }
    detail::split_front(events, taken);
    for (Partition& partition : partitions_) flush(partition, deliver);
    return events;
  }

 private:
  struct Partition {
    std::optional<Subscription> consumer;
    std::size_t demand = 0;
    std::deque<T> queue;
  };

  Partition* find(const Subscription& consumer) {
    const auto found = std::ranges::find(partitions_, consumer, &Partition::consumer);
    return found == partitions_.end() ? nullptr : &*found;
  }
  void flush(Partition& partition, const Deliver& deliver) {
    if (!partition.consumer) return;
    const std::size_t count = std::min(partition.demand, partition.queue.size());
    if (count == 0) return;
    const auto end = partition.queue.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<T> now(std::make_move_iterator(partition.queue.begin()),
                       std::make_move_iterator(end));
    partition.queue.erase(partition.queue.begin(), end);
    partition.demand -= count;
    deliver(*partition.consumer, std::move(now));
  }

  std::vector<Partition> partitions_;
  Hash hash_;
  std::size_t waiting_ = 0;  // asked for and not sent yet
  std::size_t pending_ = 0;  // asked for by consumers that left
};

}  // namespace coterie
