#include "sim/failover_watch.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "process/duration_text.hpp"

namespace coterie::sim {
namespace {

std::optional<NodeState> state_named(std::string_view word) {
  constexpr std::array states{NodeState::joining, NodeState::active, NodeState::frozen,
                              NodeState::excluded, NodeState::down};
  for (const NodeState state : states) {
    if (to_string(state) == word) return state;
  }
  return std::nullopt;
}

/// A node also lists those of its configuration that are in no view.
bool in_view(const MemberStatus& member) { return member.incarnation.id != NodeId::none; }

std::string whole_ms(Duration duration) {
  return format_duration(std::chrono::floor<std::chrono::milliseconds>(duration));
}

}  // namespace

void FailoverWatch::note(Duration at, std::string what, std::string text) {
  events_.push_back({at, std::move(what), std::move(text)});
}

FailoverWatch::Change FailoverWatch::look(Duration now, const NodeFacts& facts) {
  Node& node = nodes_[facts.name];
  if (node.program == facts.program) return {};
  const bool ended = node.program.has_value();
  if (ended) {
    note(now, "death", facts.name + "'s program has ended");
    node.last.reset();
    node.state.clear();
  }
  node.program = facts.program;
  if (facts.program) {
    note(now, "start", facts.name + "'s program runs, pid " + std::to_string(*facts.program));
    return {Change::Kind::began};
  }
  return {Change::Kind::ended};
}

void FailoverWatch::heard(const std::string& name, const Heard& heard) {
  Node& node = nodes_[name];
  // An answer that was under way when its program ended says nothing about the next one.
  if (node.program != heard.status.os_pid) return;
  if (node.last && node.last->asked > heard.asked) return;
  node.last = heard;
  const NodeStatus& status = heard.status;
  if (node.state != status.state) {
    std::string text = name + " is " + status.state;
    if (status.state == "frozen") {
      text += ", its lease ended " + std::to_string(-status.lease_left_ms) + "ms ago";
    }
    note(heard.answered, status.state == "frozen" ? "freeze" : "state", text);
    node.state = status.state;
  }
  if (status.view > view_) {
    view_ = status.view;
    std::string text = "view " + std::to_string(status.view) + ":";
    for (const MemberStatus& member : status.members) {
      if (!in_view(member)) continue;
      text += " " + member.name + "." + std::to_string(member.incarnation.counter);
      if (member.draining) text += " (leaving)";
    }
    note(heard.answered, "view", text + ", first seen by " + name);
  }
}

bool FailoverWatch::answered_since(const std::string& name, Duration from) const {
  const Node& node = nodes_.at(name);
  return node.last && node.last->asked >= from;
}

bool FailoverWatch::active(const std::string& name) const {
  const Node& node = nodes_.at(name);
  return node.program && node.last && node.last->status.state == "active";
}

bool FailoverWatch::starting(const std::string& name) const {
  const Node& node = nodes_.at(name);
  return node.program && !node.last;
}

bool FailoverWatch::whole(std::span<const std::string> nodes) const {
  // First what is soon said: a cluster of hundreds is asked often.
  const auto current = [&](const std::string& name) {
    return active(name) && nodes_.at(name).last->status.view == view_;
  };
  if (!std::ranges::all_of(nodes, current)) return false;
  const std::set<std::string_view> wanted(nodes.begin(), nodes.end());
  return std::ranges::all_of(nodes, [&](const std::string& name) {
    const NodeStatus& status = nodes_.at(name).last->status;
    const auto members = std::ranges::count_if(status.members, in_view);
    if (std::cmp_not_equal(members, nodes.size())) return false;
    return std::ranges::all_of(status.members, [&](const MemberStatus& member) {
      if (!in_view(member)) return true;
      return wanted.contains(member.name) && (member.connected || member.name == name);
    });
  });
}

/// In the newest view that another node tells, this program's incarnation is no member.
bool FailoverWatch::excluded_by_others(const std::string& name, std::uint64_t* view) const {
  const Node& own = nodes_.at(name);
  if (!own.last) return false;
  const NodeStatus* newest = nullptr;
  for (const auto& [other, node] : nodes_) {
    if (other == name || !node.last) continue;
    if (newest == nullptr || node.last->status.view > newest->view) newest = &node.last->status;
  }
  if (newest == nullptr || newest->view <= own.last->status.view) return false;
  *view = newest->view;
  return std::ranges::none_of(newest->members, [&](const MemberStatus& member) {
    return member.name == name && member.incarnation == own.last->status.incarnation;
  });
}

StateSeen FailoverWatch::state(const std::string& name, Duration now,
                               std::optional<Duration> paused_since, Duration fresh_from) const {
  const Node& node = nodes_.at(name);
  if (!node.program) return {NodeState::down, "down"};
  std::uint64_t view = 0;
  if (paused_since) {
    const std::string since = "paused for " + whole_ms(now - *paused_since);
    if (excluded_by_others(name, &view)) {
      return {NodeState::excluded,
              since + ", and view " + std::to_string(view) + " is without it: excluded"};
    }
    // A stopped program renews nothing, so a whole length later its lease is over for certain, and
    // it runs nothing. Before that only what it last said of its lease is known.
    if (now - *paused_since >= lease_) {
      return {NodeState::frozen, since + ", longer than its lease: frozen"};
    }
    if (node.last && node.last->status.state == "active" &&
        node.last->asked + std::chrono::milliseconds(node.last->status.lease_left_ms) > now) {
      return {NodeState::active, since + ", within its lease: active"};
    }
    return {std::nullopt, since + ", and its lease may have ended or not"};
  }
  if (!node.last) return {NodeState::joining, "its program runs and has not answered yet: joining"};
  if (node.last->asked >= fresh_from) {
    return {state_named(node.last->status.state), node.last->status.state};
  }
  if (excluded_by_others(name, &view)) {
    return {NodeState::excluded,
            "no answer, and view " + std::to_string(view) + " is without it: excluded"};
  }
  return {std::nullopt, "no answer since " + whole_ms(now - node.last->answered)};
}

}  // namespace coterie::sim
