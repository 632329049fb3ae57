#pragma once
// The link to one other node, as a pure state machine: input is time, sends, frames and what became
// of connections; output is a list of actions. No socket, clock or thread is in here, so the same
// code runs under the ZeroMQ driver and in tests with a network worse than any real one.
//
// A session joins two incarnations, one stream each way. Each side dials the other and only sends
// on its own connection, so both dialling at once is the normal case and nothing is to be resolved.
// A side's *attempt* number grows whenever it loses a session; a Hello tells one's own attempt and
// the one last heard from the peer. The session exists, for a side, once it has read a frame that
// echoes its own attempt; its name is the pair of attempts, so no name is used twice.
// A broken connection is dialled again; the peer answers its Hello with what it has received, the
// sender continues after that, and nothing of it shows above. docs/wire.md tells it in full.
//
//   Link link(self, "b", options, random);
//   for each input:  link.dialled(now) | link.dial_failed(now, refused) | link.disconnected(now)
//                    link.frame(now, lane, connection, frame) | link.send(...) | link.tick(now)
//   then             link.flush(now); for (auto& action : link.take_actions()) carry it out
//   and call tick()  not later than link.next_tick()

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "process/ports/distribution.hpp"
#include "process/ports/random.hpp"
#include "transport/stream.hpp"
#include "transport/wire.hpp"

namespace coterie {

/// What this node says of itself in every Hello.
struct LinkSelf {
  std::string name;
  Incarnation incarnation;
  std::string cluster_id;
  std::string config_digest;
  std::uint64_t history = 0;
  std::uint16_t control_port = 0;
  std::string guardian_key;

  /// What every hello of this node says.
  wire::Hello hello() const;
};

struct LinkOptions {
  StreamOptions stream;
  Duration link_down_after = std::chrono::seconds(5);  // silence or no connection: session lost
  Duration ack_delay = std::chrono::milliseconds(5);   // an ack waits so long for company
  std::uint64_t ack_every = 64;  // records, or a 32nd of the window in bytes: it waits no longer
  Duration ack_stall = std::chrono::seconds(3);  // first: new connection; second: lost
  Duration dial_timeout = std::chrono::seconds(3);
  Duration redial_in_session_min = std::chrono::milliseconds(1);  // doubles up to redial_max
  Duration redial_min = std::chrono::milliseconds(10);  // without a session; doubles up to
  Duration redial_max = std::chrono::seconds(1);        // (0-50 % of jitter is added)
  Duration hello_again = std::chrono::seconds(1);       // while there is no session
  Duration overslept = std::chrono::milliseconds(500);  // a tick so late: suspect nobody yet
  unsigned flap_losses = 3;  // more losses of one incarnation within flap_window: back off
  Duration flap_window = std::chrono::seconds(60);
  Duration flap_redial_max = std::chrono::seconds(30);
};

namespace link_action {
struct Dial {  // a new connection with this number; the old one, if any, is closed first
  std::uint64_t connection = 0;
};
struct Hangup {};
struct Send {
  wire::Lane lane = wire::Lane::data;
  Bytes frame;
};
struct Up {
  Peer peer;
};
struct Deliver {
  std::vector<Envelope> envelopes;
};
struct Lost {  // the session; nothing of it is delivered after this
  Peer peer;
  std::string why;
  bool confirmed = false;
};
struct Outlived {  // the peer knows that incarnations of this node up to `counter` are dead
  std::uint64_t counter = 0;
};
struct Note {  // for the log
  bool warning = false;
  std::string text;
};
}  // namespace link_action

using LinkAction =
    std::variant<link_action::Dial, link_action::Hangup, link_action::Send, link_action::Up,
                 link_action::Deliver, link_action::Lost, link_action::Outlived, link_action::Note>;

struct LinkCounters {
  std::uint64_t sessions = 0;      // established
  std::uint64_t losses = 0;        // lost
  std::uint64_t connections = 0;   // of ours that came up
  std::uint64_t resumed = 0;       // connections after the first of a session
  std::uint64_t delivered = 0;     // envelopes
  std::uint64_t frames_out = 0;    // data frames
  std::uint64_t repeats = 0;       // records dropped because they had been received
  std::uint64_t gaps = 0;          // records dropped because one before them was missing
  std::uint64_t stale_frames = 0;  // of another session, incarnation or older connection
  std::uint64_t malformed = 0;     // frames and envelopes
  std::uint64_t refused = 0;       // hellos that were not let in
  std::uint64_t stalls = 0;        // acks that did not come within ack_stall
  std::uint64_t overslept = 0;     // ticks of ours that came too late
};

class Link {
 public:
  /// `self` and `options` must outlive the link.
  Link(const LinkSelf& self, std::string peer_name, const LinkOptions& options, Random& random,
       Time now);

  // What happened to this side's data connection.
  void dialled(Time now);
  /// `refused`: the peer's host answered that nobody listens.
  void dial_failed(Time now, bool refused, std::string_view why);
  void disconnected(Time now);

