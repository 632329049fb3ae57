#pragma once
// A failover test before anything starts: the scenario and its cluster read and checked against
// each other and against what this program has. Every mistake is one line FILE:LINE:COLUMN. Reads
// files; one thread.

#include <expected>
#include <map>
#include <string>
#include <vector>

#include <coterie/program.hpp>
#include <coterie/workload.hpp>

#include "node/config.hpp"
#include "sim/scenario.hpp"

namespace coterie::sim {

struct FailoverPlan {
  Scenario scenario;
  std::string config_file;
  /// The scenario's, after the test's own: `respawn = false`, so that the timeline decides when a
  /// node comes back.
  std::vector<ConfigOverride> overrides;
  ClusterConfig config;                                           // with the overrides
  std::vector<std::string> nodes;                                 // that start
  std::map<std::string, const Workload*, std::less<>> workloads;  // the program's, by kind
};

/// `program` outlives the plan.
std::expected<FailoverPlan, std::string> plan_failover(const std::string& file,
                                                       const Program& program,
                                                       Engine engine = Engine::real);

/// `path` as a file says it whose own path is `file`.
std::string beside(const std::string& file, const std::string& path);

}  // namespace coterie::sim
