// When call_until tries again, and when it gives up.

#include <algorithm>

#include <coterie/call.hpp>

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

RetrySchedule::RetrySchedule(Duration deadline, bool has_request_id)
    : end_(after(current_process().runtime().clock().now(), deadline)),
      has_request_id_(has_request_id) {}

CallOptions RetrySchedule::options(const std::string& request_id) const {
  const Duration left = end_ - current_process().runtime().clock().now();
  return {.timeout = std::max(left, Duration::zero()), .request_id = request_id};
}

bool RetrySchedule::again(const CallError& error) {
  switch (error.code()) {
    case CallError::Code::calling_self:
    case CallError::Code::data_unavailable:
    case CallError::Code::quarantined:
    case CallError::Code::failed:
    case CallError::Code::refused:
    case CallError::Code::undecodable:
    case CallError::Code::killed:
      return false;
    default:
      break;
  }
  if (error.maybe_executed() && !has_request_id_) return false;
  const Duration left = end_ - current_process().runtime().clock().now();
  if (left <= Duration::zero()) return false;
  current_process().rest(std::min(pause_, left));
  pause_ = std::min<Duration>(pause_ * 2, std::chrono::milliseconds(100));
  return true;
}

}  // namespace coterie::detail
