#pragma once
// The other nodes of a cluster, as processes see them come and go. The counterpart of Elixir's
// Node.list and of net_kernel:monitor_nodes.
//
//   monitor_nodes(true);
//   for (const std::string& node : nodes()) ...        // those that are connected already
//   receive([](const NodeUp& up) { ... }, [](const NodeDown& down) { ... });
//
// A server lists NodeUp and NodeDown in its Infos. The order is promised, and stronger than that of
// Erlang's monitor_node: of one node a process hears NodeUp before any message of that incarnation;
// when the session is lost, first every Exit and Down of its processes, then NodeDown, and after it
// nothing of that incarnation before its next NodeUp. A node that was started again is another
// incarnation of the same name: NodeDown of the old one comes before NodeUp of the new one.
//
// Functions act for the calling process. Clients and the command line are no nodes.

#include <string>
#include <string_view>
#include <vector>

#include <coterie/pid.hpp>

namespace coterie {

struct NodeUp {
  static constexpr std::string_view type_name = "coterie.node_up";
  std::string node;
  Incarnation incarnation;
};

/// The session with that incarnation is over: its processes cannot be reached, and may run on.
struct NodeDown {
  static constexpr std::string_view type_name = "coterie.node_down";
  std::string node;
  Incarnation incarnation;
  bool confirmed = false;  // an agreed view or the node's guardian says that it is dead
  std::string reason;      // for people: "nothing was heard for 5s", "the node has left", ...
};

/// Names of the nodes that are connected now, sorted; this one is not among them.
std::vector<std::string> nodes();

/// Whether the calling process gets NodeUp and NodeDown, as messages; they get into a full mailbox
/// too. Of nodes that are connected already nothing is said: subscribe, then ask nodes(). Asked
/// twice is asked once.
void monitor_nodes(bool on);

}  // namespace coterie
