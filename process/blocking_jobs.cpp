#include "process/blocking_jobs.hpp"

namespace coterie::detail {

bool BlockingJobs::begin() {
  std::lock_guard guard(lock_);
  if (closed_) return false;
  ++running_;
  return true;
}

void BlockingJobs::end() {
  std::lock_guard guard(lock_);
  --running_;
}

bool BlockingJobs::none() const {
  std::lock_guard guard(lock_);
  return running_ == 0;
}

void BlockingJobs::close() {
  std::lock_guard guard(lock_);
  closed_ = true;
}

}  // namespace coterie::detail
