#pragma once
// The gate of strict processes: one moment on this node's clock until which they may run. It is
// the end of the node's lease, kept by the agreement; without a cluster it stays open for ever.

#include <atomic>
#include <cstdint>

#include <coterie/time.hpp>

namespace coterie {

class Gate {
 public:
  using Nanoseconds = std::atomic<std::int64_t>;

  /// Reads the end from the agreement's own lease, which outlives the gate's use. Before the first
  /// strict process only.
  void follow(const Nanoseconds& lease_end) noexcept { end_ = &lease_end; }
  /// Acquire: what the agreement knew when it moved the end is visible.
  Time end() const noexcept { return Time(Duration(end_->load(std::memory_order_acquire))); }
  bool is_open(Time now) const noexcept { return now < end(); }

 private:
  const Nanoseconds always_{Time::max().time_since_epoch().count()};
  const Nanoseconds* end_ = &always_;
};

}  // namespace coterie
