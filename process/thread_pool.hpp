#pragma once
// Threads for jobs that block: as many as are needed at once up to a bound, fewer when idle. One
// thread is always kept, so a job is never without a thread even when the system has none left.
// The queue has no bound of its own: who posts is parked until the job has run (blocking()), so
// there are at most as many jobs as parked processes. Jobs must not wait for one another.

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include <coterie/time.hpp>

namespace coterie {

class ThreadPool final {
 public:
  ThreadPool(std::size_t threads_max, Duration idle_max);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  /// Waits for the running jobs and drops the rest.
  ~ThreadPool();

  /// Any thread. Does not wait for the job; may start a thread.
  void run(std::move_only_function<void()> job);
  std::size_t threads() const;

 private:
  using Threads = std::list<std::thread>;
  void grow();
  void work(Threads::iterator self);

  const std::size_t threads_max_;
  const Duration idle_max_;
  mutable std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::move_only_function<void()>> jobs_;  // guarded by mutex_, like all that follows
  Threads running_;
  Threads finished_;  // left to be joined
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace coterie
