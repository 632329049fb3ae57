#include "supervision/restart_intensity.hpp"

#include <string>

#include <algorithm>

namespace coterie::detail {

bool RestartIntensity::add(Time now) {
  expire(now);
  restarts_.push_back(now);
  const bool allowed = restarts_.size() <= max_restarts_;
  if (!allowed) restarts_.pop_front();
  return allowed;
}

void RestartIntensity::forget(Time noted) {
  const auto found = std::ranges::find(restarts_, noted);
  if (found != restarts_.end()) restarts_.erase(found);
}

std::size_t RestartIntensity::count(Time now) {
  expire(now);
  return restarts_.size();
}

void RestartIntensity::expire(Time now) {
  while (!restarts_.empty() && now - restarts_.front() > window_) restarts_.pop_front();
}

std::optional<ExitReason> bad_period(Duration window) {
  if (window > Duration::zero()) return std::nullopt;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(window).count();
  return ExitReason::term("{supervisor_data,{invalid_period," + std::to_string(ms) + "}}");
}

}  // namespace coterie::detail
