#pragma once
// Timers of one worker: intrusive, never early, cheap when they do not fire. A new timer joins a
// list and is dated only at the worker's next clock read, so the wait of a short call costs a few
// pointer writes and no clock read. Most of the others are cancelled long before their time: until
// shortly before it they wait in the buckets of a wheel, where setting and cancelling are a few
// pointer writes too; the heap orders the near ones, so each fires at its moment. Not thread-safe:
// only the owning worker touches it. Idea of the wheel: Varghese and Lauck, SOSP 1987.

#include <algorithm>
#include <array>
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
  static constexpr std::size_t in_bucket = SIZE_MAX - 2;  // minus the bucket's number

  Fire fire_;
  Timer* previous_ = nullptr;  // in the list of fresh timers, or of a bucket
  Timer* next_ = nullptr;
  Duration wait_{};
  Time at_{};
  std::uint64_t order_ = 0;   // timers of one moment fire in the order they were set
  std::size_t place_ = idle;  // else the index in the heap
};

class TimerQueue {
 public:
  /// Fires not before `wait` from now. The timer must not be pending, and lives until it is not.
  void set(Timer& timer, Duration wait) noexcept {
    timer.wait_ = wait;
    timer.order_ = ++order_;
    timer.place_ = Timer::fresh;
    timer.previous_ = fresh_last_;
    timer.next_ = nullptr;
    (fresh_last_ == nullptr ? fresh_ : fresh_last_->next_) = &timer;
    fresh_last_ = &timer;
  }
  void cancel(Timer& timer) noexcept;
  /// Reads `now` into the fresh timers, fires what is due, returns the next moment.
  Time advance(Time now);
  /// Of a pending timer, as seen from the worker's last clock read.
  static Duration left(const Timer& timer, Time now) noexcept {
    return timer.place_ == Timer::fresh ? timer.wait_ : std::max(timer.at_ - now, Duration::zero());
  }
  bool empty() const noexcept { return fresh_ == nullptr && heap_.empty() && in_wheels_ == 0; }

 private:
  // A bucket of the first wheel is 0.27 s wide and one of the second 69 s: both together reach
  // five hours ahead. What is beyond goes to the heap.
  static constexpr unsigned buckets = 256;
  static constexpr std::array<int, 2> shifts{28, 36};
  // A bucket of the first wheel is in the heap before its first timer is due; one of the second
  // goes over in time for the first wheel to take it whole.
  static constexpr std::array<std::int64_t, 2> leads{1, 0};
  struct Wheel {
    std::array<Timer*, buckets> first{};
    std::array<std::uint64_t, buckets / 64> filled{};
    std::int64_t poured = 0;  // all buckets up to this one are in the heap, or in the first wheel
  };

  static bool earlier(const Timer& a, const Timer& b) noexcept {
    return a.at_ != b.at_ ? a.at_ < b.at_ : a.order_ < b.order_;
  }
  static std::int64_t bucket_of(Time at, unsigned wheel) noexcept {
    return at.time_since_epoch().count() >> shifts[wheel];
  }
  void date_fresh(Time now);
  void sort_in(Timer& timer);
  void put_in_bucket(Timer& timer, unsigned wheel, std::int64_t bucket) noexcept;
  void take_from_bucket(Timer& timer) noexcept;
  void pour(unsigned wheel, Time now);
  Time next_pour(unsigned wheel) const noexcept;
  void push_heap(Timer& timer);
  void place(Timer* timer, std::size_t index) noexcept;
  void sift_up(std::size_t index) noexcept;
  void sift_down(std::size_t index) noexcept;
  void remove_from_heap(std::size_t index) noexcept;

  Timer* fresh_ = nullptr;
  Timer* fresh_last_ = nullptr;
  std::vector<Timer*> heap_;
  std::array<Wheel, 2> wheels_;
  std::size_t in_wheels_ = 0;
  std::uint64_t order_ = 0;
};

}  // namespace coterie::detail
