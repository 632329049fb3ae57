#pragma once
// I9: when faults are over and a majority is connected, every spec that is neither failed nor
// quarantined runs exactly once within L + 1.5 s. The specs are read from the store and the
// processes from the nodes themselves, so it is no question of what anybody says.
//
// The clock of a spec begins when all is calm and the spec does not run, and begins anew when it is
// calm no more: a node starts or ends, two that run have no session with each other, or what faults
// leave behind is still felt (a late statement, a connection that nobody has found to be dead), or
// a rare path has the store not answer. Single-threaded.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/sim_cluster.hpp"

namespace coterie::sim {

class SimSpecs {
 public:
  /// How often so far the store, on a rare path, has not answered a look at all rows.
  using Unanswered = std::function<std::uint64_t()>;

  /// `cluster` outlives it and is told of violations. `within`: L + 1.5 s, and what rare paths add.
  SimSpecs(SimCluster& cluster, Duration within, Unanswered unanswered = {})
      : cluster_(cluster), within_(within), unanswered_(std::move(unanswered)) {}

  /// The faults are over: from now on it looks.
  void faults_over();
  /// Asked often; looks now and then.
  void look();
  /// Every spec ran at the last look.
  bool all_run() const noexcept { return looked_ && missing_.empty(); }
  /// For how long at most one did not, in calm.
  Duration longest() const noexcept { return longest_; }

 private:
  bool calm();
  bool connected() const;
  std::map<std::string, std::uint64_t> counts() const;

  SimCluster& cluster_;
  const Duration within_;
  const Unanswered unanswered_;
  std::uint64_t looks_lost_ = 0;
  bool looks_ = false;
  bool looked_ = false;
  Time next_look_{};
  Time calm_since_{};
  std::map<std::string, std::uint64_t> runs_;  // by node
  std::map<std::string, Time> missing_;        // since when, by name
  Duration longest_{};
};

}  // namespace coterie::sim
