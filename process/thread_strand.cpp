#include "process/thread_strand.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "process/thread_start.hpp"

namespace coterie {

ThreadStrand::ThreadStrand(const Clock& clock, std::string name, Duration spin)
    : clock_(clock), name_(std::move(name)), spin_(spin) {
  thread_ = detail::start_thread(name_, [this] { run(); });
}

ThreadStrand::~ThreadStrand() {
  if (std::this_thread::get_id() == thread_.get_id()) {
    std::fprintf(stderr, "coterie: strand %s is destroyed by one of its own jobs\n", name_.c_str());
    std::abort();
  }
  decltype(ready_) dropped_ready;
  decltype(timers_) dropped_timers;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    // Destroyed after the lock is released: what a job owns may post from its destructor.
    dropped_ready.swap(ready_);
    dropped_timers.swap(timers_);
  }
  parker_.wake();
  thread_.join();
}

bool ThreadStrand::later(const Entry& a, const Entry& b) noexcept {
  return a.at != b.at ? a.at > b.at : a.order > b.order;
}

void ThreadStrand::post(Job job) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    ready_.push_back({clock_.now(), ++posted_, std::move(job)});
  }
  parker_.wake();
}

void ThreadStrand::post_at(Time at, Job job) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (const Time now = clock_.now(); at <= now) {
      ready_.push_back({now, ++posted_, std::move(job)});
    } else {
      timers_.push_back({at, ++posted_, std::move(job)});
      std::push_heap(timers_.begin(), timers_.end(), later);
      // Its own thread looks at the timers before it sleeps; others matter only when earliest.
      if (timers_.front().order != posted_) return;
    }
  }
  parker_.wake();
}

Strand::Job ThreadStrand::take(Time& next) {
  std::lock_guard lock(mutex_);
  next = Time::max();
  if (stopping_) return {};
  // A timer that was due before the oldest posted job goes first, so a flood of posts delays none.
  const bool timer_first =
      !timers_.empty() && (ready_.empty() || later(ready_.front(), timers_.front()));
  if (timer_first) {
    if (ready_.empty() && timers_.front().at > clock_.now()) {
      next = timers_.front().at;
      return {};
    }
    std::pop_heap(timers_.begin(), timers_.end(), later);
    Job job = std::move(timers_.back().job);
    timers_.pop_back();
    return job;
  }
  if (ready_.empty()) return {};
  Job job = std::move(ready_.front().job);
  ready_.pop_front();
  return job;
}

void ThreadStrand::run() {
  for (;;) {
    Time next;
    if (Job job = take(next)) {
      detail::run_or_abort(name_, job);
      continue;
    }
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    parker_.park(clock_, next, spin_);
  }
}

}  // namespace coterie
