#pragma once
// The real Distribution: Links over ZeroMQ. All Links and data sockets belong to whoever has the
// *turn*: a lock that nobody waits for, because its holder looks again for what came meanwhile.
// Idle workers take turns (process/ports/distribution.hpp), so a message needs no thread besides
// those that make it, carry it and handle it. A thread of the data lane's own sees to it that turns
// are taken when no worker comes by, and takes them itself until one does. Whoever has the turn
// calls DistributionEvents. Beats and acks have a thread, a context and a listener of their own
// (zmq_control.hpp). Senders push into an outbox. Idea: tokio's workers park on its I/O driver.
// Made and destroyed by the composition root; destroying it without stop() is a crash to the peers.
// After stop() nothing of it is used by other threads' turns; destroy it after those threads.

#include <atomic>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <coterie/log.hpp>

#include "process/ports/random.hpp"
#include "transport/links.hpp"
#include "transport/zmq_control.hpp"
#include "transport/zmq_lookout.hpp"
#include "transport/zmq_outboxes.hpp"
#include "transport/zmq_probe.hpp"
#include "transport/zmq_resolver.hpp"
#include "transport/zmq_zap.hpp"

namespace coterie {

/// What listeners share: an address with its host as a number, and the text for a failed bind.
std::expected<HostPort, ListenError> numeric_listen_address(const std::string& text);
ListenError listen_error(std::string_view what, const std::string& address,
                         const zmq::error_t& error);

struct TransportCounters {
  std::uint64_t frames_in = 0;
  std::uint64_t before_hello = 0;   // frames on connections whose hello was not let in
  std::uint64_t malformed = 0;      // frames that are none
  std::uint64_t unknown_nodes = 0;  // hellos of names that are in no cluster file here
  std::uint64_t own_name = 0;       // hellos of another program with this node's name
  std::uint64_t other_keys = 0;     // hellos and frames of a key that is not that node's
  std::uint64_t said_again = 0;     // hellos that another connection has said, or a newer one
};

class ZmqDistribution final : public Links, private Lookout {
 public:
  /// Binds both listeners and starts the threads. No event comes before set_members(): until then
  /// nobody is let in.
  static std::expected<std::unique_ptr<ZmqDistribution>, ListenError> start(
      TransportOptions options, const Clock& clock, Random& random, Log& log,
      DistributionEvents& events);
  ~ZmqDistribution() override;

  SendResult send(NodeId to, Envelope&& envelope) override;
  NodeId connected(std::string_view node_name) const override;
  std::vector<Peer> peers() const override;
  void confirm_dead(const Incarnation& incarnation) override;
  void send_note(std::string_view node, Bytes note) override;
  bool turn() override;
  Lookout* lookout() noexcept override { return this; }

  void set_members(std::vector<MemberAddress> members) override;
  void set_view(std::uint64_t number) override;
  std::vector<PeerState> peer_states() const override;
  std::string guardian_key(std::string_view node_name,
                           const Incarnation& incarnation) const override;
  void stop(Duration drain) override;
  const std::string& address() const noexcept override { return address_; }
  TransportCounters counters() const;
  std::uint16_t control_port() const noexcept { return self_.control_port; }

 private:
  struct PeerLine {
    PeerLine(Link l, ZmqOutbox& o) : link(std::move(l)), outbox(&o) {}
    Link link;
    MemberAddress member;
    bool wanted = true;
    std::unique_ptr<ZmqConnection> connection;
    std::unique_ptr<ListenerProbe> probe;
    Time probe_until{};
    bool probe_is_last = false;  // it asks why a dial failed, and no other follows at once
    bool dialled = false;        // `connection` came up
    HostPort target;             // a number
    std::size_t key_index = 0;   // of its public keys, the one to try
    std::string host_number;
    ZmqOutbox* const outbox;
    NodeId up_with = NodeId::none;  // the incarnation that the outbox is open for
    Incarnation control_told{};     // the incarnation that the control lane was told to dial
    std::uint64_t control_told_port = 0;
    std::string control_told_key;
    wire::Position beat_position;
    Time beat_at{};
    bool has_control = false;
    bool touched = false;  // in this turn: there may be something to send, tell or publish
  };
  struct Inbound {
    PeerLine* peer = nullptr;
    wire::Hello hello;
    std::string user;  // the key of the connection; empty without encryption
  };
  enum class Looker : std::uint8_t { nobody, own_thread, worker };  // who is on the lookout
  using Command = std::move_only_function<void(Time)>;

  ZmqDistribution(TransportOptions options, const Clock& clock, Random& random, Log& log,
                  DistributionEvents& events);
  std::expected<void, ListenError> bind();
  void post(Command command);
  void wake() noexcept;
  void refuse_too_big(NodeId to, const ZmqOutbox& peer, const Envelope& envelope,
                      std::size_t bytes);

