#pragma once
// Brings a child of cluster scope into being from any process of a node, wherever it will live.

#include <expected>
#include <string>

#include <coterie/application.hpp>
#include <coterie/call_error.hpp>

namespace coterie {

/// Done also if the child exists already. Parks at most `timeout`.
std::expected<void, CallError> start_cluster_child(const ClusterKind& kind, const std::string& key,
                                                   Duration timeout);

}  // namespace coterie
