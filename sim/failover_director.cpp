#include "sim/failover_director.hpp"

#include <algorithm>

#include "process/duration_text.hpp"

namespace coterie::sim {
namespace {

bool takes_away(FaultKind kind) {
  return kind == FaultKind::kill || kind == FaultKind::power_off || kind == FaultKind::stop ||
         kind == FaultKind::pause;
}

Deed::Verb verb_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::power_off:
      return Deed::Verb::power_off;
    case FaultKind::stop:
      return Deed::Verb::stop;
    case FaultKind::restart:
      return Deed::Verb::start;
    case FaultKind::pause:
      return Deed::Verb::pause;
    case FaultKind::resume:
      return Deed::Verb::resume;
    default:  // check_built refused the others
      return Deed::Verb::kill;
  }
}

const NodeFacts* find(std::span<const NodeFacts> facts, const std::string& node) {
  const auto found = std::ranges::find(facts, node, &NodeFacts::name);
  return found == facts.end() ? nullptr : &*found;
}

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

std::string_view to_string(Deed::Verb verb) noexcept {
  switch (verb) {
    case Deed::Verb::kill:
      return "kill";
    case Deed::Verb::power_off:
      return "power_off";
    case Deed::Verb::stop:
      return "stop";
    case Deed::Verb::start:
      return "restart";
    case Deed::Verb::pause:
      return "pause";
    case Deed::Verb::resume:
      return "resume";
  }
  return "unknown";
}

FailoverDirector::FailoverDirector(std::vector<PlannedFault> faults, Duration end,
                                   DirectorPolicy policy)
    : faults_(std::move(faults)), end_(end), policy_(policy) {}

void FailoverDirector::note(Duration now, std::string what, std::string text) {
  events_.push_back({now, std::move(what), std::move(text)});
}

std::optional<Duration> FailoverDirector::wants_sighting(Duration now) const noexcept {
  std::optional<Duration> latest;
  const auto consider = [&](const PlannedFault& fault) {
    if (!takes_away(fault.action.kind)) return;
    latest = std::max(latest.value_or(Duration::min()), fault.at);
  };
  for (const std::size_t index : waiting_) consider(faults_[index]);
  for (std::size_t i = next_; i < faults_.size() && faults_[i].at <= now; ++i) consider(faults_[i]);
  return latest;
}

bool FailoverDirector::paused(const NodeFacts& node) const {
  return paused_since(node).has_value();
}

std::optional<Duration> FailoverDirector::paused_since(const NodeFacts& node) const {
  const auto pause = pauses_.find(node.name);
  if (pause == pauses_.end() || node.program != pause->second.program) return std::nullopt;
  return pause->second.since;
}

void FailoverDirector::came_back(const std::string& node) {
  doomed_.erase(node);
  gone_.erase(node);
  lived_.erase(node);
}

std::set<std::string> FailoverDirector::left_away() const { return gone_; }

std::vector<Deed> FailoverDirector::step(Duration now, std::span<const NodeFacts> facts,
                                         const Sighting* sighting) {
  // Once each: it says nothing about a node that has come back since.
  if (sighting != nullptr && sighting->asked > sighted_) {
    sighted_ = sighting->asked;
    for (const auto& [name, node] : sighting->nodes) {
      auto& lived = lived_[name];
      lived.clear();
      if (!node.active) continue;
      for (const auto& [kind, names] : node.names) {
        lived.insert(lived.end(), names.begin(), names.end());
      }
    }
  }
  std::vector<Deed> deeds;
  undo(now, facts, deeds);
  for (; next_ < faults_.size() && faults_[next_].at <= now; ++next_) waiting_.push_back(next_);
  // One deed a step: the next one is considered with the facts that this one makes.
  if (!deeds.empty()) return deeds;
  for (auto waiting = waiting_.begin(); waiting != waiting_.end(); ++waiting) {
    const PlannedFault& fault = faults_[*waiting];
    const Decision decision = consider(fault, now, facts, sighting);
    if (decision.kind == Decision::Kind::wait) continue;
    waiting_.erase(waiting);
    if (decision.kind == Decision::Kind::play) {
      play(fault, decision.node, now, facts, deeds);
      return deeds;
    }
    note(now, "skipped", describe(fault) + ": " + decision.why);
    if (decision.kind == Decision::Kind::drop && !fault.max_down) {
      unplayed_.push_back(describe(fault) + " at " + format_duration(fault.at) + ": " +
                          decision.why);
    }
    return deeds;
  }
  return deeds;
}