  /// A hello on an inbound connection of that lane. Returns whether frames of it are welcome; if
  /// not, a Refuse has been sent where that is possible.
  bool hello(Time now, const wire::Hello& hello);
  /// Any other frame on an inbound connection whose newest hello said so.
  void frame(Time now, const wire::Hello& bound, const wire::Frame& frame);
  /// What came was no frame: the session, if it was of that connection, cannot go on.
  void malformed(Time now, const wire::Hello& bound, std::string_view what);

  bool up() const noexcept { return established_; }
  bool full() const noexcept { return send_.full(); }
  /// Only while up() and not full(). It goes out with the next flush.
  void send(Outgoing&& outgoing) { send_.push(std::move(outgoing)); }
  /// Transmits what there is to transmit, and the ack that is due if nothing carries it; at most
  /// `frames_max` frames of data. Whenever something has happened, or next_tick() has come.
  void flush(Time now, std::size_t frames_max = SIZE_MAX);

  void tick(Time now);
  Time next_tick() const noexcept;

  /// That incarnation is proven dead: its session is lost, confirmed, and it is refused for ever.
  void confirm_dead(Time now, const Incarnation& incarnation);
  /// Tells the peer that nothing more comes; the session ends here without a Lost.
  void bye(Time now);
  /// The peer is no member any more.
  void remove(Time now, std::string_view why);
  /// It is one again. Its numbers go on where they were, so the same Link must be used.
  void reopen(Time now);

  /// The beat that the control lane sends until there is a newer one.
  Bytes beat(std::uint64_t view) const { return wire::encode(wire::Beat{position(), view}); }
  std::vector<LinkAction> take_actions() { return std::exchange(actions_, {}); }
  /// The envelopes of a Deliver that has been carried out: their place is used again.
  void reuse(std::vector<Envelope>&& delivered) noexcept {
    delivered.clear();
    spare_ = std::move(delivered);
  }
  bool has_actions() const noexcept { return !actions_.empty(); }

  const std::string& peer_name() const noexcept { return name_; }
  const Incarnation& peer() const noexcept { return peer_; }
  wire::Position position() const noexcept;
  std::uint64_t connection() const noexcept { return connection_; }
  const SendStream& sending() const noexcept { return send_; }
  const LinkCounters& counters() const noexcept { return counters_; }
  bool flapping(Time now) const noexcept;
  /// connected, dialling, waiting for a hello, refused, ...: with the reason, for people.
  std::string describe() const;
  const std::string& peer_guardian_key() const noexcept { return peer_guardian_key_; }
  std::uint16_t peer_control_port() const noexcept { return peer_control_port_; }

 private:
  enum class Connection : std::uint8_t { down, dialling, up };

  bool refuse(wire::Refuse::Code code, std::string text, NodeId whom,
              std::uint64_t dead_counter = 0);
  bool fits(const wire::Hello& hello);
  bool admit_incarnation(Time now, const wire::Hello& hello);
  bool session_frame(Time now, wire::Lane lane, const wire::Position& position);
  void establish(Time now);
  void lose(Time now, std::string_view why, bool confirmed);
  void on_data(Time now, const wire::Data& data);
  bool unpack(Time now, BytesView envelope, link_action::Deliver& told);
  void on_refuse(Time now, const wire::Refuse& refuse);
  void send_hello(Time now);
  void send_ack(bool again);
  void dial(Time now);
  void hang_up();
  void redial_after(Time now, Duration wait);
  Duration next_backoff(Time now);
  void watch_session(Time now);
  void note(bool warning, std::string text);

  const LinkSelf& self_;
  const LinkOptions& options_;
  Random& random_;
  const std::string name_;

  // The peer and the session.
  Incarnation peer_;                // the newest that said hello; counter and id 0: none yet
  std::uint64_t dead_counter_ = 0;  // incarnations up to this counter are refused
  bool dead_ = false;               // ... if this is set
  std::uint64_t mine_ = 1;          // attempts
  std::uint64_t theirs_ = 0;
  bool established_ = false;
  SendStream send_;
  ReceiveStream receive_;
  Time heard_at_{};

  // This side's connection.
  Connection out_ = Connection::down;
  std::uint64_t connection_ = 0;  // number of the newest
  bool resumed_ = false;          // the peer has accepted it in this session
  Time out_since_{};              // of the state in out_
  Time unusable_since_{};         // since when the peer has accepted no connection of ours
  Time hello_at_{};
  Time redial_at_{};
  Duration backoff_{};
  Time progress_at_{};  // of acks
  unsigned stalls_ = 0;
  Time rewound_at_{};

  // The peer's connection, and acks due to it.
  std::uint64_t in_connection_ = 0;
  bool knows_me_ = false;  // its newest hello was meant for this incarnation
  std::uint64_t unacked_records_ = 0, unacked_bytes_ = 0;
  Time ack_at_ = Time::max();
  Time asked_again_at_{};

  bool closed_ = false;
  Time ticked_at_;
  std::vector<Time> lost_at_;  // recent losses of this incarnation
  std::string trouble_;        // why there is no session, for people
  std::string peer_guardian_key_;
  std::uint16_t peer_control_port_ = 0;
  LinkCounters counters_;
  std::vector<LinkAction> actions_;
  std::vector<Envelope> spare_;  // empty
};

}  // namespace coterie
