#include "sim/failover_plan.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/scenario_reader.hpp"
#include "sim/toml_tree.hpp"

namespace coterie::sim {
namespace {

namespace fs = std::filesystem;

std::expected<std::string, std::string> read_text(const std::string& file) {
  std::error_code error;
  if (fs::is_directory(file, error)) {
    return std::unexpected(file + ": is a directory, expected a scenario file");
  }
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || !text) {
    return std::unexpected(file + ": cannot be read; expected a scenario file");
  }
  return std::move(text).str();
}

std::expected<std::vector<ConfigOverride>, std::string> overrides_of(
    const Scenario& scenario, const std::vector<std::string>& nodes) {
  std::vector<ConfigOverride> overrides;
  for (const std::string& node : nodes) {
    overrides.push_back({"node." + node + ".respawn", false, {scenario.file, 0, 0}});
  }
  for (const Override& written : scenario.cluster.overrides) {
    auto value = parse_config_value(written.value_toml);
    if (!value) {
      return std::unexpected(
          placed(scenario.file, written.place, written.key + ": " + value.error()));
    }
    overrides.push_back({written.key,
                         *std::move(value),
                         {scenario.file, written.place.line, written.place.column}});
  }
  return overrides;
}

std::expected<void, std::string> check_hosts(const FailoverPlan& plan) {
  for (const WorkloadChoice& workload : plan.scenario.workloads) {
    const bool hosted = std::ranges::any_of(plan.nodes, [&](const std::string& node) {
      const auto& kinds = plan.config.find(node)->kinds;
      return std::ranges::find(kinds, workload.kind.text) != kinds.end();
    });
    if (hosted) continue;
    return std::unexpected(placed(plan.scenario.file, workload.kind.place,
                                  "no node that starts hosts \"" + workload.kind.text +
                                      "\"; add it to the `kinds` of a node in " +
                                      plan.config_file));
  }
  std::vector<std::string> kinds;
  for (const std::string& node : plan.nodes) {
    for (const std::string& kind : plan.config.find(node)->kinds) {
      if (std::ranges::find(kinds, kind) == kinds.end()) kinds.push_back(kind);
    }
  }
  return check_kinds(plan.scenario, kinds);
}

}  // namespace

std::string beside(const std::string& file, const std::string& path) {
  return (fs::path(file).parent_path() / path).lexically_normal().string();
}

std::expected<FailoverPlan, std::string> plan_failover(const std::string& file,
                                                       const Program& program, Engine engine) {
  FailoverPlan plan;
  std::vector<WorkloadKind> kinds;
  for (const Application& application : program.applications) {
    for (const auto& workload : application.workloads) {
      kinds.push_back({std::string(workload->kind()), workload->words()});
      plan.workloads.emplace(workload->kind(), workload.get());
    }
  }
  const auto text = read_text(file);
  if (!text) return std::unexpected(text.error());
  auto scenario = read_scenario(*text, file, kinds);
  if (!scenario) return std::unexpected(scenario.error());
  plan.scenario = *std::move(scenario);
  if (auto built = check_built(plan.scenario, engine); !built) {
    return std::unexpected(built.error());
  }

  // Twice: the file as it stands says which nodes there are to override.
  plan.config_file = beside(file, plan.scenario.cluster.config.text);
  const auto plain = load_config(plan.config_file);
  if (!plain) {
    const ConfigError& error = plain.error();
    if (error.place.line != 0) return std::unexpected(to_string(error));
    return std::unexpected(placed(file, plan.scenario.cluster.config.place, to_string(error)));
  }
  std::vector<std::string> names;
  for (const NodeSection& node : plain->nodes) names.push_back(node.name);
  if (auto known = check_nodes(plan.scenario, names); !known) {
    return std::unexpected(known.error());
  }
  plan.nodes = chosen_nodes(plan.scenario, names);
  auto overrides = overrides_of(plan.scenario, names);
  if (!overrides) return std::unexpected(overrides.error());
  plan.overrides = *std::move(overrides);
  auto config = load_config(plan.config_file, plan.overrides);
  if (!config) return std::unexpected(to_string(config.error()));
  plan.config = *std::move(config);
  if (plan.config.cluster.agreement == AgreementEngine::voters) {
    plan.scenario.cluster.voters = plan.config.cluster.voters;
  }
  if (auto hosted = check_hosts(plan); !hosted) return std::unexpected(hosted.error());
  return plan;
}

}  // namespace coterie::sim
