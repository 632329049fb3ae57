#pragma once
// One failover test in the simulator: a world for its seed, the cluster in it, the scenario played
// by FailoverRun, and what the checkers saw joined to the verdict. The same plan, seed and faults
// give the same run, byte for byte. Single-threaded; blocks until the run is over.

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/failover_plan.hpp"
#include "sim/failover_run.hpp"
#include "sim/sim_cluster.hpp"

namespace coterie::sim {

struct SimPlayOptions {
  std::uint64_t seed = 1;
  std::string replay_command{};
  /// Instead of all that the scenario and the seed give.
  std::optional<std::vector<PlannedFault>> faults{};
  std::optional<Duration> quiet_wait{};  // for the cluster to be whole at the end
  /// Rare paths are taken, which and how often by the seed.
  bool rare_paths = false;
  /// Processes of the simulator's own run beside the workload: sim/sim_guests.hpp.
  bool guests = false;
  /// What the nodes log joins the time line.
  bool logs = false;
  /// Before anything starts: a mutant, an observer.
  std::function<void(SimCluster&)> prepare{};
};

struct SimPlayed {
  Verdict verdict;
  std::vector<SimViolation> violations;
  std::uint64_t digest = 0;
  Duration simulated{};  // of virtual time
  std::uint64_t steps = 0;
  std::uint64_t callbacks = 0;  // of strict names, each checked
  std::uint64_t appends = 0;    // likewise
  std::uint64_t effects = 0;    // of strict names, sent to other nodes
  std::uint64_t moves = 0;      // of names, from one run to another
  std::uint64_t views = 0;      // that nodes installed, different ones
  std::uint64_t pings = 0;      // of guests, each checked
  Duration without_spec{};      // for which a spec did not run at most when all was calm
  std::map<std::string, std::uint64_t, std::less<>> rare;  // paths that were taken, how often
};

/// `program` and `plan` outlive the call.
std::expected<SimPlayed, FailoverRunError> play_simulated(const FailoverPlan& plan,
                                                          const Program& program,
                                                          const SimPlayOptions& options);

}  // namespace coterie::sim