  // Whose turn it is (zmq_turns.cpp).
  bool sleep(Time until) override;
  void rouse() noexcept override;
  void run();
  void keep_guard();
  void leave_lookout(Looker self) noexcept;
  void take_over() noexcept;
  void look_out(Looker self, Time until) noexcept;
  void set_alarm() noexcept;
  void need_turn() noexcept;

  // In a turn.
  bool take_turn(Time now);
  void drain_and_leave(Time until);
  void apply_members(Time now, const std::vector<MemberAddress>& members);
  bool receive(Time now);
  void on_frame(Time now, const std::string& routing_id, BytesView bytes, std::string_view user);
  void on_hello(Time now, const std::string& routing_id, const wire::Hello& hello,
                std::string_view user);
  bool is_key_of(std::string_view user, std::string_view node) const;
  bool is_said_again(const std::string& routing_id, const PeerLine& peer,
                     const wire::Hello& hello) const;
  void forget_removed_keys();
  void receive_control(Time now);
  void connection_events(Time now, PeerLine& peer);
  void probe(Time now, PeerLine& peer, bool dial_failed);
  void watch_probe(Time now, PeerLine& peer);
  void work(Time now, PeerLine& peer);
  void carry_out_all(Time now, PeerLine& peer);
  void carry_out(Time now, PeerLine& peer, link_action::Dial& action);
  void carry_out(Time now, PeerLine& peer, link_action::Hangup& action);
  void carry_out(Time now, PeerLine& peer, link_action::Send& action);
  void carry_out(Time now, PeerLine& peer, link_action::Up& action);
  void carry_out(Time now, PeerLine& peer, link_action::Deliver& action);
  void carry_out(Time now, PeerLine& peer, link_action::Lost& action);
  void carry_out(Time now, PeerLine& peer, link_action::Outlived& action);
  void carry_out(Time now, PeerLine& peer, link_action::Note& action);
  void connect(Time now, PeerLine& peer);
  void disconnect(PeerLine& peer) noexcept;
  void tell_control(PeerLine& peer);
  void beat(Time now, PeerLine& peer);
  void publish_states(Time now);
  void say_bye(Time now);

  const TransportOptions options_;
  LinkSelf self_;
  const Clock& clock_;
  Random& random_;
  Log& log_;
  DistributionEvents& events_;
  std::string address_;
  zmq::context_t context_{1};
  std::unique_ptr<ZmqZap> zap_;  // outlives the listener
  zmq::socket_t router_;
  ZmqLookout lookout_;
  ZmqAlarm alarm_;
  std::unique_ptr<ZmqControlLane> control_;
  std::unique_ptr<ZmqResolver> resolver_;

  // Of whoever has the turn.
  std::map<std::string, std::unique_ptr<PeerLine>, std::less<>> peers_;
  std::unordered_map<std::string, Inbound> inbound_;  // by routing id
  std::unordered_set<std::uint64_t> dead_;            // incarnations proven dead before they came
  std::unordered_set<std::string> strangers_;         // names logged once
  std::vector<Outgoing> taken_;
  static constexpr Duration states_every_ = std::chrono::milliseconds(100);
  Time states_at_{};
  Time peeked_at_{};
  Time links_look_at_{};  // at all connections, whatever there is of news
  std::uint64_t hinted_view_ = 0;
  std::uint64_t sessions_ = 0;      // ever
  std::uint64_t keys_version_ = 0;  // of the allow-list that inbound_ was checked against
  TransportCounters counting_;

  mutable std::mutex mutex_;
  std::vector<Command> commands_;
  std::vector<PeerState> states_;
  TransportCounters counters_;
  std::map<std::pair<std::string, std::uint64_t>, std::string> guardian_keys_;
  std::shared_mutex control_mutex_;  // control_ against its end; only notes come from any thread
  ZmqOutboxes outboxes_;
  // Relaxed: a number by itself.
  std::atomic<std::uint64_t> view_{0};

  // Sequentially consistent, where nothing else is said: whoever leaves something to do sets
  // needed_ and then looks whether somebody has the turn or is on the lookout; they set turning_ or
  // looker_ and then look at needed_. So one of the two sees the other.
  std::atomic<bool> turning_{false};  // somebody has the turn
  std::atomic<bool> needed_{true};    // there is something for a turn to do
  std::atomic<Looker> looker_{Looker::own_thread};
  std::atomic<bool> ringing_{false};  // the bell has been rung for the looker
  std::atomic<bool> lent_{true};      // other threads may take turns
  std::atomic<bool> alarm_set_{false};
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<Time> turn_at_{};            // when the Links want one
  std::atomic<bool> links_news_{true};     // of connections
  std::atomic<bool> control_news_{false};  // frames of the control lane
  std::atomic<bool> stop_{false};
  std::uint64_t turns_seen_ = 0, own_turns_ = 0;  // of the own thread
  std::thread thread_;
};

}  // namespace coterie
