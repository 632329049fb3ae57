// What the one node that starts must have beyond a correct file.

#include "node/address.hpp"
#include "node/config.hpp"

namespace coterie {
namespace {

ConfigError at_file(const ClusterConfig& config, std::string message) {
  return {{config.file, 0, 0}, std::move(message)};
}

}  // namespace

std::expected<void, ConfigError> check_own_node(const ClusterConfig& config, std::string_view name,
                                                HostResolver& resolver) {
  const NodeSection* node = config.find(name);
  if (node == nullptr) {
    std::string known;
    for (const NodeSection& other : config.nodes) {
      known += (known.empty() ? "" : ", ") + other.name;
    }
    return std::unexpected(at_file(config, "expected a node of this cluster (" + known +
                                               "), found \"" + std::string(name) + '"'));
  }
  if (config.has_keys() && node->key_file.empty()) {
    return std::unexpected(ConfigError{
        node->place, "expected key_file of node \"" + node->name +
                         "\", found none; make one with `coterie keygen FILE` and write "
                         "key_file = \"FILE\""});
  }
  if (config.cluster.journal == "memory" && config.nodes.size() > 1) {
    return std::unexpected(
        ConfigError{node->place, "expected a journal that " + std::to_string(config.nodes.size()) +
                                     " programs can share, found \"memory\"; write journal = "
                                     "\"sqlite:DIRECTORY\" under [cluster]"});
  }
  for (const std::string& text : {node->listen, node->advertise, node->client_listen,
                                  node->client_advertise, node->control_listen}) {
    const auto address = parse_address(text);
    if (!address || address->wildcard()) continue;
    if (const auto found = resolver.resolve(address->host); !found) {
      return std::unexpected(ConfigError{
          node->place, "expected an address of this host for node \"" + node->name +
                           "\", found \"" + text + "\", which does not resolve: " + found.error() +
                           "; write an IP address or correct the name"});
    }
  }
  return {};
}

}  // namespace coterie
