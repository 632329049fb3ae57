#include "registry/group_scope.hpp"

#include <algorithm>
#include <utility>

namespace coterie::detail {
namespace {

constexpr std::size_t serial_bytes = 9;  // packed, at most

std::vector<Pid> pids_of(NodeId node, const std::vector<std::uint64_t>& serials) {
  std::vector<Pid> pids;
  pids.reserve(serials.size());
  for (const std::uint64_t serial : serials) {
    if (serial != 0) pids.push_back({node, serial});
  }
  return pids;
}

}  // namespace

// ---- members of this node

GroupActions GroupScope::join(std::string_view group, const std::vector<Pid>& pids) {
  GroupActions actions;
  if (pids.empty()) return actions;
  const std::string_view name = table_.join(group, pids);
  for (const Pid& pid : pids) {
    auto& groups = local_[pid];
    if (groups.empty()) actions.monitor.push_back(pid);
    groups.insert(name);
  }
  publish(group, pids, true, actions);
  return actions;
}

GroupActions GroupScope::leave(std::string_view group, const std::vector<Pid>& pids) {
  GroupActions actions;
  std::vector<Pid> left;
  for (const Pid& pid : pids) {
    const std::size_t joined = table_.count(group, pid);
    const auto member = local_.find(pid);
    if (joined == 0 || member == local_.end()) continue;
    // Before the table gives up the name that the set refers to.
    if (joined == 1) member->second.erase(group);
    table_.leave(group, pid);
    left.push_back(pid);
    if (!member->second.empty()) continue;
    actions.demonitor.push_back(pid);
    local_.erase(member);
  }
  if (!left.empty()) publish(group, left, false, actions);
  return actions;
}

GroupActions GroupScope::member_down(const Pid& pid) {
  GroupActions actions;
  const auto member = local_.extract(pid);
  if (member.empty()) return actions;
  for (const std::string_view name : member.mapped()) {
    const std::string group(name);
    const std::vector<Pid> left(table_.count(group, pid), pid);
    table_.leave(group, pid, left.size());
    publish(group, left, false, actions);
  }
  return actions;
}

std::size_t GroupScope::pids_per_piece() const {
  return std::max<std::size_t>(options_.piece_bytes / serial_bytes, 1);
}

void GroupScope::publish(std::string_view group, const std::vector<Pid>& pids, bool joined,
                         GroupActions& actions) {
  std::vector<Pid> to;
  for (const auto& [node, peer] : peers_) to.push_back(peer.scope);
  for (std::size_t at = 0; at < pids.size(); at += pids_per_piece()) {
    const std::size_t end = std::min(at + pids_per_piece(), pids.size());
    ++version_;
    if (to.empty()) continue;
    GroupUpdate update{options_.self, version_, joined, {std::string(group), {}}};
    for (std::size_t i = at; i < end; ++i) update.members.serials.push_back(pids[i].serial);
    actions.send.push_back({to, std::move(update)});
  }
  actions.changes.push_back({std::string(group), pids, joined});
}

// ---- other nodes

GroupActions GroupScope::node_up(NodeId node) {
  GroupActions actions;
  asked_.insert(node);
  actions.ask.push_back(node);
  return actions;
}

GroupActions GroupScope::node_down(NodeId node) {
  GroupActions actions;
  asked_.erase(node);
  const auto found = peers_.find(node);
  if (found != peers_.end()) forget(found->second.scope, actions);
  return actions;
}

GroupActions GroupScope::peer_down(const Pid& peer) {
  GroupActions actions;
  if (find(peer) != nullptr) forget(peer, actions);
  return actions;
}

void GroupScope::forget(const Pid& peer, GroupActions& actions) {
  peers_.erase(peer.node);
  actions.demonitor.push_back(peer);
  auto gone = table_.replace(peer.node, {});
  std::ranges::move(gone, std::back_inserter(actions.changes));
}

GroupScope::Peer* GroupScope::find(const Pid& from) {
  const auto found = peers_.find(from.node);
  return found != peers_.end() && found->second.scope == from ? &found->second : nullptr;
}

GroupScope::Peer& GroupScope::meet(const Pid& from, GroupActions& actions) {
  asked_.erase(from.node);
  if (Peer* known = find(from)) return *known;
  const auto older = peers_.find(from.node);
  if (older != peers_.end()) forget(Pid(older->second.scope), actions);
  actions.monitor.push_back(from);
  Peer& peer = peers_[from.node];
  peer.scope = from;
  return peer;
}

void GroupScope::discover(const Pid& peer, GroupActions& actions) const {
  actions.send.push_back({{peer}, GroupDiscover{options_.self}});
}

void GroupScope::sync(const Pid& peer, GroupActions& actions) const {
  GroupSync piece{options_.self, version_, 0, false, {}};
  std::size_t room = options_.piece_bytes;
  const auto next = [&](bool last) {
    piece.last = last;
    actions.send.push_back(
        {{peer}, std::exchange(piece, {options_.self, version_, piece.piece + 1, false, {}})});
    room = options_.piece_bytes;
  };
  for (const auto& [group, pids] : table_.members_of(options_.self.node)) {
    for (std::size_t at = 0; at < pids.size();) {
      if (room < group.size() + serial_bytes && !piece.groups.empty()) next(false);
      GroupMembers& part = piece.groups.emplace_back(GroupMembers{group, {}});
      room -= std::min(room, group.size());
      do {
        part.serials.push_back(pids[at++].serial);
        room -= std::min(room, serial_bytes);
      } while (at < pids.size() && room >= serial_bytes);
    }
  }
  next(true);
}

GroupActions GroupScope::received(const GroupDiscover& message) {
  GroupActions actions;
  if (message.from.node == options_.self.node) return actions;
  const bool known = find(message.from) != nullptr;
  meet(message.from, actions);
  sync(message.from, actions);
  if (!known) discover(message.from, actions);
  return actions;
}

GroupActions GroupScope::received(const GroupSync& message) {
  GroupActions actions;
  if (message.from.node == options_.self.node) return actions;
  Peer& peer = meet(message.from, actions);
  if (peer.version && message.version < *peer.version) return actions;
  if (message.piece == 0) peer.arriving = Arriving{message.version, 0, {}};
  auto& arriving = peer.arriving;
  if (!arriving || arriving->version != message.version || arriving->next != message.piece) {
    arriving.reset();
    return actions;
  }
  ++arriving->next;
  for (const GroupMembers& part : message.groups) {
    const auto pids = pids_of(message.from.node, part.serials);
    if (pids.empty()) continue;
    auto& all = arriving->groups[part.group];
    all.insert(all.end(), pids.begin(), pids.end());
  }
  if (!message.last) return actions;
  auto changes = table_.replace(message.from.node, arriving->groups);
  std::ranges::move(changes, std::back_inserter(actions.changes));
  peer.version = message.version;
  peer.arriving.reset();
  peer.asked = false;
  return actions;
}

GroupActions GroupScope::received(const GroupUpdate& message) {
  GroupActions actions;
  if (message.from.node == options_.self.node) return actions;
  Peer* const peer = find(message.from);
  if (peer == nullptr) {
    meet(message.from, actions);
    discover(message.from, actions);
    return actions;
  }
  if (!peer->version || message.version <= *peer->version) return actions;
  if (message.version != *peer->version + 1) {
    if (!std::exchange(peer->asked, true)) discover(message.from, actions);
    return actions;
  }
  peer->version = message.version;
  GroupChange change{message.members.group, pids_of(message.from.node, message.members.serials),
                     message.joined};
  if (change.pids.empty()) return actions;
  if (change.joined) {
    table_.join(change.group, change.pids);
  } else {
    for (const Pid& pid : change.pids) table_.leave(change.group, pid);
  }
  actions.changes.push_back(std::move(change));
  return actions;
}

GroupActions GroupScope::received(const GroupBeat& message) {
  GroupActions actions;
  if (message.from.node == options_.self.node) return actions;
  const Peer& peer = meet(message.from, actions);
  if (!peer.version || *peer.version < message.version) discover(message.from, actions);
  return actions;
}

GroupActions GroupScope::beat() {
  GroupActions actions;
  actions.ask.assign(asked_.begin(), asked_.end());
  std::vector<Pid> to;
  for (const auto& [node, peer] : peers_) to.push_back(peer.scope);
  if (!to.empty()) actions.send.push_back({std::move(to), GroupBeat{options_.self, version_}});
  return actions;
}

}  // namespace coterie::detail
