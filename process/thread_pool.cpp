#include "process/thread_pool.hpp"

#include <algorithm>
#include <system_error>

#include "process/thread_start.hpp"

namespace coterie {

ThreadPool::ThreadPool(std::size_t threads_max, Duration idle_max)
    : threads_max_(std::max<std::size_t>(threads_max, 1)), idle_max_(idle_max) {
  grow();
}

ThreadPool::~ThreadPool() {
  Threads left;
  decltype(jobs_) dropped;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
  }
  posted_.notify_all();
  // A thread that ends now leaves itself in running_: the lists move only before stopping_ is set.
  left.splice(left.end(), running_);
  left.splice(left.end(), finished_);
  for (std::thread& thread : left) thread.join();
}

void ThreadPool::run(std::move_only_function<void()> job) {
  bool short_of_threads = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    jobs_.push_back(std::move(job));
    short_of_threads = jobs_.size() > idle_ && running_.size() < threads_max_;
  }
  posted_.notify_one();
  if (!short_of_threads) return;
  try {
    grow();
  } catch (const std::system_error&) {
    // No more threads to be had: the job waits for one of those there are.
  }
}

std::size_t ThreadPool::threads() const {
  std::lock_guard lock(mutex_);
  return running_.size();
}

void ThreadPool::grow() {
  Threads::iterator self;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || running_.size() >= threads_max_) return;
    self = running_.emplace(running_.end());
  }
  try {
    std::thread thread = detail::start_thread("blocking", [this, self] { work(self); });
    {
      std::lock_guard lock(mutex_);
      *self = std::move(thread);
    }
    posted_.notify_all();
  } catch (...) {
    std::lock_guard lock(mutex_);
    running_.erase(self);
    throw;
  }
}

void ThreadPool::work(Threads::iterator self) {
  std::unique_lock lock(mutex_);
  // Its handle must be in the list before it can leave the list to be joined.
  posted_.wait(lock, [&] { return self->joinable(); });
  for (;;) {
    if (stopping_) return;
    if (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      detail::run_or_abort("blocking job", job);
      job = nullptr;
      lock.lock();
      continue;
    }
    ++idle_;
    const bool woken =
        posted_.wait_for(lock, idle_max_, [&] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (!woken && running_.size() > 1) break;
  }
  // The one that ends joins those that ended before it, so at most one is left unjoined.
  Threads ended;
  ended.swap(finished_);
  finished_.splice(finished_.end(), running_, self);
  lock.unlock();
  for (std::thread& thread : ended) thread.join();
}

}  // namespace coterie
