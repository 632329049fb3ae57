#pragma once
// The links of one run of a simulated node: what ZmqDistribution does with its sockets is done here
// with SimLinks, on a strand of the node, so that a node that is stopped hears, sends and ticks
// nothing meanwhile. Sessions, windows and outboxes are the real ones (transport/session.hpp,
// transport/zmq_outbox.hpp). Made by SimLinks; single-threaded.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "process/seeded_random.hpp"
#include "sim/sim_links.hpp"
#include "transport/zmq_outbox.hpp"

namespace coterie::sim {

class SimPort final : public Links {
 public:
  SimPort(SimLinks& links, TransportOptions options, SimExecutor& executor,
          DistributionEvents& events, SimLinks::Watch watch);
  ~SimPort() override;

  // Links
  SendResult send(NodeId to, Envelope&& envelope) override;
  NodeId connected(std::string_view node_name) const override;
  std::vector<Peer> peers() const override;
  void confirm_dead(const Incarnation& incarnation) override;
  void send_note(std::string_view node, Bytes note) override;
  void set_members(std::vector<MemberAddress> members) override;
  void set_view(std::uint64_t number) override;
  std::vector<PeerState> peer_states() const override;
  std::string guardian_key(std::string_view node_name,
                           const Incarnation& incarnation) const override;
  void stop(Duration drain) override;
  const std::string& address() const noexcept override { return address_; }

  // For SimLinks, from the world's own stack.
  NodeId id() const noexcept { return options_.incarnation.id; }
  const std::string& node() const noexcept { return options_.node; }
  bool alive() const noexcept { return alive_; }
  bool stopped() const noexcept { return executor_.frozen() || executor_.stalled(); }
  /// A node of this cluster, this configuration and this history.
  bool is_ours(const SimPort& other) const noexcept;
  void kill() noexcept { alive_ = false; }
  void dialled(std::shared_ptr<SimWire> wire);
  void dial_failed(std::shared_ptr<SimWire> wire, bool refused);
  void disconnected(std::shared_ptr<SimWire> wire);
  void arrived(std::shared_ptr<SimWire> wire, Bytes frame);
  void control_arrived(wire::Hello bound, Bytes frame);
  void note_arrived(const std::string& from, const Bytes& note) const;

  /// What its sessions hold beyond their bounds, for a person; empty: nothing.
  std::string beyond_bounds() const;

 private:
  struct Line {
    Line(Link l, MemberAddress m) : link(std::move(l)), member(std::move(m)) {}
    Link link;
    MemberAddress member;
    bool wanted = true;
    bool touched = false;        // waits for a turn
    Time tick_at = Time::max();  // as in ticks_
    std::shared_ptr<SimWire> wire;
    std::shared_ptr<ZmqOutbox> outbox;  // of the session
  };
  /// A session with that incarnation, and whose it is.
  struct Session {
    Line* line = nullptr;
    std::shared_ptr<ZmqOutbox> outbox;
  };

  template <class Job>
  void post(Job job);
  Line* line_of(const SimWire& wire);
  const Session* session_of(NodeId node) const;
  void refuse_too_big(const ZmqOutbox& outbox, const Envelope& envelope, std::size_t bytes);
  void want_turn(Line& line);
  void take_turn();
  void set_alarm(Time at);
  void work(Line& line);
  void follow_ticks(Line& line);
  Line* find_line(std::string_view name) const;
  void carry_out_all(Line& line);
  void carry_out(Line& line, link_action::Dial& action);
  void carry_out(Line& line, link_action::Hangup& action);
  void carry_out(Line& line, link_action::Send& action);
  void carry_out(Line& line, link_action::Up& action);
  void carry_out(Line& line, link_action::Deliver& action);
  void carry_out(Line& line, link_action::Lost& action);
  void carry_out(Line& line, link_action::Outlived& action);
  void carry_out(Line& line, link_action::Note& action);
  void control(Line& line, Bytes frame);
  void beat(Line& line);
  void apply_members(const std::vector<MemberAddress>& members);
  void hello(const std::shared_ptr<SimWire>& wire, const wire::Hello& hello);
  Time now() const noexcept { return executor_.now(); }

  SimLinks& links_;
  const TransportOptions options_;
  const LinkOptions link_options_;
  const LinkSelf self_;
  SimExecutor& executor_;
  DistributionEvents& events_;
  const SimLinks::Watch watch_;
  const std::string address_;
  SeededRandom random_;
  std::map<std::string, std::unique_ptr<Line>, std::less<>> lines_;
  std::unordered_map<std::string_view, Line*> by_name_;
  std::map<NodeId, Session> sessions_;
  std::vector<Line*> touched_;
  std::map<NodeId, std::string> guardian_keys_;
  std::set<NodeId> dead_;  // incarnations proven dead before they came
  std::vector<Outgoing> taken_;
  std::uint64_t view_ = 0;
  std::uint64_t hinted_view_ = 0;
  Time beats_at_{};
  std::set<std::pair<Time, Line*>> ticks_;  // the next one of each line
  Time alarm_at_ = Time::max();
  bool turn_wanted_ = false;
  bool alive_ = true;
  std::unique_ptr<Strand> strand_;
};

}  // namespace coterie::sim
