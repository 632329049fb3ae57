#pragma once
// What `coterie status` makes of the nodes' answers: one picture of the cluster, what is wrong with
// it, and a table for people. The picture is packable, so its JSON is the command's --json. Pure.

#include <optional>
#include <string>
#include <vector>

#include "node/status.hpp"

namespace coterie {

/// One node of the cluster file, and what it said when it was asked.
struct NodeAnswer {
  std::string name;
  std::string address;  // where it was asked
  std::string error;    // why there is no status; empty: there is one
  std::optional<NodeStatus> status;
};

struct ClusterView {
  std::string cluster;
  bool healthy = false;               // every node is active, in one view that has them all
  std::vector<std::string> problems;  // one line each, also those that leave it healthy
  std::vector<NodeAnswer> nodes;      // in the file's order
};

ClusterView judge_cluster(std::string cluster, std::vector<NodeAnswer> nodes);

/// Aligned columns, a line each, ended by a line end. `now` dates the starts of the nodes, in UTC.
std::string status_table(const ClusterView& view, WallTime now);

}  // namespace coterie
