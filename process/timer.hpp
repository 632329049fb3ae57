#pragma once
// Timers of one worker: intrusive, never early, cheap when they do not fire. A new timer joins a
// list and enters the heap only at the worker's next clock read, so the wait of a short call costs
// two pointer writes and no clock read. Not thread-safe: only the owning worker touches it.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <coterie/time.hpp>

namespace coterie::detail {

class Timer {
 public:
  using Fire = void (*)(Timer&);
  explicit Timer(Fire fire) noexcept : fire_(fire) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  bool pending() const noexcept { return place_ != idle; }

 private:
  friend class TimerQueue;
  static constexpr std::size_t idle = SIZE_MAX;
  static constexpr std::size_t fresh = SIZE_MAX - 1;

  Fire fire_;
  Timer* previous_ = nullptr;  // in the list of fresh timers
  Timer* next_ = nullptr;
  Duration wait_{};
  Time at_{};
  std::uint64_t order_ = 0;   // timers of one moment fire in the order they were set
  std::size_t place_ = idle;  // index in the heap
};

class TimerQueue {
 public:
  /// Fires not before `wait` from now. The timer must not be pending, and lives until it is not.
  void set(Timer& timer, Duration wait);
  void cancel(Timer& timer) noexcept;
  /// Reads `now` into the fresh timers, fires what is due, returns the next moment.
  Time advance(Time now);
  bool empty() const noexcept { return fresh_ == nullptr && heap_.empty(); }

 private:
  static bool earlier(const Timer& a, const Timer& b) noexcept {
    return a.at_ != b.at_ ? a.at_ < b.at_ : a.order_ < b.order_;
  }
  void date_fresh(Time now);
  void place(Timer* timer, std::size_t index) noexcept;
  void sift_up(std::size_t index) noexcept;
  void sift_down(std::size_t index) noexcept;
  void remove_from_heap(std::size_t index) noexcept;

  Timer* fresh_ = nullptr;
  Timer* fresh_last_ = nullptr;
  std::vector<Timer*> heap_;
  std::uint64_t order_ = 0;
};

}  // namespace coterie::detail
