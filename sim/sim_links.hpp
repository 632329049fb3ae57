#pragma once
// The network between whole simulated nodes, and the faults on it, by node name. What goes over it
// are the real sessions: each node's SimPort runs a Link of transport/session.hpp for each peer,
// and dials here. Data connections break, stall, refuse and crawl; frames of the control lane come
// each for itself, or not. Outlives the nodes; single-threaded.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/sim_executor.hpp"
#include "sim/sim_wire.hpp"
#include "transport/links.hpp"

namespace coterie::sim {

class SimPort;

class SimLinks {
 public:
  explicit SimLinks(SimWorld& world) : world_(world) {}
  SimLinks(const SimLinks&) = delete;
  SimLinks& operator=(const SimLinks&) = delete;

  /// What a run is told of its links, besides their events.
  struct Watch {
    /// The node has installed another view. From the world's own stack.
    std::function<void()> view_set{};
    /// A message leaves a process of the node.
    std::function<void(const Envelope&)> sent{};
    /// A line for the node's log.
    std::function<void(std::string_view)> log{};
  };
  std::unique_ptr<Links> open(TransportOptions options, SimExecutor& executor,
                              DistributionEvents& events, Watch watch);

  // ---- faults, by the names of nodes
  /// Nothing gets through in that direction.
  void cut(const std::string& from, const std::string& to, bool cut);
  void heal();
  bool is_cut(const std::string& from, const std::string& to) const {
    return !cuts_.empty() && cuts_.contains({from, to});
  }
  /// On top of what the network takes; both ways. Zero ends it.
  void slow(const std::string& a, const std::string& b, Duration latency, Duration jitter);
  /// So many bytes a second at most, both ways. Zero ends it.
  void throttle(const std::string& a, const std::string& b, double rate);
  /// A connection carries nothing any more from its first frame above that size on; both ways.
  /// Zero ends it.
  void swallow_above(const std::string& a, const std::string& b, std::size_t bytes);
  /// The connections between the two break.
  void reset(const std::string& a, const std::string& b);
  /// They carry nothing any more, and nobody is told; new ones do.
  void wedge(const std::string& a, const std::string& b);
  /// What arrives of them next is no frame: their session is lost.
  void lose(const std::string& a, const std::string& b);
  /// Nobody gets an answer to a connection request, or a refusal from where somebody listens.
  void refuse_dials(const std::string& node, bool refuse);
  /// What becomes of the agreement's notes.
  struct Notes {
    double lost = 0.01;
    double doubled = 0.01;
    double late = 0;  // a copy comes up to `late_max` later, after newer ones
    Duration late_max{};
  };
  Notes notes;
  /// A mutant: how often a message that has arrived is told to its node. Absent: once.
  std::function<unsigned()> frame_copies{};
  /// Mutants: a window of so few messages instead of the configured one, and none at all.
  std::optional<std::size_t> window_messages{};
  bool window_off = false;
  /// A fault that is over is still felt: a connection that carries nothing and is not given up
  /// yet, frames or notes that have long to go.
  bool troubled() const;
  /// What some session holds beyond its bounds; empty: nothing.
  std::string beyond_bounds() const;
  /// The node is gone, from this moment on, for itself as well. `lingers`: what it has sent
  /// arrives.
  void kill(NodeId node, bool lingers = false);
  /// A one-way message between two hosts, outside of any session: of a client, of a guardian.
  Duration delay_between(const std::string& from, const std::string& to);

  std::uint64_t sessions_lost() const noexcept { return sessions_lost_; }
  std::uint64_t frames() const noexcept { return frames_; }

  // ---- for SimPort
  std::shared_ptr<SimWire> dial(const SimPort& from, const std::string& to);
  /// By who dialled it.
  void hang_up(SimWire& wire);
  void carry(const std::shared_ptr<SimWire>& wire, Bytes frame);
  void carry_control(const SimPort& from, const std::string& to, wire::Hello bound, Bytes frame);
  void carry_note(const SimPort& from, const std::string& to, Bytes note);
  void add(SimPort& port);
  void remove(const SimPort& port);
  void session_lost() noexcept { ++sessions_lost_; }
  SimWorld& world() noexcept { return world_; }

 private:
  using Direction = std::pair<std::string, std::string>;

  SimPort* find(NodeId id) const;
  SimPort* find(const std::string& node) const;
  bool draw(double probability);
  Duration upto(Duration most);
  Duration way(const std::string& from, const std::string& to);
  void ask(const std::shared_ptr<SimWire>& wire);
  void arrive(const std::shared_ptr<SimWire>& wire);
  void arrive_at(const std::shared_ptr<SimWire>& wire, Time at);
  void last_breath(SimWire& wire);
  void snap(const std::shared_ptr<SimWire>& wire);
  void deliver_note(NodeId to, const std::string& from, Bytes note);
  std::vector<std::shared_ptr<SimWire>> between(const std::string& a, const std::string& b);

  SimWorld& world_;
  std::map<NodeId, SimPort*> ports_;
  std::unordered_map<std::string, SimPort*> living_;  // by node name
  std::map<Direction, std::vector<std::weak_ptr<SimWire>>> wires_;
  std::set<Direction> cuts_;
  std::map<Direction, std::pair<Duration, Duration>> slow_;
  std::map<Direction, double> rates_;           // bytes a second
  std::map<Direction, std::size_t> swallowed_;  // above that size
  std::set<std::string> refusing_;
  Time last_note_{};  // the latest that is on its way or has come
  std::uint64_t sessions_lost_ = 0;
  std::uint64_t frames_ = 0;
};

}  // namespace coterie::sim
