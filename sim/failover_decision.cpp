// Whether a fault that is due can be played, and on which node.

#include <algorithm>

#include "sim/failover_director.hpp"
#include "sim/fault_kinds.hpp"

namespace coterie::sim {
namespace {

std::size_t names_on(const Sighting::Node& node) {
  std::size_t count = 0;
  for (const auto& [kind, names] : node.names) count += names.size();
  return count;
}

bool runs(const Sighting::Node& node, const std::string& name) {
  const std::size_t slash = name.find('/');
  const auto kind = node.names.find(name.substr(0, slash));
  return kind != node.names.end() && slash != name.npos &&
         std::ranges::find(kind->second, name.substr(slash + 1)) != kind->second.end();
}

}  // namespace

FailoverDirector::Decision FailoverDirector::consider(const PlannedFault& fault, Duration now,
                                                      std::span<const NodeFacts> facts,
                                                      const Sighting* sighting) const {
  using Kind = Decision::Kind;
  const bool late = now >= fault.at + policy_.patience;
  if (takes_away(fault.action.kind) && (sighting == nullptr || sighting->asked < fault.at)) {
    if (now < fault.at + policy_.sighting_wait) return {Kind::wait, {}, {}};
  }
  Decision decision;
  if (fault.action.node) decision = resolve(*fault.action.node, facts, sighting);
  if (fault.action.node && decision.kind == Kind::play) {
    const std::string node = decision.node;
    decision = fits(fault.action.kind, *find(facts, node));
    decision.node = node;
  }
  if (decision.kind == Kind::play) {
    PlannedFault resolved = fault;
    std::vector<NodeSelector*> ends;
    if (resolved.action.from) ends.push_back(&*resolved.action.from);
    if (resolved.action.to) ends.push_back(&*resolved.action.to);
    for (NodeSelector& end : resolved.action.link) ends.push_back(&end);
    for (NodeSelector* end : ends) {
      const Decision found = resolve(*end, facts, sighting);
      if (found.kind != Kind::play) {
        decision.kind = found.kind;
        decision.why = found.why;
        break;
      }
      end->kind = NodeSelector::Kind::name;
      end->text = found.node;
    }
    decision.fault = std::move(resolved);
  }
  if (decision.kind == Kind::wait && late) decision.kind = Kind::drop;
  if (decision.kind != Kind::play || !fault.max_down) return decision;
  const std::size_t taken = nodes_taken(fault.action);
  if (const std::size_t gone = away(facts); taken > 0 && gone + taken > *fault.max_down) {
    return {Kind::drop,
            {},
            std::to_string(gone) + " down, paused or on the way back, and max_down is " +
                std::to_string(*fault.max_down)};
  }
  return decision;
}

FailoverDirector::Decision FailoverDirector::resolve(const NodeSelector& selector,
                                                     std::span<const NodeFacts> facts,
                                                     const Sighting* sighting) const {
  using Kind = Decision::Kind;
  if (selector.kind == NodeSelector::Kind::name) {
    if (find(facts, selector.text) == nullptr) {
      return {Kind::drop, {}, "no node \"" + selector.text + "\" was started"};
    }
    return {Kind::play, selector.text, {}};
  }
  if (selector.kind == NodeSelector::Kind::primary) {
    std::vector<std::string> members;
    for (const NodeFacts& node : facts) {
      if (node.active && node.program) members.push_back(node.name);
    }
    if (policy_.primary) {
      if (auto node = policy_.primary(selector.text, members)) return {Kind::play, *node, {}};
    }
    return {Kind::wait, {}, "no active node hosts the kind of " + selector.text};
  }
  if (selector.kind == NodeSelector::Kind::voter || selector.kind == NodeSelector::Kind::any) {
    return {Kind::drop, {}, "there was nobody to draw for \"" + to_string(selector) + "\""};
  }
  const std::string* chosen = nullptr;
  std::size_t most = 0;
  for (const NodeFacts& node : facts) {
    if (sighting == nullptr) break;
    const auto seen = sighting->nodes.find(node.name);
    if (seen == sighting->nodes.end() || !seen->second.active || !node.program) continue;
    const std::size_t count = selector.kind == NodeSelector::Kind::owner
                                  ? (runs(seen->second, selector.text) ? 1 : 0)
                                  : names_on(seen->second);
    if (count > most) {
      most = count;
      chosen = &node.name;
    }
  }
  if (chosen != nullptr) return {Kind::play, *chosen, {}};
  return {Kind::wait,
          {},
          selector.kind == NodeSelector::Kind::owner ? "no node that answers runs " + selector.text
                                                     : "no node that answers runs any name"};
}

FailoverDirector::Decision FailoverDirector::fits(FaultKind kind, const NodeFacts& node) const {
  using Kind = Decision::Kind;
  const bool stopped = paused(node);
  switch (kind) {
    case FaultKind::restart:
    case FaultKind::replace:
      if (node.program) return {Kind::needless, {}, node.name + " runs"};
      if (node.guardian) return {Kind::wait, {}, "the guardian of " + node.name + " still runs"};
      return {};
    case FaultKind::resume:
      if (stopped) return {};
      return {Kind::needless, {}, node.name + " is not paused"};
    case FaultKind::pause:
      if (stopped) return {Kind::drop, {}, node.name + " is paused already"};
      break;
    default:
      break;
  }
  if (!node.program) return {Kind::wait, {}, node.name + " is down"};
  return {};
}

std::size_t FailoverDirector::away(std::span<const NodeFacts> facts) const {
  return static_cast<std::size_t>(std::ranges::count_if(facts, [&](const NodeFacts& node) {
    return !node.active || !node.program || paused(node) || doomed_.contains(node.name);
  }));
}

}  // namespace coterie::sim
