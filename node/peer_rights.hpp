#pragma once
// What processes of another node may ask of this one, beside what every member may: to look into
// its servers (sys), to call its registered functions (erpc), to start servers here. The cluster
// file says so by the names of nodes, and the key of a connection proves the name. Owned by the
// node; thread-safe. Ergo's node has such switches (EnableSpawn).

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/config.hpp"
#include "process/envelope.hpp"
#include "process/ports/distribution.hpp"

namespace coterie {

enum class PeerRight : std::uint8_t { sys, erpc, spawn };

class PeerRights {
 public:
  /// `own` is this node's id: its own processes may everything.
  PeerRights(const ClusterConfig& config, NodeId own);

  void node_up(const Peer& peer);
  void node_down(const Peer& peer);

  bool may(PeerRight right, NodeId node) const;
  /// What another node sends, before a process sees it: why it is refused, if it is.
  std::optional<CallError> refusal(NodeId from, const Envelope& envelope) const;
  /// Whether this is the first refusal since that node has come: then it is logged.
  bool first_refusal(NodeId from);

 private:
  std::string name_of(NodeId node) const;

  const std::map<PeerRight, std::vector<std::string>> allowed_;  // names of nodes, or every_node
  const bool keys_;
  const NodeId own_;
  mutable std::mutex mutex_;
  std::map<NodeId, std::string> names_;  // of those that are connected
  std::set<NodeId> told_;                // of those, who has been refused something
};

}  // namespace coterie
