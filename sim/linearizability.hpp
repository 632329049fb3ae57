#pragma once
// Is there, for each key, an order of its operations that fits their times and that the model
// would have answered just so? The search of Wing and Gong (1993) with Lowe's memory of visited
// configurations (2017), one key at a time. Operations of unknown outcome may take effect at any
// time after they were invoked, or never; those that certainly did not run take none. Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <coterie/workload_model.hpp>

#include "sim/history.hpp"

namespace coterie::sim {

struct SearchLimits {
  std::uint64_t steps_max = 2'000'000;       // per key; beyond it the key stays undecided
  std::size_t configurations_max = 500'000;  // remembered per key
};

struct Violation {
  std::string key;
  std::size_t operation = 0;  // index in the history: the first whose answer nothing explains
  std::string found;          // what it answered
  std::string expected;       // what it would have answered after the longest explained part
};

struct LinearizabilityResult {
  std::size_t keys = 0;
  std::vector<Violation> violations;   // one per key, by completion of the operation
  std::vector<std::string> undecided;  // keys given up at a limit: neither proved nor refuted
  bool ok() const noexcept { return violations.empty(); }
};

LinearizabilityResult check_linearizability(const History& history, const WorkloadModel& model,
                                            const SearchLimits& limits = {});

}  // namespace coterie::sim
