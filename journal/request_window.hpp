#pragma once
// The requests of one stream: the outcomes of the last ones, which make a repeated request answer
// what it answered first, and of all earlier ones that they were there, so that a repeat from
// before the window is refused and not run again. It belongs to the process that owns the stream,
// is filled by the replay and kept up with each append. The
// events keep every request, snapshots what this holds.

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

namespace coterie {

class RequestWindow {
 public:
  explicit RequestWindow(std::size_t requests_max) : requests_max_(requests_max) {}

  /// In the order of the stream. An event without a request id is passed over.
  void add(std::string request_id, Bytes outcome) {
    if (request_id.empty()) return;
    const auto [entry, fresh] =
        outcomes_.insert_or_assign(std::move(request_id), std::move(outcome));
    if (!fresh) return;
    order_.push_back(entry);
    if (order_.size() <= requests_max_) return;
    expired_.insert(hash(order_.front()->first));
    outcomes_.erase(order_.front());
    order_.pop_front();
  }

  /// The outcome of a request that is in the window, else null. Valid until the next add.
  const Bytes* find(std::string_view request_id) const {
    const auto found = outcomes_.find(request_id);
    return found == outcomes_.end() ? nullptr : &found->second;
  }
  /// The request ran before the window. Only a hash is kept of it: once in 2^64 / (requests of the
  /// stream) a new id is taken for an old one, and refused.
  bool expired(std::string_view request_id) const {
    return !request_id.empty() && expired_.contains(hash(request_id)) &&
           find(request_id) == nullptr;
  }
  std::size_t requests_max() const noexcept { return requests_max_; }

  /// What a snapshot keeps of the window.
  struct Request {
    std::string id;
    Bytes outcome;
  };
  struct Kept {
    std::vector<Request> requests;       // oldest first
    std::vector<std::uint64_t> expired;  // hashes of older ones
  };
  Kept kept() const {
    Kept kept;
    kept.requests.reserve(order_.size());
    for (const auto& entry : order_) kept.requests.push_back({entry->first, entry->second});
    kept.expired.assign(expired_.begin(), expired_.end());
    std::ranges::sort(kept.expired);
    return kept;
  }
  void restore(Kept kept) {
    expired_.insert(kept.expired.begin(), kept.expired.end());
    for (auto& request : kept.requests) add(std::move(request.id), std::move(request.outcome));
  }

 private:
  using Outcomes = std::map<std::string, Bytes, std::less<>>;
  /// FNV-1a: snapshots keep it, so it must be the same in every program for ever.
  static std::uint64_t hash(std::string_view request_id) {
    std::uint64_t hash = 0xCBF29CE484222325u;
    for (const char c : request_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    return hash;
  }

  std::size_t requests_max_;
  Outcomes outcomes_;
  std::deque<Outcomes::iterator> order_;  // oldest first
  std::unordered_set<std::uint64_t> expired_;
};

}  // namespace coterie
