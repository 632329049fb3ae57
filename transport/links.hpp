#pragma once
// The links of one node, as the node's composition uses them: a Distribution that is told whom to
// connect with, and that can be left in order. ZeroMQ's is ZmqDistribution; a simulated network has
// one of its own. Made and destroyed by the composition root; every function may be called from any
// thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "process/ports/distribution.hpp"
#include "process/ports/notes.hpp"
#include "transport/admission.hpp"
#include "transport/session.hpp"

namespace coterie {

struct TransportOptions {
  std::string cluster_id;
  std::string config_digest;  // of the keys that must be the same everywhere
  std::uint64_t history = 0;
  std::string node;
  Incarnation incarnation;
  std::string guardian_key;    // notice.hpp; empty: no guardian
  std::string listen;          // host:port of the data lane; port 0: any
  std::string control_listen;  // host:port of the control lane; empty: the same host, any port
  Duration beat_interval = std::chrono::milliseconds(200);
  LinkOptions link;
  std::shared_ptr<Admission> admission;  // null: nothing is encrypted, everybody is trusted
  /// A peer has installed that view: read it now. Called by who has the turn; must not block.
  std::function<void(std::uint64_t view)> view_hint;
  /// A note of the agreement of that node, which is let in, of this cluster, configuration and
  /// history, but perhaps in no view, and perhaps of an incarnation that is dead. Called on a
  /// thread of the links'; must not block.
  std::function<void(const std::string& node, BytesView note)> note;
  /// A peer knows that incarnations of this node up to `counter`, this one too, are dead. Must not
  /// block.
  std::function<void(std::uint64_t counter)> outlived;
};

struct ListenError {
  std::string message;  // what was tried, what happened, what to do
};

struct MemberAddress {
  std::string name;
  std::string address;          // host:port of its data lane
  std::string control_address;  // empty: the port that its hello names, on the host of `address`
  std::vector<std::string> public_keys{};  // any of which it may have, tried in turn
  friend bool operator==(const MemberAddress&, const MemberAddress&) = default;
};

/// A snapshot for `status`, at most 100 ms old.
struct PeerState {
  std::string name, address;
  Incarnation incarnation;  // the newest seen
  bool up = false;          // there is a session
  bool control_up = false;
  bool flapping = false;
  std::string state;  // connected, dialling, refused, does not resolve, ...: with the reason
  std::size_t held_messages = 0, held_bytes = 0;
  LinkCounters counters;
};

class Links : public Distribution, public Notes {
 public:
  /// All nodes to be connected with; this node itself is left out. Sessions with others end. No
  /// event comes before the first call: until then nobody is let in.
  virtual void set_members(std::vector<MemberAddress> members) = 0;
  /// The newest view installed here; told to all peers at once.
  virtual void set_view(std::uint64_t number) = 0;
  virtual std::vector<PeerState> peer_states() const = 0;
  /// The guardian key that this incarnation told in its hello, also after its end; else empty.
  virtual std::string guardian_key(std::string_view node_name,
                                   const Incarnation& incarnation) const = 0;
  /// Leaves in order: waits up to `drain` until peers have acknowledged what was sent, tells them,
  /// and ends. No events follow. Later sends answer no_node.
  virtual void stop(Duration drain) = 0;
  /// Where others reach this node, with the port that was given.
  virtual const std::string& address() const noexcept = 0;
};

}  // namespace coterie
