#include "transport/session.hpp"

#include <algorithm>

namespace coterie {

using namespace link_action;

Link::Link(const LinkSelf& self, std::string peer_name, const LinkOptions& options, Random& random,
           Time now)
    : self_(self),
      options_(options),
      random_(random),
      name_(std::move(peer_name)),
      send_(options.stream),
      receive_(options.stream),
      out_since_(now),
      redial_at_(now),
      ticked_at_(now) {}

wire::Position Link::position() const noexcept {
  return {mine_, theirs_, receive_.received(), in_connection_};
}

void Link::note(bool warning, std::string text) {
  actions_.emplace_back(Note{warning, name_ + ": " + std::move(text)});
}

// --- the peer's connections ---------------------------------------------------------------------

wire::Hello LinkSelf::hello() const {
  wire::Hello hello;
  hello.cluster_id = cluster_id;
  hello.config_digest = config_digest;
  hello.history = history;
  hello.name = name;
  hello.incarnation = incarnation;
  return hello;
}

bool Link::refuse(wire::Refuse::Code code, std::string text, NodeId whom,
                  std::uint64_t dead_counter) {
  ++counters_.refused;
  const std::string told = "refused (" + std::string(wire::to_string(code)) + "): " + text;
  if (trouble_ != told) note(true, told);
  trouble_ = told;
  if (out_ == Connection::up) {
    actions_.emplace_back(
        Send{wire::Lane::data, encode(wire::Refuse{code, std::move(text), whom, dead_counter})});
  }
  return false;
}

bool Link::fits(const wire::Hello& hello) {
  using Code = wire::Refuse::Code;
  const NodeId whom = hello.incarnation.id;
  if (hello.version_min > wire::protocol_max || hello.version_max < wire::protocol_min) {
    return refuse(Code::protocol,
                  "node " + hello.name + " speaks protocol " + std::to_string(hello.version_min) +
                      " to " + std::to_string(hello.version_max) + ", node " + self_.name + " " +
                      std::to_string(wire::protocol_min) + " to " +
                      std::to_string(wire::protocol_max) + ": upgrade the older one",
                  whom);
  }
  if (hello.cluster_id != self_.cluster_id) {
    return refuse(Code::cluster,
                  "node " + hello.name + " is of cluster '" + hello.cluster_id + "', node " +
                      self_.name + " of '" + self_.cluster_id + "': check the addresses",
                  whom);
  }
  if (hello.config_digest != self_.config_digest) {
    return refuse(Code::config,
                  "nodes " + hello.name + " and " + self_.name +
                      " differ in keys that must be the same everywhere (digests " +
                      hello.config_digest + " and " + self_.config_digest +
                      "): give them one cluster file",
                  whom);
  }
  if (hello.history != self_.history) {
    return refuse(Code::history,
                  "node " + hello.name + " is of history " + std::to_string(hello.history) +
                      ", node " + self_.name + " of " + std::to_string(self_.history) +
                      ": a forced recovery left the older one behind",
                  whom);
  }
  return true;
}

bool Link::admit_incarnation(Time now, const wire::Hello& hello) {
  const Incarnation& inc = hello.incarnation;
  const bool known = peer_.id != NodeId::none;
  if (dead_ && inc.counter <= dead_counter_) {
    return refuse(wire::Refuse::Code::old_incarnation,
                  "incarnation " + to_string(inc) + " of " + name_ + " is known to be dead", inc.id,
                  dead_counter_);
  }
  if (known && inc != peer_ && inc.counter <= peer_.counter) {
    return refuse(wire::Refuse::Code::old_incarnation,
                  "incarnation " + to_string(inc) + " of " + name_ + " is not newer than " +
                      to_string(peer_) +
                      ", which was seen here: raise the counter in its state directory",
                  inc.id);
  }
  // The control lane only follows what the data lane knows.
  if (inc == peer_ || hello.lane == wire::Lane::control) return true;
  if (established_) lose(now, "another incarnation of the node, " + to_string(inc), false);
  peer_ = inc;
  theirs_ = 0;
  in_connection_ = 0;
  knows_me_ = false;
  lost_at_.clear();
  return true;
}

bool Link::hello(Time now, const wire::Hello& hello) {
  if (closed_) return false;
  if (!fits(hello)) return false;
  if (!admit_incarnation(now, hello)) return false;
  if (hello.lane == wire::Lane::control) {
    if (hello.incarnation == peer_ && hello.to == self_.incarnation.id) {
      session_frame(now, wire::Lane::control, hello.position);
    }
    return true;
  }
  if (hello.connection < in_connection_) {
    ++counters_.stale_frames;
    return true;
  }
  const bool knew_me = knows_me_;
  const std::uint64_t theirs = theirs_;
  const bool fresh = hello.connection > in_connection_;
  in_connection_ = hello.connection;
  knows_me_ = hello.to == self_.incarnation.id;
  peer_control_port_ = hello.control_port;
  peer_guardian_key_ = hello.guardian_key;
  wire::Position position = hello.position;
  // What it says of an earlier run of this node says nothing about this one.
  if (!knows_me_) position.to_attempt = position.received = position.resumed = 0;
  session_frame(now, wire::Lane::data, position);
  // It has something to learn: that its connection is accepted, or who we are.
  if (fresh || theirs != theirs_ || knew_me != knows_me_) {
    if (out_ == Connection::up) {
      send_hello(now);
    } else if (out_ == Connection::down && !flapping(now)) {
      redial_at_ = now;  // it is there: no need to wait for the back-off
    }
  }
  return true;
}

void Link::frame(Time now, const wire::Hello& bound, const wire::Frame& frame) {
  if (closed_ || bound.incarnation != peer_ || (dead_ && peer_.counter <= dead_counter_)) {
    ++counters_.stale_frames;
    return;
  }
  if (const auto* refused = std::get_if<wire::Refuse>(&frame)) return on_refuse(now, *refused);
  // Older connections may still hold frames when a newer one is accepted; what they carry is
  // transmitted again on the newer one.
  const bool data_lane = bound.lane == wire::Lane::data;
  if (data_lane ? bound.connection != in_connection_ || !knows_me_
                : bound.to != self_.incarnation.id) {
    ++counters_.stale_frames;
    return;
  }
  if (const auto* data = std::get_if<wire::Data>(&frame)) {
    if (data_lane && session_frame(now, bound.lane, data->position)) on_data(now, *data);
  } else if (const auto* ack = std::get_if<wire::Ack>(&frame)) {
    if (!session_frame(now, bound.lane, ack->position)) return;
    if (ack->again && now - rewound_at_ >= options_.ack_delay) {
      rewound_at_ = now;
      send_.rewind();
    }
  } else if (const auto* beat = std::get_if<wire::Beat>(&frame)) {
    session_frame(now, bound.lane, beat->position);
  } else if (const auto* bye = std::get_if<wire::Bye>(&frame)) {
    if (data_lane && session_frame(now, bound.lane, bye->position))
      lose(now, "the node has left", false);
  } else {
    malformed(now, bound, "a frame that nodes do not send to each other");
  }
}

void Link::malformed(Time now, const wire::Hello& bound, std::string_view what) {
  ++counters_.malformed;
  if (bound.incarnation != peer_) return;
  refuse(wire::Refuse::Code::malformed, std::string(what), peer_.id);
  if (established_) lose(now, what, false);
}

void Link::on_refuse(Time now, const wire::Refuse& refused) {
  if (refused.to != NodeId::none && refused.to != self_.incarnation.id) {
    ++counters_.stale_frames;
    return;
  }
  const std::string told =
      "refuses this node (" + std::string(wire::to_string(refused.code)) + "): " + refused.text;
  if (trouble_ != told) note(true, told);
  trouble_ = told;
  if (established_) lose(now, told, false);
  hang_up();
  redial_after(now, options_.flap_redial_max / 10 + next_backoff(now));
  if (refused.to == self_.incarnation.id && refused.dead_counter >= self_.incarnation.counter) {
    actions_.emplace_back(Outlived{refused.dead_counter});
  }
}

// --- the session --------------------------------------------------------------------------------

/// Takes over what the peer says of the session. True: the frame belongs to the session that is.
bool Link::session_frame(Time now, wire::Lane lane, const wire::Position& p) {
  if (p.from_attempt < theirs_ || p.from_attempt == 0 || p.to_attempt > mine_) {
    ++counters_.stale_frames;
    return false;
  }
  if (p.from_attempt > theirs_) {
    if (established_) lose(now, "the node has given up the session", false);
    theirs_ = p.from_attempt;
  }
  if (p.to_attempt != mine_) {
    if (p.to_attempt != 0) ++counters_.stale_frames;
    return false;
  }
  if (!established_) {
    // Both directions of the data lane must work: the peer has accepted our newest connection.
    if (lane != wire::Lane::data || out_ != Connection::up || p.resumed != connection_) {
      return false;
    }
    establish(now);
  }
  heard_at_ = now;
  const std::uint64_t before = send_.acknowledged();
  if (!send_.acknowledge(std::max(p.received, before))) {
    ++counters_.malformed;
    lose(now, "the node acknowledges what was never sent", false);
    return false;
  }
  if (send_.acknowledged() > before) {
    progress_at_ = now;
    stalls_ = 0;
  }
  if (!resumed_ && out_ == Connection::up && p.resumed == connection_) {
    resumed_ = true;
    progress_at_ = now;
    if (send_.transmitted() > 0) ++counters_.resumed;
    if (!send_.unacknowledged()) stalls_ = 0;
    send_.rewind();
  }
  return true;
}

void Link::establish(Time now) {
  established_ = true;
  ++counters_.sessions;
  heard_at_ = progress_at_ = unusable_since_ = now;
  stalls_ = 0;
  backoff_ = {};
  trouble_.clear();
  actions_.emplace_back(Up{{name_, peer_, false}});
}

void Link::lose(Time now, std::string_view why, bool confirmed) {
  established_ = false;
  resumed_ = false;
  ++mine_;
  ++counters_.losses;
  send_ = SendStream(options_.stream);
  receive_ = ReceiveStream(options_.stream);
  unacked_records_ = unacked_bytes_ = 0;
  ack_at_ = Time::max();
  trouble_ = why;
  actions_.emplace_back(Lost{{name_, peer_, false}, std::string(why), confirmed});
  std::erase_if(lost_at_, [&](Time at) { return now - at > options_.flap_window; });
  lost_at_.push_back(now);
  if (lost_at_.size() == options_.flap_losses + 1) {
    note(true, "flapping: " + std::to_string(lost_at_.size()) +
                   " sessions were lost within a minute; dialling less often");
  }
  // What ZeroMQ still holds for the peer is of the lost session: a new connection forgets it.
  hang_up();
  redial_after(now, flapping(now) ? next_backoff(now) : Duration::zero());
}

void Link::send_hello(Time now) {
  hello_at_ = now;
  wire::Hello hello = self_.hello();
  hello.to = peer_.id;
  hello.connection = connection_;
  hello.position = position();
  hello.control_port = self_.control_port;
  hello.guardian_key = self_.guardian_key;
  actions_.emplace_back(Send{wire::Lane::data, encode(hello)});
}

void Link::confirm_dead(Time now, const Incarnation& incarnation) {
  if (peer_.id != NodeId::none && peer_.counter > incarnation.counter) return;
  dead_ = true;
  dead_counter_ = std::max(dead_counter_, incarnation.counter);
  if (established_) lose(now, "the node is known to be dead", true);
}

void Link::bye(Time now) {
  if (established_ && out_ == Connection::up) {
    flush(now);
    actions_.emplace_back(
        Send{wire::Lane::data, encode(wire::Bye{position(), send_.transmitted()})});
  }
  established_ = false;
  closed_ = true;
}

void Link::remove(Time now, std::string_view why) {
  if (established_) lose(now, why, false);
  hang_up();
  closed_ = true;
}

void Link::reopen(Time now) {
  if (!closed_) return;
  closed_ = false;
  ticked_at_ = now;
  trouble_.clear();
  redial_after(now, Duration::zero());
}

}  // namespace coterie
