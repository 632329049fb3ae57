#pragma once
// What both engines of agreement share: the lease's times, why an incarnation ends, and what they
// ask their node to do. Values.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <coterie/time.hpp>

#include "process/ports/agreement.hpp"

namespace coterie {

struct LeaseTiming {
  Duration interval = std::chrono::milliseconds(200);  // H: between renewals and between reads
  Duration length = std::chrono::seconds(2);           // L
  std::int64_t drift_ppm = 10'000;                     // rho: the clocks' rate error, at most
  Duration slack = std::chrono::milliseconds(20);      // taken off each lease
  Duration partial_evict = std::chrono::seconds(20);   // outside the largest group for longer
  Duration own_lease() const { return own_lease_of(length); }
  Duration own_lease_of(Duration granted) const;  // L (1 - 2 rho) - slack
  Duration others_wait() const;                   // L (1 + 2 rho)
  Duration late_limit() const;                    // max(3 H, L / 4): an answer is late
};

/// Why this incarnation takes part no more, and what its program should do.
struct Departure {
  enum class Kind : std::uint8_t {
    removed,         // excluded by a view: exit 75, start the next incarnation
    raise_counter,   // the incarnation's counter must exceed `counter`: raise it and start again
    left,            // by its own wish
    name_taken,      // a live incarnation has the name: exit, not with 75
    config_differs,  // live members agree on another configuration: exit, not with 75
  };
  Kind kind = Kind::removed;
  std::uint64_t counter = 0;
  std::string why;
};

/// Actions of either engine, to be carried out in order.
struct AgreementActions {
  struct InstallView {
    std::shared_ptr<const View> view{};
  };
  struct SetLeaseEnd {
    Time end;
  };
  struct ChangeState {
    NodeState state = NodeState::joining;
    std::string why;
  };
  struct SetTimer {
    Time at;  // the engine's tick then; replaces the earlier timer
  };
  struct Depart {
    Departure departure;  // followed by the last change of state; then nothing ever
  };
  struct Notice {
    std::string text;  // for the log
  };
};

}  // namespace coterie