FailoverDirector::Decision FailoverDirector::consider(const PlannedFault& fault, Duration now,
                                                      std::span<const NodeFacts> facts,
                                                      const Sighting* sighting) const {
  using Kind = Decision::Kind;
  const bool late = now >= fault.at + policy_.patience;
  if (takes_away(fault.action.kind) && (sighting == nullptr || sighting->asked < fault.at)) {
    if (now < fault.at + policy_.sighting_wait) return {Kind::wait, {}, {}};
  }
  Decision decision = resolve(*fault.action.node, facts, sighting);
  if (decision.kind == Kind::play) {
    const std::string node = decision.node;
    decision = fits(fault.action.kind, *find(facts, node));
    decision.node = node;
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

void FailoverDirector::play(const PlannedFault& fault, const std::string& node, Duration now,
                            std::span<const NodeFacts> facts, std::vector<Deed>& deeds) {
  const FaultKind kind = fault.action.kind;
  deeds.push_back({verb_of(kind), node});
  PlannedFault resolved = fault;
  resolved.action.node->kind = NodeSelector::Kind::name;
  resolved.action.node->text = node;
  std::string text = describe(resolved);
  if (fault.action.node->kind != NodeSelector::Kind::name) {
    text += ", as " + to_string(*fault.action.node);
  }
  const std::int64_t program = find(facts, node)->program.value_or(0);
  if (takes_away(kind)) {
    const auto& names = lived_[node];
    text += ", where " + std::to_string(names.size()) + " names live";
    // Without names nobody waits for anything: an empty list would mean every name.
    if (!names.empty()) {
      moments_.push_back({now, names});
      texts_.push_back(text);
    }
    doomed_.insert(node);
    gone_.insert(node);
  }
  if (kind == FaultKind::pause) pauses_[node] = {program, now};
  // Whatever ends it now, nothing else has to.
  const auto superseded = [&](const Undo& undo) {
    return undo.deed.node == node &&
           undo.deed.verb == (kind == FaultKind::restart ? Deed::Verb::start : Deed::Verb::resume);
  };
  if (kind != FaultKind::pause && kind != FaultKind::stop) std::erase_if(undo_, superseded);
  if (fault.ends_after) {
    gone_.erase(node);
    const auto back = kind == FaultKind::pause ? Deed::Verb::resume : Deed::Verb::start;
    undo_.push_back({now + *fault.ends_after, {back, node}, program});
  }
  note(now, "fault", text);
}

void FailoverDirector::undo(Duration now, std::span<const NodeFacts> facts,
                            std::vector<Deed>& deeds) {
  for (auto undo = undo_.begin(); undo != undo_.end();) {
    const NodeFacts* node = find(facts, undo->deed.node);
    if (now < std::min(undo->at, end_)) {
      ++undo;
      continue;
    }
    if (undo->deed.verb == Deed::Verb::resume) {
      if (paused(*node)) {
        deeds.push_back(undo->deed);
        note(now, "fault", "resume " + node->name);
      } else if (node->program != undo->program) {
        note(now, "skipped", "resume " + node->name + ": that run of it has ended meanwhile");
      }
    } else if (node->program) {
      // A node that was asked to stop may still be draining.
      if (doomed_.contains(node->name)) {
        ++undo;
        continue;
      }
      note(now, "skipped", "restart " + node->name + ": it runs again already");
    } else if (node->guardian) {
      ++undo;  // it still tells the others, or leaves
      continue;
    } else {
      deeds.push_back(undo->deed);
      note(now, "fault", "restart " + node->name);
    }
    undo = undo_.erase(undo);
  }
}

void FailoverDirector::done(Duration now, const Deed& deed,
                            const std::expected<void, std::string>& result) {
  const std::string text = std::string(to_string(deed.verb)) + " " + deed.node;
  if (!result) {
    note(now, "skipped", text + ": " + result.error());
    unplayed_.push_back(text + ": " + result.error());
    return;
  }
  if (deed.verb == Deed::Verb::resume) {
    pauses_.erase(deed.node);
    came_back(deed.node);
  }
}

}  // namespace coterie::sim
