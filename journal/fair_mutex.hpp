#pragma once
// A mutex that is taken in the order of asking. std::mutex lets a thread that writes without a
// pause take it again before a waiting one wakes; an open would then wait as long as the load
// lasts.

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace coterie::detail {

class FairMutex {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    const auto ticket = next_++;
    turn_.wait(lock, [&] { return serving_ == ticket; });
  }
  void unlock() {
    {
      const std::lock_guard lock(mutex_);
      ++serving_;
    }
    turn_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  std::uint64_t next_ = 0;
  std::uint64_t serving_ = 0;
};

}  // namespace coterie::detail
