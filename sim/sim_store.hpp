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
  double answers_lost = 0;  // of writes that took effect
  double refused = 0;       // of all statements
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
  /// A mutant: appends are answered before they are stored, and a crash in between loses them.
  bool answers_early = false;

  /// Streams as the nodes see them, behind their troubles.
  Streams& streams() noexcept { return *streams_; }
  std::uint64_t appends = 0;

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
