#pragma once
// The real Strand: a thread of its own, so that a job that blocks (a commit, a statement on a slow
// database) delays no other strand. Due timers and posted jobs run in one order: by moment, then
// by posting; post() is post_at(now).

#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "process/ports/executor.hpp"
#include "process/thread_parker.hpp"

namespace coterie {

class ThreadStrand final : public Strand {
 public:
  /// `clock` must outlive the strand.
  ThreadStrand(const Clock& clock, std::string name, Duration spin = Duration::zero());
  ~ThreadStrand() override;

  void post(Job job) override;
  void post_at(Time at, Job job) override;

 private:
  struct Entry {
    Time at;
    std::uint64_t order;
    Job job;
  };
  static bool later(const Entry& a, const Entry& b) noexcept;
  /// The next job that is due, or the moment of the next one.
  Job take(Time& next);
  void run();

  const Clock& clock_;
  const std::string name_;
  const Duration spin_;
  std::mutex mutex_;
  std::deque<Entry> ready_;    // guarded by mutex_, growing (at, order)
  std::vector<Entry> timers_;  // guarded by mutex_, heap: the earliest in front
  std::uint64_t posted_ = 0;   // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  detail::ThreadParker parker_;
  std::thread thread_;
};

}  // namespace coterie
