#pragma once
// The requests of one stream: the outcomes of the last ones, which make a repeated request answer
// what it answered first, and of earlier ones that they were there, so that a repeat from before
// the window is refused and not run again. It belongs to the process that owns the stream, is
// filled by the replay and kept up with each append. Events keep the id of every request; snapshots
// what this holds.
//
// An earlier request is forgotten when it has been one for `memory`: a repeat can come only while
// its caller still tries, so nothing that is forgotten can come again. Two sets take turns: one
// fills, the other is dropped when it is as old as that. Ages are counted on this process's own
// clock, from the moment that it learns of the request; a replay therefore starts them again, and
// they are never taken for greater than they are. When there are `ids_max` no further request with
// an id is let in until some have aged.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <coterie/bytes.hpp>
#include <coterie/time.hpp>

namespace coterie {

struct RequestBounds {
  std::size_t outcomes = 1024;                 // of the last requests
  Duration memory = std::chrono::minutes(15);  // of earlier ones
  std::size_t ids_max = std::size_t{1} << 20;  // of earlier ones; more are not let in
};

class RequestWindow {
 public:
  explicit RequestWindow(const RequestBounds& bounds, Time now) : bounds_(bounds), turned_(now) {}

  /// In the order of the stream. An event without a request id is passed over.
  void add(std::string request_id, Bytes outcome, Time now) {
    if (request_id.empty()) return;
    const auto [entry, fresh] =
        outcomes_.insert_or_assign(std::move(request_id), std::move(outcome));
    if (!fresh) return;
    order_.push_back(entry);
    if (order_.size() <= bounds_.outcomes) return;
    age(now);
    newer_.insert(hash(order_.front()->first));
    outcomes_.erase(order_.front());
    order_.pop_front();
  }

  /// The same for an event that is read again. A long past has more ids than may be remembered, and
  /// all would seem young: of those that no snapshot kept the newest stay, and there is room again.
  void replay(std::string request_id, Bytes outcome, Time now) {
    const bool forgets = bounds_.memory != infinity && !request_id.empty();
    // There was room for it when it was appended, so its owner had forgotten that much by then.
    while (forgets && order_.size() >= bounds_.outcomes && find(request_id) == nullptr &&
           ids() > 0 && ids() >= bounds_.ids_max) {
      turn(now);
    }
    if (forgets && replayed_ >= std::max(bounds_.ids_max / 4, one)) turn(now);
    const std::size_t before = newer_.size();
    add(std::move(request_id), std::move(outcome), now);
    if (newer_.size() > before) ++replayed_;
  }

  /// The outcome of a request that is in the window, else null. Valid until the next add.
  const Bytes* find(std::string_view request_id) const {
    const auto found = outcomes_.find(request_id);
    return found == outcomes_.end() ? nullptr : &found->second;
  }
  /// The request ran before the window. Only a hash is kept of it: once in 2^64 / (earlier requests
  /// that are known) a new id is taken for an old one, and refused.
  bool expired(std::string_view request_id) const {
    if (request_id.empty() || find(request_id) != nullptr) return false;
    const std::uint64_t wanted = hash(request_id);
    return newer_.contains(wanted) || older_.contains(wanted);
  }
  /// False: a further request id would be one too many to remember.
  bool has_room(Time now) {
    if (order_.size() < bounds_.outcomes) return true;
    age(now);
    return ids() < bounds_.ids_max;
  }
  const RequestBounds& bounds() const noexcept { return bounds_; }
  /// What it remembers now, and may at most.
  std::size_t size() const noexcept { return order_.size() + ids(); }
  std::size_t size_max() const noexcept { return bounds_.outcomes + bounds_.ids_max; }

  /// What a snapshot keeps of the window.
  struct Request {
    std::string id;
    Bytes outcome;
  };
  struct Kept {
    std::vector<Request> requests;       // oldest first
    std::vector<std::uint64_t> expired;  // hashes of earlier ones
    std::uint64_t older = 0;             // so many of them, the first ones, are the next to go
  };
  Kept kept(Time now) {
    age(now);
    Kept kept;
    kept.requests.reserve(order_.size());
    for (const auto& entry : order_) kept.requests.push_back({entry->first, entry->second});
    kept.expired.reserve(ids());
    for (const auto* some : {&older_, &newer_}) {
      const auto begin = kept.expired.insert(kept.expired.end(), some->begin(), some->end());
      std::sort(begin, kept.expired.end());
    }
    kept.older = older_.size();
    return kept;
  }
  void restore(Kept kept, Time now) {
    const auto newer = kept.expired.begin() +
                       static_cast<std::ptrdiff_t>(std::min(kept.older, kept.expired.size()));
    older_.insert(kept.expired.begin(), newer);
    newer_.insert(newer, kept.expired.end());
    for (auto& request : kept.requests) add(std::move(request.id), std::move(request.outcome), now);
  }

 private:
  static constexpr std::size_t one = 1;
  using Outcomes = std::map<std::string, Bytes, std::less<>>;
  /// FNV-1a: snapshots keep it, so it must be the same in every program for ever.
  static std::uint64_t hash(std::string_view request_id) {
    std::uint64_t hash = 0xCBF29CE484222325u;
    for (const char c : request_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    return hash;
  }

  /// What is in `older_` was there at the last turn; after a whole further one it goes.
  void age(Time now) {
    if (now - turned_ >= bounds_.memory) turn(now);
  }
  std::size_t ids() const noexcept { return newer_.size() + older_.size(); }
  void turn(Time now) {
    replayed_ = 0;
    older_ = std::move(newer_);
    newer_.clear();
    turned_ = now;
  }

  const RequestBounds bounds_;
  Outcomes outcomes_;
  std::deque<Outcomes::iterator> order_;  // oldest first
  std::unordered_set<std::uint64_t> newer_;
  std::unordered_set<std::uint64_t> older_;
  std::size_t replayed_ = 0;  // of newer_
  Time turned_;
};

}  // namespace coterie
