#include "node/peer_rights.hpp"

#include <algorithm>

#include "process/sys_messages.hpp"

namespace coterie {
namespace {

struct Guarded {
  std::string_view types;  // what their names begin with
  PeerRight right;
  std::string_view what, key;  // for people
};

constexpr Guarded guarded_types[] = {
    {detail::system_requests, PeerRight::sys, "requests of sys", "security.sys_from"},
    {"coterie.erpc.", PeerRight::erpc, "calls of functions", "security.erpc_from"},
    {"coterie.spawn.", PeerRight::spawn, "starts of servers", "security.spawn_from"},
};

const Guarded* guarded_by(std::string_view type) {
  if (!type.starts_with("coterie.")) return nullptr;
  const auto* const found = std::ranges::find_if(
      guarded_types, [&](const Guarded& one) { return type.starts_with(one.types); });
  return found == std::end(guarded_types) ? nullptr : found;
}

}  // namespace

PeerRights::PeerRights(const ClusterConfig& config, NodeId own)
    : allowed_{{PeerRight::sys, config.security.sys_from},
               {PeerRight::erpc, config.security.erpc_from},
               {PeerRight::spawn, config.security.spawn_from}},
      keys_(config.has_keys()),
      own_(own) {}

void PeerRights::node_up(const Peer& peer) {
  std::lock_guard guard(mutex_);
  names_[peer.incarnation.id] = peer.name;
}

void PeerRights::node_down(const Peer& peer) {
  std::lock_guard guard(mutex_);
  names_.erase(peer.incarnation.id);
  told_.erase(peer.incarnation.id);
}

std::string PeerRights::name_of(NodeId node) const {
  std::lock_guard guard(mutex_);
  const auto found = names_.find(node);
  return found == names_.end() ? std::string() : found->second;
}

bool PeerRights::may(PeerRight right, NodeId node) const {
  if (node == own_) return true;
  // Without keys a name proves nothing, and members are trusted with what they could do anyway.
  if (right == PeerRight::sys && !keys_) return true;
  const std::string name = name_of(node);
  return std::ranges::any_of(allowed_.at(right), [&](const std::string& one) {
    return one == every_node || (!name.empty() && one == name);
  });
}

std::optional<CallError> PeerRights::refusal(NodeId from, const Envelope& envelope) const {
  const Guarded* const guarded = guarded_by(envelope.type);
  if (guarded == nullptr || may(guarded->right, from)) return std::nullopt;
  // What the runtime sends of itself: traces, results.
  if (guarded->right == PeerRight::sys && envelope.signal != Signal::call) return std::nullopt;
  const std::string name = name_of(from);
  return CallError(
      CallError::Code::refused, CallError::Execution::not_executed, ExitReason::term("not_allowed"),
      std::string(guarded->what) + " from node " + name + " are refused: add \"" + name + "\" to " +
          std::string(guarded->key) + " of the cluster file and restart this node");
}

bool PeerRights::first_refusal(NodeId from) {
  std::lock_guard guard(mutex_);
  return told_.insert(from).second;
}

}  // namespace coterie
