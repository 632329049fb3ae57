#include "sim/timeline.hpp"

#include <algorithm>

#include "process/duration_text.hpp"
#include "process/seeded_random.hpp"

namespace coterie::sim {
namespace {

/// A stretch of time in which a fault keeps nodes away. `node` is empty when only the moment can
/// tell which it will be.
struct Absence {
  std::string node;
  unsigned taken = 0;
  FaultKind kind = FaultKind::kill;
  Duration begin{};
  Duration end = infinity;
};

Duration later(Duration at, std::optional<Duration> wait) {
  if (!wait || *wait > infinity - at) return infinity;
  return at + *wait;
}

bool is_return(FaultKind kind) {
  return kind == FaultKind::restart || kind == FaultKind::replace || kind == FaultKind::resume;
}

class Planner {
 public:
  Planner(std::span<const std::string> nodes, std::vector<std::string> voters, std::uint64_t seed)
      : nodes_(nodes), voters_(std::move(voters)), random_(seed) {}

  std::vector<PlannedFault> plan(const Scenario& scenario) {
    struct Moment {
      Duration at{};
      std::size_t index = 0;
    };
    std::vector<Moment> moments;
    for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
      const auto& when = scenario.faults[i].when;
      if (const auto* fixed = std::get_if<FaultAt>(&when)) {
        moments.push_back({fixed->at, i});
        continue;
      }
      const auto& repeated = std::get<FaultEvery>(when);
      const Duration until = repeated.until.value_or(scenario.duration);
      for (Duration at = repeated.after; at < until; at += draw(repeated.every)) {
        moments.push_back({at, i});
      }
    }
    std::ranges::stable_sort(moments, {}, &Moment::at);
    // In time order, so that each draw knows who is away. A fixed fault always happens, so it is
    // entered first: drawn ones leave room for those that come later, too.
    enter_fixed(scenario);
    for (const Moment& moment : moments) {
      const auto& when = scenario.faults[moment.index].when;
      if (const auto* repeated = std::get_if<FaultEvery>(&when)) {
        draw_fault(*repeated, moment.at, moment.index);
      } else {
        planned_.push_back(fixed_[moment.index]);
      }
    }
    return std::move(planned_);
  }

 private:
  Duration draw(const Range& range) {
    const auto width = static_cast<std::uint64_t>((range.most - range.least).count());
    if (width == 0) return range.least;
    // Whole milliseconds, so that a plan can be read and written into a file again.
    const std::uint64_t steps = width / 1'000'000 + 1;
    return range.least + std::chrono::milliseconds(random_.below(steps));
  }

  const std::string& draw_node(std::span<const std::string> from) {
    return from[random_.below(from.size())];
  }

  static bool is_drawn(const std::optional<NodeSelector>& selector) {
    return selector && (selector->kind == NodeSelector::Kind::any ||
                        selector->kind == NodeSelector::Kind::voter);
  }

  void draw_selector(std::optional<NodeSelector>& selector, std::span<const std::string> from) {
    if (!is_drawn(selector)) return;
    std::vector<std::string> candidates(from.begin(), from.end());
    if (selector->kind == NodeSelector::Kind::voter && !voters_.empty()) {
      std::erase_if(candidates, [&](const std::string& node) {
        return std::ranges::find(voters_, node) == voters_.end();
      });
    }
    if (candidates.empty()) return;
    selector->kind = NodeSelector::Kind::name;
    selector->text = draw_node(candidates);
  }

  void draw_durations(PlannedFault& fault) {
    if (fault.action.restart_after) fault.ends_after = draw(*fault.action.restart_after);
    if (fault.action.lasts) fault.ends_after = draw(*fault.action.lasts);
  }

  /// Ends of one connection must differ.
  void draw_pairs(Action& action) {
    draw_selector(action.from, nodes_);
    std::vector<std::string> others(nodes_.begin(), nodes_.end());
    if (action.from) std::erase(others, action.from->text);
    draw_selector(action.to, others);
    others.assign(nodes_.begin(), nodes_.end());
    for (NodeSelector& end : action.link) {
      std::optional<NodeSelector> drawn = end;
      draw_selector(drawn, others);
      end = *drawn;
      std::erase(others, end.text);
    }
  }

  void enter_fixed(const Scenario& scenario) {
    fixed_.resize(scenario.faults.size());
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
      if (std::holds_alternative<FaultAt>(scenario.faults[i].when)) order.push_back(i);
    }
    std::ranges::stable_sort(
        order, {}, [&](std::size_t i) { return std::get<FaultAt>(scenario.faults[i].when).at; });
    for (const std::size_t i : order) {
      const auto& fault = std::get<FaultAt>(scenario.faults[i].when);
      PlannedFault planned{fault.at, fault.action, std::nullopt, std::nullopt, i};
      const auto candidates = candidates_for(planned.action, fault.at);
      draw_selector(planned.action.node,
                    candidates.empty() ? std::vector(nodes_.begin(), nodes_.end()) : candidates);
      draw_pairs(planned.action);
      draw_durations(planned);
      enter(planned);
      fixed_[i] = std::move(planned);
    }
  }

  void draw_fault(const FaultEvery& repeated, Duration at, std::size_t index) {
    PlannedFault planned{at, repeated.pick[random_.below(repeated.pick.size())], std::nullopt,
                         repeated.max_down.value_or(minority(nodes_.size())), index};
    draw_durations(planned);
    const auto candidates = candidates_for(planned.action, at);
    draw_selector(planned.action.node, candidates);
    if (is_drawn(planned.action.node)) return;  // there is nobody to draw from
    draw_pairs(planned.action);
    if (!leaves_enough(planned)) return;
    enter(planned);
    planned_.push_back(std::move(planned));
  }

