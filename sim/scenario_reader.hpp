#pragma once
// Scenario files: TOML text to a Scenario, or the first mistake as FILE:LINE:COLUMN. Also the
// checks that need more than the file: its nodes against the cluster, its words against what this
// version can play. Nothing that a file says is ever ignored. Pure; any thread.

#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario.hpp"

namespace coterie::sim {

/// A workload that the program can drive, and the operations that files may weigh.
struct WorkloadKind {
  std::string name;
  std::vector<std::string> ops;
};

std::expected<Scenario, std::string> read_scenario(std::string_view text, std::string_view file,
                                                   std::span<const WorkloadKind> kinds);

/// Every node the scenario names must be one of the cluster file's.
std::expected<void, std::string> check_nodes(const Scenario& scenario,
                                             std::span<const std::string> cluster_nodes);

/// Every name of a fault is of one of these kinds.
std::expected<void, std::string> check_kinds(const Scenario& scenario,
                                             std::span<const std::string> hosted);

/// All that the file may do, drawn or not.
void for_each_action(const Scenario& scenario, const std::function<void(const Action&)>& visit);

/// Whether this version can play such a fault on the engine.
bool is_built(FaultKind kind, Engine engine) noexcept;
/// Refuses, by name and place, an engine that the file excludes and every word that is not built.
std::expected<void, std::string> check_built(const Scenario& scenario, Engine engine);

/// Whether some fault of the file is one of those.
bool has_fault(const Scenario& scenario, bool (*is_one)(FaultKind));

/// The nodes that start: the file's choice, or all of the cluster's.
std::vector<std::string> chosen_nodes(const Scenario& scenario,
                                      std::span<const std::string> cluster_nodes);

}  // namespace coterie::sim
