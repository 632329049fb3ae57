#pragma once
// What sorts of fault there are, for those who play them. Pure.

#include <span>
#include <string>
#include <vector>

#include "sim/scenario.hpp"

namespace coterie::sim {

/// Faults of the nodes' programs; the others lie in what is around them.
inline bool is_of_program(FaultKind kind) {
  switch (kind) {
    case FaultKind::kill:
    case FaultKind::power_off:
    case FaultKind::stop:
    case FaultKind::restart:
    case FaultKind::replace:
    case FaultKind::pause:
    case FaultKind::resume:
      return true;
    default:
      return false;
  }
}

/// It is over at once: there is nothing to end.
inline bool is_momentary(FaultKind kind) {
  return kind == FaultKind::heal || kind == FaultKind::reset || kind == FaultKind::crash_name ||
         kind == FaultKind::poison || kind == FaultKind::clock_jump;
}

/// Of the links between nodes: real nodes need proxies for it.
inline bool is_of_links(FaultKind kind) {
  switch (kind) {
    case FaultKind::partition:
    case FaultKind::heal:
    case FaultKind::one_way:
    case FaultKind::reset:
    case FaultKind::delay:
    case FaultKind::throttle:
    case FaultKind::blackhole_large:
      return true;
    default:
      return false;
  }
}

/// Of a disk or a name, or of the way to the storage: real nodes have to take part in it.
inline bool is_inside(FaultKind kind) {
  switch (kind) {
    case FaultKind::partition:
    case FaultKind::slow_disk:
    case FaultKind::full_disk:
    case FaultKind::failing_fsync:
    case FaultKind::crash_name:
    case FaultKind::poison:
      return true;
    default:
      return false;
  }
}

/// A node, with all that it runs.
inline bool takes_away(FaultKind kind) {
  return kind == FaultKind::kill || kind == FaultKind::power_off || kind == FaultKind::stop ||
         kind == FaultKind::pause;
}

/// Whom a partition parts from the storage too: it stays with the largest group (of equals, that of
/// the first of `nodes`), or with nodes that stand in no group, which are cut off from nobody.
std::vector<std::string> apart_from_storage(const Action& partition,
                                            std::span<const std::string> nodes);

}  // namespace coterie::sim
