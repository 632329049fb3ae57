// A worker's turns for the links to other nodes (process/ports/distribution.hpp).

#include <algorithm>

#include "process/runtime.hpp"
#include "process/worker.hpp"

namespace coterie::detail {
namespace {

// A worker that always has work turns no less often.
constexpr Duration links_every = std::chrono::microseconds(50);

}  // namespace

bool Worker::turn_links() {
  Distribution* const distribution = runtime_.distribution();
  if (distribution == nullptr) return false;
  links_at_ = after(now_, links_every);
  return distribution->turn();
}

bool Worker::others_have_work() const noexcept {
  return std::ranges::any_of(runtime_.workers(), [this](const auto& worker) {
    return worker.get() != this && worker->inbox_count_.load(std::memory_order_relaxed) > 0;
  });
}

/// Whose processes the last arrivals were for will wait for the next ones: that saves a wake-up.
Lookout* Worker::lookout() noexcept {
  Distribution* const distribution = runtime_.distribution();
  return distribution == nullptr || gave_away_ ? nullptr : distribution->lookout();
}

}  // namespace coterie::detail
