#include "node/cluster_node.hpp"

#include <utility>

#include "node/node_parts.hpp"

namespace coterie {

ClusterNode::ClusterNode(const ClusterConfig& config, const NodeSection& own,
                         std::vector<Application> applications, NodeSurroundings surroundings)
    : parts_(std::make_unique<NodeParts>(config, own, std::move(applications),
                                         std::move(surroundings))) {}

ClusterNode::~ClusterNode() = default;

std::expected<void, NodeEnd> ClusterNode::start() { return parts_->start(); }

void ClusterNode::request_stop() { parts_->request_stop(); }

NodeEnd ClusterNode::wait() { return parts_->wait(); }

}  // namespace coterie
