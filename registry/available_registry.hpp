#pragma once
// Registries of mode `available`: names that every side of a cluster goes on giving while it is cut
// in two. Each node announces the names of its own processes to all others, with an epoch each; who
// is cut off is forgotten, and its names are free. When both sides meet again and a name has two
// claims, every node orders them alike, and the node of each but the first ends its process.
//
// Announcing is what process groups do already (group_scope.hpp): a claim is a group with one
// member, whose name is the key and the epoch.

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/registry.hpp>
#include <coterie/via_registry.hpp>

#include "registry/group_table.hpp"

namespace coterie::detail {

std::expected<Pid, StartError> start_available(RegistryOptions options, bool link);
/// The local name of a registry's process.
inline std::string registry_process(const std::string& name) { return "registry." + name; }
inline ExitReason duplicate_in_cluster() {
  return ExitReason::term("duplicate_keys_of_cluster_scope_are_process_groups");
}

/// The group that stands for a claim, and back; epoch 0: it is none.
std::string claim_group(std::string_view key, std::uint64_t epoch);
NameClaim claim_of(std::string_view group, const Pid& pid);

/// The claims of a key, the one that survives first.
class NameClaims {
 public:
  using Order = std::function<bool(const NameClaim&, const NameClaim&)>;
  /// No order: the older one survives. Of equals the one with the lower pid does.
  NameClaims(std::shared_ptr<GroupTable> table, Order order)
      : table_(std::move(table)), order_(std::move(order)) {}

  /// But for those that `ended` is true of.
  std::vector<NameClaim> of(std::string_view key,
                            const std::function<bool(const Pid&)>& ended) const;

 private:
  bool before(const NameClaim& one, const NameClaim& other) const;

  const std::shared_ptr<GroupTable> table_;
  const Order order_;
};

}  // namespace coterie::detail
