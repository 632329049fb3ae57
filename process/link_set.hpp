#pragma once
// The links of one process: a few for most, a million for a supervisor of so many. Every operation
// is O(1); iteration is in no order once a link has gone. Owned by the thread that runs the
// process.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include <coterie/pid.hpp>

namespace coterie::detail {

class LinkSet {
 public:
  bool contains(const Pid& pid) const { return find(pid) != pids_.size(); }
  /// False if it was there.
  bool insert(const Pid& pid) {
    if (contains(pid)) return false;
    append(pid);
    return true;
  }
  /// Of a process that has just been made: it cannot be there.
  void append(const Pid& pid) {
    if (places_) places_->emplace(pid, pids_.size());
    pids_.push_back(pid);
    if (!places_ && pids_.size() > few) index();
  }
  /// False if it was not there.
  bool erase(const Pid& pid) {
    const std::size_t place = find(pid);
    if (place == pids_.size()) return false;
    if (places_) {
      places_->erase(pid);
      if (pid != pids_.back()) places_->at(pids_.back()) = place;
    }
    pids_[place] = pids_.back();
    pids_.pop_back();
    if (pids_.empty()) *this = {};
    return true;
  }
  bool empty() const noexcept { return pids_.empty(); }
  const std::vector<Pid>& list() const noexcept { return pids_; }
  auto begin() const noexcept { return pids_.begin(); }
  auto end() const noexcept { return pids_.end(); }

 private:
  static constexpr std::size_t few = 16;

  std::size_t find(const Pid& pid) const {
    if (!places_) {
      return static_cast<std::size_t>(std::ranges::find(pids_, pid) - pids_.begin());
    }
    const auto found = places_->find(pid);
    return found == places_->end() ? pids_.size() : found->second;
  }
  void index() {
    places_ = std::make_unique<std::unordered_map<Pid, std::size_t>>();
    for (std::size_t i = 0; i < pids_.size(); ++i) places_->emplace(pids_[i], i);
  }

  std::vector<Pid> pids_;
  std::unique_ptr<std::unordered_map<Pid, std::size_t>> places_;  // of many
};

}  // namespace coterie::detail
