#pragma once
// The row of a child of cluster scope in the names store: key "spec/<supervisor>/<key>", value a
// packed SpecRow. It is written before start_child returns and changes only by compare-and-set of
// its version, so of two nodes that claim a child one wins. Fields are appended only.

#include <expected>
#include <string>
#include <vector>

#include <coterie/cluster_child.hpp>

namespace coterie::detail {

enum class SpecState : std::uint8_t {
  wanted,       // it shall run: on its owner, or wherever placement says
  failed,       // given up; `reason`
  quarantined,  // it was running when two nodes crashed; an operator releases it
};

struct SpecRow {
  ClusterChild child;
  SpecState state = SpecState::wanted;
  std::string owner;               // name of the node that runs it
  NodeId owner_id = NodeId::none;  // none: nobody, placement decides
  std::uint64_t view = 0;          // of the writer: a reader in an older view does not judge it
  std::uint64_t claim = 0;         // random, of the last write: known again when an answer is lost
  std::vector<std::string> tried;  // nodes that gave up on it since it last ran well
  std::vector<NodeId> suspect_in;  // crashes during which it ran a callback, since it ran well
  std::string reason;              // of the last failure
};

std::string spec_prefix(std::string_view supervisor);
std::string spec_key(std::string_view supervisor, std::string_view key);

Bytes pack_row(const SpecRow& row);
/// The error says what is wrong with the bytes.
std::expected<SpecRow, std::string> unpack_row(BytesView bytes);

}  // namespace coterie::detail
