#include "process/timer.hpp"

#include <bit>
#include <utility>

namespace coterie::detail {

void TimerQueue::cancel(Timer& timer) noexcept {
  if (timer.place_ == Timer::idle) return;
  if (timer.place_ == Timer::fresh) {
    (timer.previous_ == nullptr ? fresh_ : timer.previous_->next_) = timer.next_;
    (timer.next_ == nullptr ? fresh_last_ : timer.next_->previous_) = timer.previous_;
  } else if (timer.place_ > Timer::in_bucket - 2 * buckets) {
    take_from_bucket(timer);
  } else {
    remove_from_heap(timer.place_);
  }
  timer.place_ = Timer::idle;
}

void TimerQueue::date_fresh(Time now) {
  while (fresh_ != nullptr) {
    Timer* timer = std::exchange(fresh_, fresh_->next_);
    timer->at_ = after(now, timer->wait_);
    sort_in(*timer);
  }
  fresh_last_ = nullptr;
}

Time TimerQueue::advance(Time now) {
  if (in_wheels_ == 0) {
    for (unsigned wheel : {0u, 1u}) wheels_[wheel].poured = bucket_of(now, wheel) + leads[wheel];
  } else {
    for (unsigned wheel : {0u, 1u}) pour(wheel, now);
  }
  date_fresh(now);
  while (!heap_.empty() && heap_.front()->at_ <= now) {
    Timer* timer = heap_.front();
    remove_from_heap(0);
    timer->place_ = Timer::idle;
    timer->fire_(*timer);  // may set timers and delete this one
  }
  date_fresh(now);
  Time next = heap_.empty() ? Time::max() : heap_.front()->at_;
  if (in_wheels_ > 0) next = std::min({next, next_pour(0), next_pour(1)});
  return next;
}

// ---- the wheels

/// Where a dated timer belongs: the nearer it is, the finer.
void TimerQueue::sort_in(Timer& timer) {
  for (unsigned wheel : {0u, 1u}) {
    const std::int64_t ahead = bucket_of(timer.at_, wheel) - wheels_[wheel].poured;
    if (ahead <= 0) break;
    if (ahead < buckets) {
      put_in_bucket(timer, wheel, bucket_of(timer.at_, wheel));
      return;
    }
  }
  push_heap(timer);
}

void TimerQueue::put_in_bucket(Timer& timer, unsigned wheel, std::int64_t bucket) noexcept {
  const auto index = static_cast<unsigned>(bucket % buckets);
  Timer*& first = wheels_[wheel].first[index];
  timer.previous_ = nullptr;
  timer.next_ = first;
  if (first != nullptr) first->previous_ = &timer;
  first = &timer;
  wheels_[wheel].filled[index / 64] |= std::uint64_t{1} << index % 64;
  timer.place_ = Timer::in_bucket - (wheel * buckets + index);
  ++in_wheels_;
}

void TimerQueue::take_from_bucket(Timer& timer) noexcept {
  --in_wheels_;
  if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
  if (timer.previous_ != nullptr) {
    timer.previous_->next_ = timer.next_;
    return;
  }
  const auto number = static_cast<unsigned>(Timer::in_bucket - timer.place_);
  Wheel& wheel = wheels_[number / buckets];
  const unsigned index = number % buckets;
  wheel.first[index] = timer.next_;
  if (timer.next_ == nullptr) wheel.filled[index / 64] &= ~(std::uint64_t{1} << index % 64);
}

/// Moves on what begins soon.
void TimerQueue::pour(unsigned number, Time now) {
  Wheel& wheel = wheels_[number];
  const std::int64_t until = bucket_of(now, number) + leads[number];
  const std::int64_t from = std::max(wheel.poured + 1, until - buckets + 1);
  wheel.poured = std::max(wheel.poured, until);
  for (std::int64_t bucket = from; bucket <= until; ++bucket) {
    const auto index = static_cast<unsigned>(bucket % buckets);
    wheel.filled[index / 64] &= ~(std::uint64_t{1} << index % 64);
    Timer* timer = std::exchange(wheel.first[index], nullptr);
    while (timer != nullptr) {
      --in_wheels_;
      sort_in(*std::exchange(timer, timer->next_));
    }
  }
}

Time TimerQueue::next_pour(unsigned number) const noexcept {
  const Wheel& wheel = wheels_[number];
  for (unsigned i = 1; i < buckets + 64; i += 64 - static_cast<unsigned>((wheel.poured + i) % 64)) {
    const auto index = static_cast<unsigned>((wheel.poured + i) % buckets);
    const std::uint64_t word = wheel.filled[index / 64] >> index % 64;
    if (word == 0) continue;
    const std::int64_t bucket = wheel.poured + i + std::countr_zero(word);
    return Time(Duration((bucket - leads[number]) << shifts[number]));
  }
  return Time::max();
}

// ---- the heap

void TimerQueue::push_heap(Timer& timer) {
  heap_.push_back(&timer);
  place(&timer, heap_.size() - 1);
  sift_up(heap_.size() - 1);
}

void TimerQueue::place(Timer* timer, std::size_t index) noexcept {
  heap_[index] = timer;
  timer->place_ = index;
}

void TimerQueue::sift_up(std::size_t index) noexcept {
  Timer* timer = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 4;
    if (!earlier(*timer, *heap_[parent])) break;
    place(heap_[parent], index);
    index = parent;
  }
  place(timer, index);
}

void TimerQueue::sift_down(std::size_t index) noexcept {
  Timer* timer = heap_[index];
  for (;;) {
    const std::size_t first = index * 4 + 1;
    if (first >= heap_.size()) break;
    std::size_t best = first;
    for (std::size_t child = first + 1; child < first + 4 && child < heap_.size(); ++child) {
      if (earlier(*heap_[child], *heap_[best])) best = child;
    }
    if (!earlier(*heap_[best], *timer)) break;
    place(heap_[best], index);
    index = best;
  }
  place(timer, index);
}

void TimerQueue::remove_from_heap(std::size_t index) noexcept {
  Timer* last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  place(last, index);
  sift_down(index);
  sift_up(last->place_);
}

}  // namespace coterie::detail
