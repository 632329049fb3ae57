#pragma once
// Which nodes claim which names: what a failover test's sightings show of "each exactly once, none
// elsewhere", and of two owners. A sighting is no snapshot: nodes answer one after another, and a
// name may move between two answers. So a fault of one sighting counts only if the next one, taken
// right after it, shows it too. Pure; one thread.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/failover_facts.hpp"
#include "sim/verdict.hpp"

namespace coterie::sim {

/// What one sighting shows of an expectation. Names of nodes without a lease do not run.
Observation running(const ExpectRunning& expected, const Sighting& sighting);

/// A name that two nodes, both holding a lease, claimed in two sightings in a row.
struct DoubleClaim {
  Duration at{};
  std::string name;
  std::string first, second;  // nodes
};

class ClaimLog {
 public:
  void add(const Sighting& sighting);
  std::size_t sightings() const noexcept { return sightings_; }
  /// In the order of time; a claim that goes on is told once.
  const std::vector<DoubleClaim>& doubles() const noexcept { return doubles_; }

 private:
  struct Claim {
    std::string name, first, second;
    std::uint64_t first_run = 0, second_run = 0;
    friend auto operator<=>(const Claim&, const Claim&) = default;
  };
  std::set<Claim> last_;
  std::set<Claim> told_;
  std::size_t sightings_ = 0;
  std::vector<DoubleClaim> doubles_;
};

}  // namespace coterie::sim
