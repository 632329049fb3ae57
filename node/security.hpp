#pragma once
// What a cluster file says of keys, as the links and clients want it (docs/security.md).

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "node/config.hpp"
#include "transport/admission.hpp"
#include "transport/links.hpp"

namespace coterie {

/// Everybody whom the file names, by public key.
AllowList allow_list(const ClusterConfig& config);

/// The other nodes, as the links dial them: addresses of `config`, keys of `keys`, which is the
/// same file read again.
std::vector<MemberAddress> member_addresses(const ClusterConfig& config, const ClusterConfig& keys,
                                            std::string_view own);

/// Reads this node's private key, which must be one of its public ones. Null: the file has no keys.
std::expected<std::shared_ptr<Admission>, std::string> open_admission(const ClusterConfig& config,
                                                                      const NodeSection& own);

/// What clients of the cluster show and expect: the key of security.client_key_file. Empty: the
/// file has no keys.
std::expected<ClientKeys, std::string> client_keys(const ClusterConfig& config);

/// The public keys that each client listener may have.
std::map<std::string, std::vector<std::string>> listener_keys(const ClusterConfig& config);

}  // namespace coterie
