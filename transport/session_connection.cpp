// The part of Link that looks after this side's connection and the passing of time.

#include <algorithm>

#include "transport/session.hpp"

namespace coterie {

using namespace link_action;

namespace {
constexpr std::string_view no_hello =
    "it accepts connections but says no hello: is this node in its cluster file?";
}  // namespace

void Link::dial(Time now) {
  out_ = Connection::dialling;
  out_since_ = now;
  resumed_ = false;
  ++connection_;
  actions_.emplace_back(Dial{connection_});
}

void Link::hang_up() {
  resumed_ = false;
  if (out_ == Connection::down) return;
  out_ = Connection::down;
  actions_.emplace_back(Hangup{});
}

void Link::redial_after(Time now, Duration wait) {
  out_since_ = now;
  redial_at_ = now + wait;
}

Duration Link::next_backoff(Time now) {
  const Duration most = flapping(now) ? options_.flap_redial_max : options_.redial_max;
  // A dying process may close its connections before its listener, so ask soon again.
  const Duration least = established_ ? options_.redial_in_session_min : options_.redial_min;
  backoff_ = std::clamp(backoff_ * 2, least, most);
  const auto half = static_cast<std::uint64_t>(backoff_.count() / 2) + 1;
  return backoff_ + Duration(static_cast<Duration::rep>(random_.below(half)));
}

bool Link::flapping(Time now) const noexcept {
  const auto recent = std::count_if(lost_at_.begin(), lost_at_.end(),
                                    [&](Time at) { return now - at <= options_.flap_window; });
  return static_cast<unsigned>(recent) > options_.flap_losses;
}

void Link::dialled(Time now) {
  if (out_ != Connection::dialling) return;
  out_ = Connection::up;
  out_since_ = now;
  ++counters_.connections;
  send_hello(now);
}

void Link::dial_failed(Time now, bool refused, std::string_view why) {
  if (out_ != Connection::dialling) return;
  out_ = Connection::down;
  // With a session there was a listener: refused means that it is gone, and with it the process.
  // Without one the peer may just be starting, and nothing is concluded.
  if (established_ && refused) {
    lose(now, "the node's host refuses the connection: its listener is gone", false);
  } else if (!established_) {
    trouble_ = why;
  }
  redial_after(now, next_backoff(now));
}

void Link::disconnected(Time now) {
  if (out_ == Connection::down) return;
  const bool was_up = out_ == Connection::up;
  if (resumed_) unusable_since_ = now;
  hang_up();
  // At once, for a session: the answer tells whether the process still lives.
  redial_after(now, established_ && was_up ? Duration::zero() : next_backoff(now));
}

void Link::watch_session(Time now) {
  if (now - heard_at_ > options_.link_down_after) {
    return lose(now, "nothing was heard for link_down_after", false);
  }
  if (!resumed_ && now - unusable_since_ > options_.link_down_after) {
    return lose(now, "no connection for link_down_after", false);
  }
  if (out_ != Connection::up) return;
  const bool waits = send_.unacknowledged() || !resumed_;
  const Time since = std::max(progress_at_, out_since_);
  if (!waits || now - since <= options_.ack_stall) return;
  ++counters_.stalls;
  if (++stalls_ >= 2) return lose(now, "acknowledgements stalled twice", false);
  note(true, "acknowledgements stall: connecting again");
  if (resumed_) unusable_since_ = now;
  hang_up();
  redial_after(now, Duration::zero());
}

void Link::tick(Time now) {
  if (closed_) return;
  if (now - ticked_at_ > options_.overslept) {
    // This node was not running: what it did not hear proves nothing about others.
    ++counters_.overslept;
    heard_at_ = std::max(heard_at_, now - options_.link_down_after / 2);
    progress_at_ = unusable_since_ = now;
    if (out_ == Connection::dialling) out_since_ = now;
  }
  ticked_at_ = now;
  if (established_) watch_session(now);
  if (out_ == Connection::dialling && now - out_since_ > options_.dial_timeout) {
    trouble_ = "no answer to a connection request";
    hang_up();
    redial_after(now, next_backoff(now));
  }
  if (out_ == Connection::up && !established_ && now - out_since_ > options_.link_down_after) {
    // It may be broken without anybody's word, a session's acks would notice that: another one.
    if (trouble_.empty()) trouble_ = no_hello;
    hang_up();
    redial_after(now, next_backoff(now));
  }
  if (out_ == Connection::down && redial_at_ <= now) dial(now);
  if (out_ == Connection::up && !established_ && now - hello_at_ >= options_.hello_again) {
    send_hello(now);
  }
}

Time Link::next_tick() const noexcept {
  if (closed_) return Time::max();
  // Deadlines of seconds are looked at every quarter of `overslept`, which also proves that this
  // node is awake; only redials and acks want their own moment.
  Time next = ticked_at_ + options_.overslept / 4;
  if (out_ == Connection::down) next = std::min(next, redial_at_);
  if (established_) next = std::min(next, ack_at_);
  return next;
}

std::string Link::describe() const {
  if (established_ && out_ == Connection::up) return "connected";
  if (established_) return "connection broken, dialling again";
  std::string text = out_ == Connection::up         ? "waiting for its hello"
                     : out_ == Connection::dialling ? "dialling"
                                                    : "waiting to dial";
  return trouble_.empty() ? text : text + " (" + trouble_ + ")";
}

}  // namespace coterie