  /// Nodes that the action makes sense for: those that are up, or for a return those that are not.
  std::vector<std::string> candidates_for(const Action& action, Duration at) const {
    std::vector<std::string> list;
    for (const std::string& node : nodes_) {
      bool down = false;
      bool paused = false;
      for (const Absence& absence : absences_) {
        if (absence.node != node || at < absence.begin || at >= absence.end) continue;
        (absence.kind == FaultKind::pause ? paused : down) = true;
      }
      const bool fits = action.kind == FaultKind::resume ? paused && !down
                        : is_return(action.kind)         ? down
                                                         : !down && !paused;
      if (fits) list.push_back(node);
    }
    return list;
  }

  /// Whether at no moment of the fault more than max_down nodes are away, itself included.
  bool leaves_enough(const PlannedFault& fault) const {
    const unsigned taken = nodes_taken(fault.action);
    if (taken == 0) return true;
    const Duration end = later(fault.at, fault.ends_after);
    // The count rises only where an absence begins: check there and at the fault's own begin.
    std::vector<Duration> moments{fault.at};
    for (const Absence& absence : absences_) {
      if (absence.begin > fault.at && absence.begin < end) moments.push_back(absence.begin);
    }
    for (const Duration moment : moments) {
      unsigned away = taken;
      for (const Absence& absence : absences_) {
        if (moment >= absence.begin && moment < absence.end) away += absence.taken;
      }
      if (away > *fault.max_down) return false;
    }
    return true;
  }

  void enter(const PlannedFault& fault) {
    const Action& action = fault.action;
    const std::string node =
        action.node && action.node->kind == NodeSelector::Kind::name ? action.node->text : "";
    for (Absence& absence : absences_) {
      if (ends(action, node, absence) && absence.begin <= fault.at && absence.end > fault.at) {
        absence.end = fault.at;
      }
    }
    const unsigned taken = nodes_taken(action);
    if (taken == 0) return;
    absences_.push_back({.node = node,
                         .taken = taken,
                         .kind = action.kind,
                         .begin = fault.at,
                         .end = later(fault.at, fault.ends_after)});
  }

  static bool ends(const Action& action, const std::string& node, const Absence& absence) {
    if (action.kind == FaultKind::heal) {
      return absence.kind == FaultKind::partition || absence.kind == FaultKind::one_way;
    }
    if (node.empty() || absence.node != node) return false;
    if (action.kind == FaultKind::resume) return absence.kind == FaultKind::pause;
    return is_return(action.kind) && absence.kind != FaultKind::pause;
  }

  std::span<const std::string> nodes_;
  const std::vector<std::string> voters_;  // empty: all of them
  SeededRandom random_;
  std::vector<Absence> absences_;
  std::vector<PlannedFault> fixed_;
  std::vector<PlannedFault> planned_;
};

}  // namespace

unsigned minority(std::size_t nodes) noexcept {
  return nodes == 0 ? 0 : static_cast<unsigned>((nodes - 1) / 2);
}

unsigned nodes_taken(const Action& action) noexcept {
  switch (action.kind) {
    case FaultKind::kill:
    case FaultKind::power_off:
    case FaultKind::stop:
    case FaultKind::pause:
    case FaultKind::one_way:
    case FaultKind::poison:
    case FaultKind::clock_stop:
      return 1;
    case FaultKind::partition: {
      std::size_t all = 0;
      std::size_t largest = 0;
      for (const auto& group : action.groups) {
        all += group.size();
        largest = std::max(largest, group.size());
      }
      return static_cast<unsigned>(all - largest);
    }
    case FaultKind::restart:
    case FaultKind::replace:
    case FaultKind::resume:
    case FaultKind::heal:
    case FaultKind::reset:
    case FaultKind::delay:
    case FaultKind::throttle:
    case FaultKind::blackhole_large:
    case FaultKind::slow_disk:
    case FaultKind::full_disk:
    case FaultKind::failing_fsync:
    case FaultKind::crash_name:
    case FaultKind::slow_node:
    case FaultKind::clock_rate:
    case FaultKind::clock_jump:
    case FaultKind::trouble:
      return 0;
  }
  return 0;
}

std::vector<PlannedFault> timeline(const Scenario& scenario, std::span<const std::string> nodes,
                                   std::uint64_t seed) {
  return Planner(nodes, scenario.cluster.voters, seed).plan(scenario);
}

Duration timeline_end(const Scenario& scenario) {
  Duration end = scenario.duration;
  for (const Fault& fault : scenario.faults) {
    if (const auto* at = std::get_if<FaultAt>(&fault.when)) end = std::max(end, at->at);
  }
  for (const Expectation& expectation : scenario.expectations) end = std::max(end, expectation.at);
  return end;
}

std::string describe(const PlannedFault& fault) {
  const Action& action = fault.action;
  std::string text(to_string(action.kind));
  if (action.node) text += " " + to_string(*action.node);
  if (action.from && action.to) {
    text += " from " + to_string(*action.from) + " to " + to_string(*action.to);
  }
  if (action.link.size() == 2) {
    text += " between " + to_string(action.link[0]) + " and " + to_string(action.link[1]);
  }
  for (std::size_t i = 0; i < action.groups.size(); ++i) {
    text += i == 0 ? " " : " | ";
    for (std::size_t j = 0; j < action.groups[i].size(); ++j) {
      text += (j == 0 ? "" : ",") + action.groups[i][j].text;
    }
  }
  if (!action.name.empty()) text += " " + action.name;
  if (fault.ends_after) {
    text += (action.restart_after ? ", restarted after " : " for ") +
            format_duration(*fault.ends_after);
  }
  return text;
}

}  // namespace coterie::sim
