#include "registry/voter_lease.hpp"

#include <algorithm>
#include <functional>

namespace coterie {

VoterLease::VoterLease(std::size_t voters, LeaseTiming timing, LeaseProtections protections)
    : timing_(timing), protections_(protections), ends_(voters, Time::min()) {}

void VoterLease::granted(VoterIndex voter, Time sent, Time answered, Duration length) {
  if (voter >= ends_.size()) return;
  const Time from = protections_.from_sending ? sent : answered;
  const Duration own = protections_.drift_margin ? timing_.own_lease_of(length) : length;
  ends_[voter] = std::max(ends_[voter], from + own);
}

Time VoterLease::end() const {
  std::vector<Time> ends = ends_;
  std::ranges::sort(ends, std::greater{});
  return ends[protections_.majority ? ends.size() / 2 : 0];
}

}  // namespace coterie
