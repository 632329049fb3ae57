#pragma once
// Which items of a world are ready, and when the others will be by time alone: a bit for each item
// and a tree of their moments, so that a step looks only at items that something has happened to or
// whose moment has come. Items keep their places in the order in which they were added, which is
// what a seed's choice rests on. Owned by the world; single-threaded.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <coterie/time.hpp>

namespace coterie::sim {

class SimAgenda;

/// Something that would run on a thread of its own.
class SimItem {
 public:
  virtual ~SimItem() = default;
  virtual bool ready() const noexcept = 0;
  virtual void run() = 0;
  /// When it becomes ready by time alone; Time::max(): never.
  virtual Time next() const noexcept = 0;
  bool running() const noexcept { return running_; }

 private:
  friend class SimAgenda;
  friend class SimWorld;
  bool running_ = false;
  bool changed_ = false;
  std::size_t place_ = 0;
};

class SimAgenda {
 public:
  /// O(items), like remove().
  void add(SimItem& item);
  void remove(SimItem& item);
  /// Something that its ready() or next() says has changed, other than by time. O(1).
  void changed(SimItem& item);
  /// Of every item: a clock or a whole node has changed.
  void all_changed();

  /// Looks again at what has changed or come due. O(log items) for each.
  void refresh(Time now);
  // As of the last refresh():
  std::size_t ready() const noexcept { return ready_; }
  /// The ready item with `before` ready ones before it.
  SimItem& pick(std::size_t before) const noexcept;
  Time next() const noexcept { return moments_.empty() ? Time::max() : moments_[1]; }

  /// Of an item that is there, from 0.
  static std::size_t place(const SimItem& item) noexcept { return item.place_; }

 private:
  void renumber();
  void look_at(const SimItem& item);
  void collect_due(std::size_t node, Time now);
  void set_moment(std::size_t place, Time at) noexcept;

  std::vector<SimItem*> items_;
  std::vector<SimItem*> changed_;
  std::vector<std::uint64_t> bits_;  // ready, by place
  std::size_t ready_ = 0;
  // A tree of minima: the leaf of a place is at width_ + place, the root at 1.
  std::vector<Time> moments_;
  std::size_t width_ = 0;
};

}  // namespace coterie::sim
