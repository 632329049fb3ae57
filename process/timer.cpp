#include "process/timer.hpp"

#include <utility>

namespace coterie::detail {

void TimerQueue::set(Timer& timer, Duration wait) {
  timer.wait_ = wait;
  timer.order_ = ++order_;
  timer.place_ = Timer::fresh;
  timer.previous_ = fresh_last_;
  timer.next_ = nullptr;
  (fresh_last_ == nullptr ? fresh_ : fresh_last_->next_) = &timer;
  fresh_last_ = &timer;
}

void TimerQueue::cancel(Timer& timer) noexcept {
  if (timer.place_ == Timer::idle) return;
  if (timer.place_ == Timer::fresh) {
    (timer.previous_ == nullptr ? fresh_ : timer.previous_->next_) = timer.next_;
    (timer.next_ == nullptr ? fresh_last_ : timer.next_->previous_) = timer.previous_;
  } else {
    remove_from_heap(timer.place_);
  }
  timer.place_ = Timer::idle;
}

void TimerQueue::date_fresh(Time now) {
  while (fresh_ != nullptr) {
    Timer* timer = std::exchange(fresh_, fresh_->next_);
    timer->at_ = after(now, timer->wait_);
    heap_.push_back(timer);
    place(timer, heap_.size() - 1);
    sift_up(heap_.size() - 1);
  }
  fresh_last_ = nullptr;
}

Time TimerQueue::advance(Time now) {
  date_fresh(now);
  while (!heap_.empty() && heap_.front()->at_ <= now) {
    Timer* timer = heap_.front();
    remove_from_heap(0);
    timer->place_ = Timer::idle;
    timer->fire_(*timer);  // may set timers and delete this one
  }
  date_fresh(now);
  return heap_.empty() ? Time::max() : heap_.front()->at_;
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
