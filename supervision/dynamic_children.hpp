#pragma once
// The children of a local DynamicSupervisor: a table by pid, made for millions. A child is 48
// bytes, in blocks that stay where they are while the table grows; beside them an index of four
// bytes a slot, at most half full (open addressing, Knuth 6.4), and what only few children have.
// Lives in the supervisor's process.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <coterie/child_spec.hpp>

#include "process/near_home.hpp"
#include "supervision/restart_backoff.hpp"

namespace coterie::detail {

class DynamicChild {
 public:
  /// What few children have.
  struct Extras {
    std::string id;
    Backoff backoff;
    RestartBackoff pauses;
    std::optional<Duration> shutdown_wait;  // unless it is what its type has
    Time started{};
    Ref pause = Ref::none;  // the timer of a restart that waits
  };

  DynamicChild(const Pid& pid, ChildSpec&& spec);
  /// Under the pid it has or, while it waits for its next try, had.
  Pid pid(NodeId node) const noexcept { return {node, serial_}; }

  std::function<StartResult()> start;  // none of a temporary child: it is never called again
  Restart restart;
  ChildType type;
  bool restarting = false;

 private:
  friend class DynamicChildren;
  bool brutal_;
  std::uint32_t extras_ = UINT32_MAX;  // its place among the table's; none
  std::uint64_t serial_;               // of its pid: it runs on the supervisor's node
};

class DynamicChildren {
 public:
  /// A pointer to a child is good until a child is erased.
  DynamicChild* find(const Pid& pid) noexcept {
    return contains(pid) ? &children_[index_[slot_of(pid.serial)]] : nullptr;
  }
  bool contains(const Pid& pid) const noexcept {
    return !index_.empty() && pid.node == node_ && index_[slot_of(pid.serial)] != none;
  }
  /// nullptr: it has none. Good until it is erased.
  DynamicChild::Extras* extras(const DynamicChild& child) const noexcept {
    return child.extras_ == none ? nullptr : extras_[child.extras_].get();
  }
  Shutdown shutdown(const DynamicChild& child) const noexcept;
  ChildSpec spec(const DynamicChild& child) const;  // for reports
  /// `pid` is not there yet.
  void add(const Pid& pid, ChildSpec&& spec);
  void rename(DynamicChild& child, const Pid& pid) noexcept;
  /// The last child takes its place.
  void erase(DynamicChild& child) noexcept;
  void clear() noexcept;
  std::size_t size() const noexcept { return children_.size(); }
  auto begin() const noexcept { return children_.begin(); }
  auto end() const noexcept { return children_.end(); }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;

  std::size_t home(std::uint64_t serial) const noexcept { return near_home(serial, index_.size()); }
  std::size_t after(std::size_t slot) const noexcept { return (slot + 1) & (index_.size() - 1); }
  /// The slot that names the child, or the free one where it would stand.
  std::size_t slot_of(std::uint64_t serial) const noexcept;
  /// Of a child that is not in the index: without a look at the others, which would be a cache miss
  /// each.
  void put(std::uint64_t serial, std::uint32_t place) noexcept;
  void leave(std::size_t slot) noexcept;
  void grow();
  std::uint32_t keep(DynamicChild::Extras extras);

  NodeId node_ = NodeId::none;  // of all children
  std::deque<DynamicChild> children_;
  std::vector<std::unique_ptr<DynamicChild::Extras>> extras_;
  std::vector<std::uint32_t> free_extras_;
  std::vector<std::uint32_t> index_;  // places in children_; a power of two of them, or nothing
};

}  // namespace coterie::detail
