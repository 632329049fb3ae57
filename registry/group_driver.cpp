#include "registry/group_driver.hpp"

#include <algorithm>

#include "process/runtime.hpp"

namespace coterie::detail {
namespace {

// What was lost, to a full mailbox perhaps, is missing for so long at most.
constexpr Duration beat_interval = std::chrono::seconds(10);

}  // namespace

GroupDriver::GroupDriver(std::string local_name, std::shared_ptr<GroupTable> table, Changed changed)
    : local_name_(std::move(local_name)),
      table_(std::move(table)),
      changed_(std::move(changed)),
      core_({.self = self()}, *table_) {}

void GroupDriver::start() {
  monitor_nodes(true);
  if (const Distribution* links = current_process().runtime().distribution()) {
    for (const Peer& peer : links->peers()) {
      if (!peer.hidden) met(peer.incarnation.id, peer.name);
    }
  }
  every(beat_interval, self(), GroupTick{});
}

void GroupDriver::join(const std::string& group, const std::vector<Pid>& pids) {
  carry_out(core_.join(group, pids));
}

bool GroupDriver::leave(const std::string& group, const std::vector<Pid>& pids) {
  const GroupActions actions = core_.leave(group, pids);
  carry_out(actions);
  return !actions.changes.empty();
}

void GroupDriver::met(NodeId node, const std::string& name) {
  names_[node] = name;
  carry_out(core_.node_up(node));
}

void GroupDriver::handle(const NodeDown& down) {
  names_.erase(down.incarnation.id);
  carry_out(core_.node_down(down.incarnation.id));
}

void GroupDriver::handle(const Down& down) {
  if (const auto asked = asking_.find(down.ref); asked != asking_.end()) {
    const NodeId node = asked->second;
    asking_.erase(asked);
    core_.no_scope(node);
    return;
  }
  const auto known = monitors_.find(down.pid);
  if (known == monitors_.end() || known->second != down.ref) return;
  monitors_.erase(known);
  const bool mine = down.pid.node == self().node;
  carry_out(mine ? core_.member_down(down.pid) : core_.peer_down(down.pid));
}

void GroupDriver::carry_out(const GroupActions& actions) {
  for (const Pid& pid : actions.monitor) monitors_[pid] = monitor(pid);
  for (const Pid& pid : actions.demonitor) {
    const auto known = monitors_.find(pid);
    if (known == monitors_.end()) continue;
    // Without a walk through the mailbox: a Down that is there already is of no known monitor.
    demonitor(known->second, false);
    monitors_.erase(known);
  }
  for (const NodeId node : actions.ask) ask(node);
  for (const GroupActions::Sent& sent : actions.send) {
    std::visit(
        [&](const auto& message) {
          for (const Pid& pid : sent.to) send(pid, message);
        },
        sent.message);
  }
  for (const GroupChange& change : actions.changes) changed_(change);
}

void GroupDriver::ask(NodeId node) {
  const auto known = names_.find(node);
  if (known == names_.end()) return;
  const auto there = at(local_name_, known->second);
  const bool monitored =
      std::ranges::any_of(asking_, [&](const auto& asked) { return asked.second == node; });
  if (!monitored) asking_.emplace(monitor(there), node);
  send(there, GroupDiscover{self()});
}

}  // namespace coterie::detail
