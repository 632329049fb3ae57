#pragma once
// The gate of strict processes: one moment on this node's clock until which they may run. It is
// the end of the node's lease, kept by the agreement; without a cluster it stays open for ever.

#include <atomic>

#include <coterie/time.hpp>

namespace coterie {

class Gate {
 public:
  /// Any thread. The store is a release: what the agreement knew when it moved the gate is visible.
  void open_until(Time end) noexcept {
    end_.store(end.time_since_epoch().count(), std::memory_order_release);
  }
  Time end() const noexcept { return Time(Duration(end_.load(std::memory_order_acquire))); }
  bool is_open(Time now) const noexcept { return now < end(); }

 private:
  std::atomic<Duration::rep> end_{Time::max().time_since_epoch().count()};
};

}  // namespace coterie
