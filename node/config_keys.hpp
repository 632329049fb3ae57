#pragma once
// The table of all keys of the cluster file: name, meaning of its value, how it is set. Pure.
// parse_config() reads by it, overrides are set by it, the digest is made from it, and a test
// compares it with docs/configuration.md.

#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "node/config.hpp"

namespace coterie {

/// A failed set() says what was expected, what was found and what to do.
using SetResult = std::expected<void, std::string>;

struct ConfigKey {
  std::string path;         // "lease.length"
  bool everywhere = false;  // must be the same on all nodes: part of the digest
  std::function<SetResult(ClusterConfig&, const ConfigValue&)> set;
  std::function<std::string(const ClusterConfig&)> show;  // of `everywhere` keys
};
struct NodeKey {
  std::string name;  // "listen"
  std::function<SetResult(NodeSection&, const ConfigValue&)> set;
};
struct ClientKey {
  std::string name;  // "role"
  std::function<SetResult(ClientSection&, const ConfigValue&)> set;
};
struct DistributedKey {
  std::string name;  // "timeout"
  std::function<SetResult(DistributedSection&, const ConfigValue&)> set;
};

std::span<const ConfigKey> config_keys();
std::span<const NodeKey> node_keys();                // of a [[node]]
std::span<const ClientKey> client_keys();            // of a [[client]]
std::span<const DistributedKey> distributed_keys();  // of a [[distributed]]

}  // namespace coterie
