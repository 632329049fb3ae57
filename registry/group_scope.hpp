#pragma once
// The decisions of one node's process of a scope of process groups: what happens goes in, what is
// to be done comes out; no clock, no socket, no process. The GroupTable that it is given is its
// memory of who is where, and what everybody reads. One thread at a time.
//
// The idea is OTP's pg: each node is the authority for its own members and tells the others of each
// change; a node that comes is asked for all of its members, one that goes takes them with it. So
// whoever is connected agrees, and nothing is ever in conflict. Unlike pg it survives lost
// messages: changes are numbered, and now and then everybody tells its number.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include <coterie/pid.hpp>

#include "registry/group_messages.hpp"
#include "registry/group_table.hpp"

namespace coterie::detail {

/// To be carried out in the order of the members; `changes` are in the table already.
struct GroupActions {
  struct Sent {
    std::vector<Pid> to;
    std::variant<GroupDiscover, GroupSync, GroupUpdate, GroupBeat> message;
  };
  std::vector<Pid> monitor;    // tell the end of members of this node, and of other scopes'
  std::vector<Pid> demonitor;  // processes: member_down, peer_down
  std::vector<NodeId> ask;     // send own GroupDiscover to the scope's process there, by name, and
                               // tell if there is none: no_scope
  std::vector<Sent> send;
  std::vector<GroupChange> changes;
};

struct GroupScopeOptions {
  Pid self{};                          // the scope's process on this node
  std::size_t piece_bytes = 64 << 10;  // of members in one message, about
};

class GroupScope final {
 public:
  GroupScope(GroupScopeOptions options, GroupTable& table) : options_(options), table_(table) {}

  /// Of processes of this node; a process may be named, and join, more than once.
  GroupActions join(std::string_view group, const std::vector<Pid>& pids);
  /// One join of each is taken back. No changes: none of them was a member.
  GroupActions leave(std::string_view group, const std::vector<Pid>& pids);
  GroupActions member_down(const Pid& pid);

  GroupActions node_up(NodeId node);
  GroupActions node_down(NodeId node);
  /// That node has no such scope; when it gets one, it asks by itself.
  void no_scope(NodeId node) { asked_.erase(node); }
  GroupActions peer_down(const Pid& peer);

  GroupActions received(const GroupDiscover& message);
  GroupActions received(const GroupSync& message);
  GroupActions received(const GroupUpdate& message);
  GroupActions received(const GroupBeat& message);
  /// Now and then: what was lost is noticed.
  GroupActions beat();

  std::size_t peers() const noexcept { return peers_.size(); }

 private:
  struct Arriving {  // a sync whose pieces come
    std::uint64_t version = 0;
    std::uint32_t next = 0;
    GroupTable::Groups groups;
  };
  struct Peer {
    Pid scope;
    std::optional<std::uint64_t> version;  // of its members that are in the table
    std::optional<Arriving> arriving;
    bool asked = false;  // for a sync, after a gap
  };

  Peer* find(const Pid& from);
  Peer& meet(const Pid& from, GroupActions& actions);
  void forget(const Pid& peer, GroupActions& actions);
  void discover(const Pid& peer, GroupActions& actions) const;
  void sync(const Pid& peer, GroupActions& actions) const;
  void publish(std::string_view group, const std::vector<Pid>& pids, bool joined,
               GroupActions& actions);
  std::size_t pids_per_piece() const;

  const GroupScopeOptions options_;
  GroupTable& table_;
  std::uint64_t version_ = 0;  // changes of this node's members so far
  std::unordered_map<Pid, std::set<std::string_view>> local_;  // names are in the table
  std::map<NodeId, Peer> peers_;
  std::set<NodeId> asked_;  // by name, and have not answered
};

}  // namespace coterie::detail
