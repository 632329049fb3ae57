#include "node/security.hpp"

#include <algorithm>

#include "node/key_file.hpp"

namespace coterie {

AllowList allow_list(const ClusterConfig& config) {
  AllowList list;
  for (const NodeSection& node : config.nodes) {
    for (const std::string& key : node.public_keys) list[key] = {KeyRole::member, node.name};
  }
  for (const ClientSection& client : config.clients) {
    const KeyRole role = client.is_operator ? KeyRole::operator_ : KeyRole::client;
    for (const std::string& key : client.public_keys) list[key] = {role, client.name};
  }
  return list;
}

std::vector<MemberAddress> member_addresses(const ClusterConfig& config, const ClusterConfig& keys,
                                            std::string_view own) {
  std::vector<MemberAddress> members;
  for (const NodeSection& node : config.nodes) {
    if (node.name == own) continue;
    const NodeSection* later = keys.find(node.name);
    members.push_back({node.name, node.advertise, node.control_advertise,
                       later != nullptr ? later->public_keys : std::vector<std::string>{}});
  }
  return members;
}

std::expected<std::shared_ptr<Admission>, std::string> open_admission(const ClusterConfig& config,
                                                                      const NodeSection& own) {
  if (!config.has_keys()) return nullptr;
  if (!curve_available()) {
    return std::unexpected(
        "the cluster file has keys, and this libzmq is built without CURVE: install one with it "
        "(Debian's libzmq5 has), or remove the keys");
  }
  auto keys = read_key_file(own.key_file);
  if (!keys) return std::unexpected(to_string(ConfigError{own.place, keys.error()}));
  if (std::ranges::find(own.public_keys, keys->public_key) == own.public_keys.end()) {
    return std::unexpected(to_string(ConfigError{
        own.place, "expected the public key of " + own.key_file + " among public_keys of node \"" +
                       own.name + "\", found others; add \"" + keys->public_key + '"'}));
  }
  return std::make_shared<Admission>(std::move(*keys), allow_list(config));
}

std::map<std::string, std::vector<std::string>> listener_keys(const ClusterConfig& config) {
  std::map<std::string, std::vector<std::string>> keys;
  for (const NodeSection& node : config.nodes) {
    if (!node.public_keys.empty()) keys[node.client_advertise] = node.public_keys;
  }
  return keys;
}

std::expected<ClientKeys, std::string> client_keys(const ClusterConfig& config) {
  if (!config.has_keys()) return ClientKeys{};
  if (config.security.client_key_file.empty()) {
    return std::unexpected(to_string(ConfigError{
        {config.file, 0, 0},
        "its nodes have keys, and so must who calls them: write client_key_file = \"FILE\" under "
        "[security], or give --set security.client_key_file=FILE"}));
  }
  auto own = read_key_file(config.security.client_key_file);
  if (!own) return std::unexpected(own.error());
  return ClientKeys{std::move(*own), listener_keys(config)};
}

}  // namespace coterie
