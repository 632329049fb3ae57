#pragma once
// The links of whole simulated nodes: who is connected with whom, by node name, while faults cut,
// slow and reset what lies between them. It dials as long as two nodes that want each other have no
// session, and declares a session lost when one direction of it has carried nothing for
// `link_down_after`. SimNetwork carries the frames. Outlives the nodes; single-threaded.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "sim/sim_network.hpp"
#include "transport/links.hpp"

namespace coterie::sim {

class SimLinks {
 public:
  explicit SimLinks(SimWorld& world);
  SimLinks(const SimLinks&) = delete;
  SimLinks& operator=(const SimLinks&) = delete;
  ~SimLinks();

  /// `view_set`: the node has installed another view.
  std::unique_ptr<Links> open(TransportOptions options, SimExecutor& executor,
                              DistributionEvents& events, std::function<void()> view_set = {});

  // ---- faults, by the names of nodes
  /// Nothing gets through in that direction: frames wait, then the session is lost.
  void cut(const std::string& from, const std::string& to, bool cut);
  void heal();
  bool is_cut(const std::string& from, const std::string& to) const {
    return cuts_.contains({from, to});
  }
  /// On top of what the network takes; both ways. Zero ends it.
  void slow(const std::string& a, const std::string& b, Duration latency, Duration jitter);
  /// The connection breaks: what is under way waits for the next one, which one time in four comes
  /// too late for the session.
  void reset(const std::string& a, const std::string& b);
  /// Their session is lost, at once.
  void lose(const std::string& a, const std::string& b);
  /// What becomes of the agreement's notes.
  struct Notes {
    double lost = 0.01;
    double doubled = 0.01;
    double late = 0;  // a copy comes up to `late_max` later, after newer ones
    Duration late_max{};
  };
  Notes notes;
  /// A mutant: how often a frame arrives. Absent: once.
  std::function<unsigned()> frame_copies{};
  /// The node is gone, from this moment on, for itself as well.
  void kill(NodeId node);
  /// A one-way message between two hosts, outside of any session: of a client, of a guardian.
  Duration delay_between(const std::string& from, const std::string& to);

  std::uint64_t sessions_lost() const noexcept { return sessions_lost_; }

 private:
  class Port;
  using Direction = std::pair<std::string, std::string>;

  void carry_note(const Port& from, const std::string& to, Bytes note);
  void deliver_note(const Port& to, const std::string& from, Bytes note);
  void tell_outlived(const Port& survivor, Port& dead);
  void look();
  void look_at(Port& a, Port& b);
  Duration extra(NodeId from, NodeId to);
  const std::string& name_of(NodeId node) const;

  SimWorld& world_;
  SimNetwork network_;
  std::map<NodeId, Port*> ports_;
  std::map<NodeId, std::string> names_;  // of all that ever were
  std::set<Direction> cuts_;
  std::map<Direction, std::pair<Duration, Duration>> slow_;
  std::map<std::pair<NodeId, NodeId>, Time> quiet_since_;  // a direction carries nothing
  std::uint64_t sessions_lost_ = 0;
};

}  // namespace coterie::sim
