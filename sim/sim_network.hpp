#pragma once
// A network of simulated nodes: a Distribution for each, sessions between pairs, seeded delays. It
// keeps the port's promise (in order, once, until the session is lost to each side, once) and is as
// unkind as the promise allows: both sides learn of a loss at moments of their own, frames are
// dropped meanwhile, windows are small, an accepted frame may never arrive, a direction may stall.
// Owned by the test; single-threaded, like its world. Cut a node's ports with kill() before its
// Runtime is stopped.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "process/ports/distribution.hpp"
#include "sim/sim_executor.hpp"
#include "sim/sim_world.hpp"

namespace coterie::sim {

struct SimNetworkOptions {
  Duration delay_min = std::chrono::microseconds(50);
  Duration delay_max = std::chrono::milliseconds(5);
  Duration detection_max = std::chrono::milliseconds(50);         // of a lost session, on each side
  std::size_t window = 8192;                                      // frames under way, each way
  std::function<Duration(NodeId from, NodeId to)> extra_delay{};  // on top, of each frame
  /// A mutant of the port's promise: how often a frame arrives. Once, when absent.
  std::function<unsigned()> copies{};
};

class SimNetwork {
 public:
  SimNetwork(SimWorld& world, SimNetworkOptions options);
  ~SimNetwork();

  /// A node joins; it has no session yet. `events` and `executor` outlive its kill().
  Distribution& join(Peer self, SimExecutor& executor);
  void listen(NodeId node, DistributionEvents& events);
  /// Begins a session. False while an older one of the pair, or with an older incarnation of the
  /// same name, is not over, or when one node is dead or refused.
  bool connect(NodeId a, NodeId b);
  void connect_all();
  /// The session is lost; each side is told later.
  void cut(NodeId a, NodeId b, bool confirmed = false);
  /// The node is gone, from this moment on, for itself as well. `confirmed`: a guardian says so.
  void kill(NodeId node, bool confirmed);
  /// Frames of that direction wait until it is over, or the session is.
  void stall(NodeId from, NodeId to, bool stalled);
  /// Nothing that this node has sent on a living session is still under way.
  bool all_arrived(NodeId from) const;
  bool connected(NodeId a, NodeId b) const;
  /// It is dead for both: another session may begin.
  bool over(NodeId a, NodeId b) const;
  std::vector<NodeId> alive() const;

 private:
  class Port;
  struct Session;

  Duration delay();
  void post(Port& port, Time at, SimWorld::Job job);
  void carry(const std::shared_ptr<Session>& session, int side, Envelope&& envelope);
  void post_up(const std::shared_ptr<Session>& session, int side);
  void post_down(const std::shared_ptr<Session>& session, int side, bool confirmed);
  void lose(const std::shared_ptr<Session>& session, bool confirmed);
  Port* port(NodeId node) const;
  /// It has not been told that its session with that name, any incarnation of it, is over.
  bool hears(const Port& here, const Port& there) const;
  static std::pair<NodeId, NodeId> pair_of(NodeId a, NodeId b) { return std::minmax({a, b}); }

  SimWorld& world_;
  const SimNetworkOptions options_;
  std::map<NodeId, std::unique_ptr<Port>> ports_;
  std::map<std::pair<NodeId, NodeId>, std::shared_ptr<Session>> sessions_;
};

}  // namespace coterie::sim
