#pragma once
// What sorts of fault there are, for those who play them. Pure.

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

/// A node, with all that it runs.
inline bool takes_away(FaultKind kind) {
  return kind == FaultKind::kill || kind == FaultKind::power_off || kind == FaultKind::stop ||
         kind == FaultKind::pause;
}

}  // namespace coterie::sim
