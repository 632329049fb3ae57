#pragma once
// The port through which processes on this node reach those on others. transport/ implements it,
// a simulated network does so too. A session joins exactly two incarnations; what is sent on it
// arrives in order, once, or the session is declared lost to both sides, once.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "process/envelope.hpp"
#include "process/ports/executor.hpp"

namespace coterie {

enum class SendResult : std::uint8_t {
  sent,     // accepted into the session's window
  busy,     // the window is full: park and try again, or refuse
  no_node,  // no session with that incarnation: nothing was sent
};

struct Peer {
  std::string name;
  Incarnation incarnation;
  bool hidden = false;        // a client or the command line
  std::uint64_t session = 0;  // which of the sessions here, ever; 0: there is only one
};

/// What the distribution tells the node. Called from the distribution's own thread, or one that
/// lends itself with turn() (or the simulator), one call at a time for one session, in this order:
/// node_up, any number of deliver, node_down. Of two incarnations of one name the older one's
/// node_down comes before the newer one's node_up. Must not block.
class DistributionEvents {
 public:
  virtual ~DistributionEvents() = default;
  virtual void node_up(const Peer& peer) = 0;
  virtual void deliver(NodeId from, Envelope&& envelope) = 0;
  /// The session is lost; `confirmed`: the incarnation is known to be dead or removed.
  virtual void node_down(const Peer& peer, std::string_view why, bool confirmed) = 0;
  /// A window that refused with `busy` has room again.
  virtual void writable(NodeId node) = 0;
};

/// Every function may be called from any thread and never blocks.
class Distribution {
 public:
  virtual ~Distribution() = default;
  virtual SendResult send(NodeId to, Envelope&& envelope) = 0;  // `envelope` is kept on `busy`
  /// The connected incarnation of a node name, or NodeId::none.
  virtual NodeId connected(std::string_view node_name) const = 0;
  virtual std::vector<Peer> peers() const = 0;
  /// That incarnation is proven dead (view, guardian): its session is lost at once, confirmed, and
  /// refused from now on.
  virtual void confirm_dead(const Incarnation& incarnation) = 0;

  // A worker whose processes have nothing to do lends its thread, so that a message is sent by the
  // thread that made it, and received by the one that runs its receiver.
  /// Sends what waits and delivers what has arrived, unless another thread is about it. True: that
  /// was something, and there may be more.
  virtual bool turn() { return false; }
  /// Where to sleep until there is something to turn for; null: nowhere.
  virtual Lookout* lookout() noexcept { return nullptr; }
};

}  // namespace coterie
