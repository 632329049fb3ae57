#include "sim/failover_director.hpp"

#include <algorithm>

#include "process/duration_text.hpp"
#include "sim/fault_kinds.hpp"

namespace coterie::sim {
namespace {

Deed::Verb verb_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::power_off:
      return Deed::Verb::power_off;
    case FaultKind::stop:
      return Deed::Verb::stop;
    case FaultKind::restart:
    case FaultKind::replace:
      return Deed::Verb::start;
    case FaultKind::pause:
      return Deed::Verb::pause;
    case FaultKind::resume:
      return Deed::Verb::resume;
    case FaultKind::kill:
      return Deed::Verb::kill;
    default:
      return Deed::Verb::begin;
  }
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
    case Deed::Verb::begin:
      return "begin";
    case Deed::Verb::end:
      return "end";
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

bool FailoverDirector::poison_took(const std::string& node, Duration now) {
  if (poisons_ == 0) return false;
  --poisons_;
  doomed_.insert(node);
  gone_.insert(node);
  note(now, "poison", node + " ran the poisonous name");
  return true;
}

void FailoverDirector::came_back(const std::string& node) {
  doomed_.erase(node);
  ending_.erase(node);
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
      play(*decision.fault, decision.node, now, facts, deeds);
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

void FailoverDirector::play(const PlannedFault& fault, const std::string& node, Duration now,
                            std::span<const NodeFacts> facts, std::vector<Deed>& deeds) {
  const FaultKind kind = fault.action.kind;
  if (!is_of_program(kind)) return play_beside(fault, node, now, deeds);
  PlannedFault resolved = fault;
  resolved.action.node->kind = NodeSelector::Kind::name;
  resolved.action.node->text = node;
  deeds.push_back({verb_of(kind), node, nullptr, fault.max_down.has_value()});
  if (kind == FaultKind::replace) {
    deeds.back().fault = std::make_shared<const PlannedFault>(resolved);
  }
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
    if (kind != FaultKind::pause) ending_.insert(node);
  }
  if (kind == FaultKind::pause) pauses_[node] = {program, now};
  // Whatever ends it now, nothing else has to.
  const auto superseded = [&](const Undo& undo) {
    return undo.deed.node == node &&
           undo.deed.verb ==
               (verb_of(kind) == Deed::Verb::start ? Deed::Verb::start : Deed::Verb::resume);
  };
  if (kind != FaultKind::pause && kind != FaultKind::stop) std::erase_if(undo_, superseded);
  if (fault.ends_after) {
    gone_.erase(node);
    const auto back = kind == FaultKind::pause ? Deed::Verb::resume : Deed::Verb::start;
    undo_.push_back({now + *fault.ends_after, {back, node}, program});
  }
  note(now, "fault", text);
}

/// What lies around the nodes: begun now, ended when its time is over or the timeline is.
void FailoverDirector::play_beside(const PlannedFault& fault, const std::string& node, Duration now,
                                   std::vector<Deed>& deeds) {
  PlannedFault resolved = fault;
  if (resolved.action.node) {
    resolved.action.node->kind = NodeSelector::Kind::name;
    resolved.action.node->text = node;
  }
  const auto shared = std::make_shared<const PlannedFault>(std::move(resolved));
  const FaultKind kind = fault.action.kind;
  deeds.push_back({Deed::Verb::begin, node, shared, fault.max_down.has_value()});
  if (kind == FaultKind::heal) {
    std::erase_if(undo_, [](const Undo& undo) {
      return undo.deed.fault && (undo.deed.fault->action.kind == FaultKind::partition ||
                                 undo.deed.fault->action.kind == FaultKind::one_way);
    });
  }
  if (!is_momentary(kind)) {
    undo_.push_back({fault.ends_after ? now + *fault.ends_after : infinity,
                     {Deed::Verb::end, node, shared},
                     0});
  }
  // The names of those that it takes away miss their node.
  std::vector<std::string> names;
  const auto take = [&](const std::string& gone) {
    const auto& lived = lived_[gone];
    names.insert(names.end(), lived.begin(), lived.end());
  };
  std::size_t largest = 0;
  for (std::size_t i = 0; i < fault.action.groups.size(); ++i) {
    if (fault.action.groups[i].size() > fault.action.groups[largest].size()) largest = i;
  }
  for (std::size_t i = 0; i < fault.action.groups.size(); ++i) {
    if (i == largest) continue;
    for (const Placed& gone : fault.action.groups[i]) take(gone.text);
  }
  if (kind == FaultKind::clock_stop || kind == FaultKind::full_disk) take(node);
  if (kind == FaultKind::crash_name || kind == FaultKind::poison) {
    names.push_back(fault.action.name.substr(fault.action.name.find('/') + 1));
  }
  if (kind == FaultKind::poison) ++poisons_;
  const std::string text = describe(*shared);
  if (!names.empty()) {
    moments_.push_back({now, names});
    texts_.push_back(text);
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
    if (undo->deed.verb == Deed::Verb::end) {
      deeds.push_back(undo->deed);
      note(now, "fault", "end of " + describe(*undo->deed.fault));
    } else if (undo->deed.verb == Deed::Verb::resume) {
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
    } else if (std::ranges::find(deeds, Deed::Verb::start, &Deed::verb) != deeds.end()) {
      ++undo;  // perhaps of this node, asked to stop twice: the next step has the facts
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
  if (!result) {
    const std::string text =
        std::string(to_string(deed.verb)) + " " + (deed.fault ? describe(*deed.fault) : deed.node);
    note(now, "skipped", text + ": " + result.error());
    // The node may have ended a moment ago, by another fault or its guardian. That counts where the
    // file names the moment, not where it was drawn.
    const bool forgiven = deed.drawn && (deed.verb != Deed::Verb::begin ||
                                         deed.fault->action.kind == FaultKind::crash_name);
    if (!forgiven) unplayed_.push_back(text + ": " + result.error());
    return;
  }
  if (deed.verb == Deed::Verb::resume) {
    pauses_.erase(deed.node);
    // One that was asked to stop before it was paused goes on with that.
    if (!ending_.contains(deed.node)) came_back(deed.node);
  }
}

}  // namespace coterie::sim
