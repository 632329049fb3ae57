#pragma once
// Process groups: many processes, on any node, under one name. The counterpart of OTP's pg. Groups
// live in a scope; a node that wants to see a scope, or whose processes are to be seen in it,
// starts it, under a supervisor. Scopes of one name on connected nodes find each other.
//
//   children.push_back(pg::child_spec("chat"));              // on every node
//   pg::join("chat", "room-1", self());
//   for (const Pid& pid : pg::get_members("chat", "room-1")) send(pid, Said{"hello"});
//   call(via("chat", "room-1"), Topic{});                    // of one member, near if possible
//
// A process may join a group several times, and is its member until it has left as often; it leaves
// all groups when it ends, or when its node is not connected any more. Only processes of the
// calling process's node can be joined: each node speaks for its own.
//
// Nothing is agreed on: a join is seen on this node when it returns, and elsewhere a message later.
// Nodes that are cut off from each other see only their own side's members, and all again when the
// link is back; there is nothing to resolve. A look-up may find a process that has just ended. (For
// at most one process per name, use a name: <coterie/registry.hpp>, <coterie/global.hpp>.)
//
// Reading takes no process's turn: it copies from a table that all threads share. Changes are made
// by the scope's process, one after the other; it waits while a link to another node is full. The
// groups of a scope go with that process. A scope that this node has not started throws
// std::invalid_argument: that is a mistake in the program.

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <coterie/gen_server.hpp>

namespace coterie {
struct ChildSpec;  // <coterie/child_spec.hpp>
}

namespace coterie::pg {

/// The scope's process has the scope's name as its local name, and as the name of a via registry:
/// neither may be taken on this node.
std::expected<Pid, StartError> start_link(const std::string& scope);
std::expected<Pid, StartError> start(const std::string& scope);
/// A ChildSpec, for which <coterie/child_spec.hpp> is needed. Its id is the scope's name.
template <class Spec = ChildSpec>
Spec child_spec(std::string scope) {
  Spec spec;
  spec.id = scope;
  spec.start = [scope = std::move(scope)] { return start_link(scope); };
  return spec;
}

/// Processes of this node; others throw std::invalid_argument, and nobody joins. O(log n) each.
void join(const std::string& scope, const std::string& group, const Pid& pid);
void join(const std::string& scope, const std::string& group, std::vector<Pid> pids);
/// Takes one join of each back. False: none of them is a member.
bool leave(const std::string& scope, const std::string& group, const Pid& pid);
bool leave(const std::string& scope, const std::string& group, std::vector<Pid> pids);

/// Members on all connected nodes, sorted; one that has joined n times is there n times.
std::vector<Pid> get_members(const std::string& scope, const std::string& group);
std::vector<Pid> get_local_members(const std::string& scope, const std::string& group);
/// Groups that have members, sorted; an empty group does not exist.
std::vector<std::string> which_groups(const std::string& scope);
std::vector<std::string> which_local_groups(const std::string& scope);

/// To those who monitor the group, or its scope: these members have joined it, or left.
struct Joined {
  static constexpr std::string_view type_name = "coterie.pg.joined";
  Ref monitor = Ref::none;
  std::string group;
  std::vector<Pid> pids;
};
struct Left {
  static constexpr std::string_view type_name = "coterie.pg.left";
  Ref monitor = Ref::none;
  std::string group;
  std::vector<Pid> pids;
};

/// The members now, and from then on a Joined or Left to the calling process for each change.
/// Monitors stack. They end with the caller or the scope's process, whose end is not told.
std::pair<Ref, std::vector<Pid>> monitor(const std::string& scope, const std::string& group);
/// The same for all groups of the scope.
std::pair<Ref, std::map<std::string, std::vector<Pid>>> monitor_scope(const std::string& scope);
/// Nothing of that monitor arrives any more; what is in the mailbox is removed. False: there is no
/// such monitor of the calling process.
bool demonitor(const std::string& scope, Ref monitor);

}  // namespace coterie::pg
