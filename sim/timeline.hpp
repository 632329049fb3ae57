#pragma once
// The faults of a scenario as one list in time order, everything drawn that a seed can draw. Pure:
// the same scenario, nodes and seed give the same list. What only the moment can tell (who owns a
// name, who runs the most) stays a selector, and the driver asks max_down again then, against the
// nodes that are really down, because a restart may take longer than was planned.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/scenario.hpp"

namespace coterie::sim {

struct PlannedFault {
  Duration at{};
  Action action;                       // "*" replaced by a node's name; the ranges are drawn below
  std::optional<Duration> ends_after;  // restart_after or `for`: the driver undoes it then
  std::optional<unsigned> max_down;    // of a drawn fault; nothing: play it in any case
  std::size_t index = 0;               // of its [[fault]] in the file
};

/// The largest number of nodes that may be down so that a majority of `nodes` is up.
unsigned minority(std::size_t nodes) noexcept;

/// How many nodes an action takes away: 1 for kill, pause and the like, those outside the largest
/// group for a partition, 0 for what leaves every node reachable.
unsigned nodes_taken(const Action& action) noexcept;

std::vector<PlannedFault> timeline(const Scenario& scenario, std::span<const std::string> nodes,
                                   std::uint64_t seed);

/// The last moment at which something is planned or expected, at least the scenario's duration.
Duration timeline_end(const Scenario& scenario);

/// "kill b, restarted after 2300ms"
std::string describe(const PlannedFault& fault);

}  // namespace coterie::sim
