#pragma once
// The outcomes of the last requests of one stream: what makes a repeated request answer what it
// answered first. It lives in the process that owns the stream, is filled by the replay and kept up
// with each append. The journal keeps every request id; this window bounds what is in memory.

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "process/ports/storage.hpp"

namespace coterie {

class RequestWindow {
 public:
  /// Requests remembered. More recognises older repeats and costs their ids and outcomes in memory.
  /// A request older than the window is not recognised: choose it greater than what can be written
  /// to the stream while a caller still retries.
  static constexpr std::size_t requests_default = 1024;

  explicit RequestWindow(std::size_t requests_max = requests_default)
      : requests_max_(requests_max) {}

  /// Events in the order of the stream; those without a request id are passed over.
  void add(const Event& event) {
    if (event.request_id.empty()) return;
    const auto [entry, fresh] = outcomes_.insert_or_assign(event.request_id, event.outcome);
    if (!fresh) return;
    order_.push_back(entry);
    if (order_.size() <= requests_max_) return;
    outcomes_.erase(order_.front());
    order_.pop_front();
  }

  /// The outcome of a request that is in the window, else null. Valid until the next add.
  const Bytes* find(std::string_view request_id) const {
    const auto found = outcomes_.find(request_id);
    return found == outcomes_.end() ? nullptr : &found->second;
  }

  std::size_t size() const { return order_.size(); }

 private:
  using Outcomes = std::map<std::string, Bytes, std::less<>>;
  std::size_t requests_max_;
  Outcomes outcomes_;
  std::deque<Outcomes::iterator> order_;  // oldest first
};

}  // namespace coterie
