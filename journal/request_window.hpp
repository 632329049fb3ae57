#pragma once
// The requests of one stream: the outcomes of the last ones, which make a repeated request answer
// what it answered first, and of all earlier ones that they were there, so that a repeat from
// before the window is refused and not run again. It belongs to the process that owns the stream,
// is filled by the replay and kept up with each append. The journal itself keeps every request.

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

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

 private:
  using Outcomes = std::map<std::string, Bytes, std::less<>>;
  static std::size_t hash(std::string_view request_id) {
    return std::hash<std::string_view>{}(request_id);
  }

  std::size_t requests_max_;
  Outcomes outcomes_;
  std::deque<Outcomes::iterator> order_;  // oldest first
  std::unordered_set<std::size_t> expired_;
};

}  // namespace coterie
