#pragma once
// The store that simulated nodes share, and each node's way to it. The engine is the memory one;
// what the way adds is time and trouble: every statement takes a while before it takes effect and a
// while until its answer is there, may be refused, and may lose its answer. A node that dies
// between loses what had not taken effect, and never hears of what had. Single-threaded.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "journal/faulty.hpp"
#include "journal/memory.hpp"
#include "journal/open_storage.hpp"
#include "sim/sim_executor.hpp"

namespace coterie::sim {

/// What is wrong with one node's way to the store, now.
struct DiskTrouble {
  Duration latency{};       // on top of what each statement takes
  bool full = false;        // nothing is written
  bool away = false;        // nothing is answered
  unsigned parted = 0;      // likewise, by so many partitions of the network
  double answers_lost = 0;  // of writes that took effect
  double refused = 0;       // of all statements
  /// Of writes: the connection breaks, and the statement, which the store has, takes effect up to
  /// `late_max` later, whatever has become of the node by then.
  double late = 0;
  Duration late_max{};
  /// Of the voter's file only.
  Duration sync_latency{};
  double sync_fails = 0;
  /// Called at the next write, before or after it takes effect: the node dies of it.
  std::function<void()> before_write{};
  std::function<void()> after_write{};
  /// Likewise, in the middle of the next sync of the voter's file.
  std::function<void()> in_sync{};
  /// A mutant: a sync says that it is done, and a second later it is, if the run lives.
  bool sync_skipped = false;

  /// A program that starts now may find that it cannot.
  bool keeps_from_starting() const noexcept {
    return away || parted > 0 || full || refused > 0 || late > 0 || answers_lost > 0 ||
           sync_fails > 0;
  }
};

/// Owned by the cluster; outlives the nodes.
class SimStore {
 public:
  SimStore() = default;
  SimStore(const SimStore&) = delete;
  SimStore& operator=(const SimStore&) = delete;

  MemoryStore memory;
  /// Told of each accepted append. A line: what is wrong with it.
  std::function<void(std::string)> violation = [](const std::string&) {};
  /// A mutant: appends are accepted whatever their epoch.
  bool fence_off = false;
  /// A mutant: ... and whatever their sequence.
  bool order_off = false;
  /// A mutant: what is read of a stream says nothing of the requests that were answered.
  bool forgets_requests = false;
  /// A mutant: appends are answered before they are stored, and a crash in between loses them.
  bool answers_early = false;

  /// Streams as the nodes see them, behind their troubles.
  Streams& streams() noexcept { return *streams_; }
  std::uint64_t appends = 0;
  /// When the last of the statements is over that a fault holds up.
  Time late_until{};

 private:
  class Watched;
  std::shared_ptr<Streams> streams_ = make_watched();
  std::shared_ptr<Streams> make_watched();
};

/// One run's way to the store. `alive` says false when the run has died: from then on nothing takes
/// effect. Everything outlives it.
StorageSet open_sim_storage(SimWorld& world, SimExecutor& executor, SimStore& store,
                            const DiskTrouble& trouble, std::function<bool()> alive,
                            Duration away_wait);

}  // namespace coterie::sim
