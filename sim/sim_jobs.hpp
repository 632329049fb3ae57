#pragma once
// Jobs that wait for their moments, those of one moment in posting order: a heap of small entries
// beside the jobs, which stay where they are. Owned by the world or by an item; single-threaded.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <coterie/time.hpp>

namespace coterie::sim {

class SimJobs {
 public:
  using Job = std::move_only_function<void()>;

  void post(Time at, Job job) {
    std::uint32_t place = 0;
    if (free_.empty()) {
      place = static_cast<std::uint32_t>(jobs_.size());
      jobs_.push_back(std::move(job));
    } else {
      place = free_.back();
      free_.pop_back();
      jobs_[place] = std::move(job);
    }
    heap_.push_back({at, ++posted_, place});
    std::ranges::push_heap(heap_, later);
  }
  bool empty() const noexcept { return heap_.empty(); }
  /// Of the first one; Time::max(): none.
  Time next() const noexcept { return heap_.empty() ? Time::max() : heap_.front().at; }
  /// The first one. Not when empty().
  Job take() {
    std::ranges::pop_heap(heap_, later);
    const std::uint32_t place = heap_.back().place;
    heap_.pop_back();
    Job job = std::move(jobs_[place]);
    jobs_[place] = nullptr;
    free_.push_back(place);
    return job;
  }

 private:
  struct Entry {
    Time at;
    std::uint64_t number;
    std::uint32_t place;
  };
  static bool later(const Entry& a, const Entry& b) noexcept {
    return a.at != b.at ? a.at > b.at : a.number > b.number;
  }

  std::vector<Entry> heap_;
  std::vector<Job> jobs_;
  std::vector<std::uint32_t> free_;  // places in jobs_
  std::uint64_t posted_ = 0;
};

}  // namespace coterie::sim
