#pragma once
// Carries out what GroupScope decides, for the process that owns it: monitors, messages to the same
// process of other nodes, and what those send. The process has one local name on all nodes, lists
// GroupInfos in its Infos, starts it in its init, and says what is done with changes.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include <coterie/gen_server.hpp>
#include <coterie/nodes.hpp>

#include "registry/group_scope.hpp"

namespace coterie::detail {

/// Time to tell the others how far this node is.
struct GroupTick {};

class GroupDriver final {
 public:
  using Infos = GenServer::Messages<GroupDiscover, GroupSync, GroupUpdate, GroupBeat, GroupTick,
                                    NodeUp, NodeDown, Down>;
  using Changed = std::function<void(const GroupChange&)>;

  /// Made by the process itself. `changed` hears of each change once it is in the table.
  GroupDriver(std::string local_name, std::shared_ptr<GroupTable> table, Changed changed);
  void start();

  void join(const std::string& group, const std::vector<Pid>& pids);
  /// False: none of them was a member.
  bool leave(const std::string& group, const std::vector<Pid>& pids);

  void handle(const GroupDiscover& message) { carry_out(core_.received(message)); }
  void handle(const GroupSync& message) { carry_out(core_.received(message)); }
  void handle(const GroupUpdate& message) { carry_out(core_.received(message)); }
  void handle(const GroupBeat& message) { carry_out(core_.received(message)); }
  void handle(const GroupTick&) { carry_out(core_.beat()); }
  void handle(const NodeUp& up) { met(up.incarnation.id, up.node); }
  void handle(const NodeDown& down);
  void handle(const Down& down);

  std::size_t peers() const noexcept { return core_.peers(); }
  /// Processes of this node that are in a group.
  std::size_t local_members() const noexcept { return monitors_.size() - core_.peers(); }

 private:
  void met(NodeId node, const std::string& name);
  void carry_out(const GroupActions& actions);
  void ask(NodeId node);

  const std::string local_name_;
  const std::shared_ptr<GroupTable> table_;
  const Changed changed_;
  GroupScope core_;
  std::unordered_map<Pid, Ref> monitors_;  // of members here and of other nodes' processes
  std::map<NodeId, std::string> names_;    // of connected nodes
  std::map<Ref, NodeId> asking_;           // the process's name there is monitored
};

}  // namespace coterie::detail
