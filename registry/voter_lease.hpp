#pragma once
// A member's lease with the `voters` engine: what the promises of a majority of voters come to on
// its own clock. A pure value; one owner.

#include <cstddef>
#include <vector>

#include "registry/agreement_terms.hpp"
#include "registry/view_register.hpp"

namespace coterie {

/// Rules that tests switch off one at a time. Always all on. Each breaks I1 when it is off.
struct LeaseProtections {
  bool from_sending = true;  // a lease runs from when its renewal was sent, not when answered
  bool majority = true;      // ... and needs the promises of a majority
  bool drift_margin = true;  // (1 - 2 rho) and the slack
};

class VoterLease final {
 public:
  VoterLease(std::size_t voters, LeaseTiming timing, LeaseProtections protections = {});

  /// `voter` promised `length`, as answer to a renewal sent at `sent` and read at `answered`.
  void granted(VoterIndex voter, Time sent, Time answered, Duration length);
  /// Until when a majority keeps its promises at least: Time::min() before one has promised.
  Time end() const;

 private:
  LeaseTiming timing_;
  LeaseProtections protections_;
  std::vector<Time> ends_;  // by voter
};

}  // namespace coterie
