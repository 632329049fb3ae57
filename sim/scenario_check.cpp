// The checks of scenario_reader.hpp that need more than the file's text.

#include <algorithm>
#include <coterie/nearest_word.hpp>

#include "sim/scenario_reader.hpp"
#include "sim/toml_tree.hpp"

namespace coterie::sim {
namespace {

std::vector<NodeSelector> selectors(const Action& action) {
  std::vector<NodeSelector> list = action.link;
  for (const auto* one : {&action.node, &action.from, &action.to}) {
    if (*one) list.push_back(**one);
  }
  return list;
}

class NodeCheck {
 public:
  explicit NodeCheck(std::span<const std::string> nodes) : nodes_(nodes) {}

  void name(const std::string& text, Place place) const {
    if (std::ranges::find(nodes_, text) != nodes_.end()) return;
    std::vector<std::string_view> known(nodes_.begin(), nodes_.end());
    known.insert(known.end(), {"voter", "most_names"});
    throw TomlMistake{place, "the cluster has no node \"" + text + "\"" + suggest(text, known)};
  }
  void names(const std::vector<Placed>& list) const {
    for (const Placed& node : list) name(node.text, node.place);
  }
  void selector(const NodeSelector& selector) const {
    if (selector.kind == NodeSelector::Kind::name) name(selector.text, selector.place);
  }
  void action(const Action& action) const {
    for (const NodeSelector& one : selectors(action)) selector(one);
    for (const std::vector<Placed>& group : action.groups) names(group);
  }

 private:
  std::span<const std::string> nodes_;
};

}  // namespace

void for_each_action(const Scenario& scenario, const std::function<void(const Action&)>& visit) {
  for (const Fault& fault : scenario.faults) {
    if (const auto* at = std::get_if<FaultAt>(&fault.when)) {
      visit(at->action);
    } else {
      for (const Action& action : std::get<FaultEvery>(fault.when).pick) visit(action);
    }
  }
}

std::expected<void, std::string> check_nodes(const Scenario& scenario,
                                             std::span<const std::string> cluster_nodes) {
  try {
    NodeCheck(cluster_nodes).names(scenario.cluster.nodes);
    const std::vector<std::string> chosen = chosen_nodes(scenario, cluster_nodes);
    const NodeCheck check(chosen);
    for (const WorkloadChoice& workload : scenario.workloads) check.names(workload.on);
    for_each_action(scenario, [&](const Action& action) { check.action(action); });
    for (const Expectation& expectation : scenario.expectations) {
      if (const auto* state = std::get_if<ExpectState>(&expectation.what)) {
        check.name(state->node.text, state->node.place);
      } else {
        check.names(std::get<ExpectRunning>(expectation.what).on);
      }
    }
    return {};
  } catch (const TomlMistake& mistake) {
    return std::unexpected(placed(scenario.file, mistake.place, mistake.text));
  }
}

bool has_fault(const Scenario& scenario, bool (*is_one)(FaultKind)) {
  bool found = false;
  for_each_action(scenario, [&](const Action& action) { found = found || is_one(action.kind); });
  return found;
}

std::expected<void, std::string> check_kinds(const Scenario& scenario,
                                             std::span<const std::string> hosted) {
  try {
    const auto check = [&](const std::string& name, Place place) {
      const std::string kind = name.substr(0, name.find('/'));
      if (std::ranges::find(hosted, kind) != hosted.end()) return;
      const std::vector<std::string_view> known(hosted.begin(), hosted.end());
      throw TomlMistake{place, "no node that starts hosts \"" + kind + "\"" + suggest(kind, known)};
    };
    for_each_action(scenario, [&](const Action& action) {
      if (!action.name.empty()) check(action.name, action.place);
      for (const NodeSelector& selector : selectors(action)) {
        if (selector.kind == NodeSelector::Kind::owner ||
            selector.kind == NodeSelector::Kind::primary) {
          check(selector.text, selector.place);
        }
      }
    });
    return {};
  } catch (const TomlMistake& mistake) {
    return std::unexpected(placed(scenario.file, mistake.place, mistake.text));
  }
}

bool is_built(FaultKind kind, Engine engine) noexcept {
  switch (kind) {
    // A real machine's clock is everybody's.
    case FaultKind::clock_rate:
    case FaultKind::clock_jump:
    case FaultKind::clock_stop:
    case FaultKind::trouble:
      return engine == Engine::sim;
    default:
      return true;
  }
}

std::expected<void, std::string> check_built(const Scenario& scenario, Engine engine) {
  if (std::ranges::find(scenario.engines, engine) == scenario.engines.end()) {
    return std::unexpected(scenario.file + ": its `engine` does not name \"" +
                           std::string(to_string(engine)) + "\"");
  }
  try {
    for_each_action(scenario, [&](const Action& action) {
      const std::string word(to_string(action.kind));
      if (engine == Engine::real && word.starts_with("clock_")) {
        throw TomlMistake{action.place, "\"" + word + "\" is for the simulator only"};
      }
      if (!is_built(action.kind, engine)) {
        throw TomlMistake{action.place, "\"" + word + "\" is not built yet"};
      }
    });
    return {};
  } catch (const TomlMistake& mistake) {
    return std::unexpected(placed(scenario.file, mistake.place, mistake.text));
  }
}

std::vector<std::string> chosen_nodes(const Scenario& scenario,
                                      std::span<const std::string> cluster_nodes) {
  std::vector<std::string> nodes;
  for (const Placed& node : scenario.cluster.nodes) nodes.push_back(node.text);
  if (nodes.empty()) nodes.assign(cluster_nodes.begin(), cluster_nodes.end());
  return nodes;
}

}  // namespace coterie::sim
