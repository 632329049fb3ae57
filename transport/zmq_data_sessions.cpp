// The data lane's thread of ZmqDistribution: what its Links want done, and what is told of them.

#include <algorithm>
#include <utility>

#include "transport/zmq_distribution.hpp"

namespace coterie {
namespace {

// News of what was received go to the control lane's beats no more often than this.
constexpr Duration beat_news_every = std::chrono::milliseconds(20);

}  // namespace

void ZmqDistribution::carry_out(Time, PeerLine& peer, link_action::Up& action) {
  action.peer.session = ++sessions_;
  outboxes_.open(*peer.outbox, action.peer);
  peer.up_with = action.peer.incarnation.id;
  log_.info(LogModule::transport, "node up",
            {{"peer", action.peer.name}, {"incarnation", action.peer.incarnation}});
  events_.node_up(action.peer);
}

void ZmqDistribution::carry_out(Time, PeerLine& peer, link_action::Deliver& action) {
  for (Envelope& envelope : action.envelopes) events_.deliver(peer.up_with, std::move(envelope));
  peer.link.reuse(std::move(action.envelopes));
}

void ZmqDistribution::carry_out(Time, PeerLine& peer, link_action::Lost& action) {
  outboxes_.close(*peer.outbox);
  peer.up_with = NodeId::none;
  control_->beat(action.peer.name, peer.link.beat(view_.load(std::memory_order_relaxed)), true);
  log_.warning(LogModule::transport, "node down",
               {{"peer", action.peer.name},
                {"incarnation", action.peer.incarnation},
                {"why", action.why},
                {"confirmed", action.confirmed}});
  events_.node_down(action.peer, action.why, action.confirmed);
}

void ZmqDistribution::carry_out(Time, PeerLine&, link_action::Outlived& action) {
  if (options_.outlived) options_.outlived(action.counter);
}

void ZmqDistribution::carry_out(Time, PeerLine&, link_action::Note& action) {
  log_.log(LogModule::transport, action.warning ? LogLevel::warning : LogLevel::info, action.text);
}

void ZmqDistribution::carry_out_all(Time now, PeerLine& peer) {
  while (peer.link.has_actions()) {
    for (LinkAction& action : peer.link.take_actions()) {
      std::visit([&](auto& what) { carry_out(now, peer, what); }, action);
    }
  }
}

void ZmqDistribution::work(Time now, PeerLine& peer) {
  Link& link = peer.link;
  peer.touched = false;
  if (link.next_tick() <= now) link.tick(now);
  // First what has happened: a loss closes the outbox before anything is taken from it.
  carry_out_all(now, peer);
  if (peer.up_with != NodeId::none && link.up()) {
    peer.outbox->take(now, taken_);
    for (Outgoing& outgoing : taken_) link.send(std::move(outgoing));
    link.flush(now);
    carry_out_all(now, peer);
  }
  if (peer.up_with != NodeId::none) {
    const SendStream& sending = link.sending();
    if (peer.outbox->publish(sending.held(), sending.interleaved())) {
      events_.writable(peer.up_with);
    }
  }
  beat(now, peer);
}

void ZmqDistribution::beat(Time now, PeerLine& peer) {
  if (!peer.link.up()) return;
  const bool had_control = std::exchange(peer.has_control, control_->connected(peer.member.name));
  if (peer.has_control) {
    const wire::Position position = peer.link.position();
    const bool other_session = position.from_attempt != peer.beat_position.from_attempt ||
                               position.to_attempt != peer.beat_position.to_attempt;
    if (had_control && (position == peer.beat_position || (!other_session && now < peer.beat_at))) {
      return;
    }
    peer.beat_position = position;
    peer.beat_at = now + beat_news_every;
    control_->beat(peer.member.name, peer.link.beat(view_.load(std::memory_order_relaxed)),
                   other_session || !had_control);
  } else if (now >= peer.beat_at && peer.connection) {
    peer.beat_at = now + options_.beat_interval;
    link_action::Send send{wire::Lane::data, peer.link.beat(view_.load())};
    carry_out(now, peer, send);
  }
}

void ZmqDistribution::publish_states(Time now) {
  if (now < states_at_ + states_every_) return;
  states_at_ = now;
  std::vector<PeerState> states;
  for (auto& [name, peer] : peers_) {
    if (!peer->wanted) continue;
    const Link& link = peer->link;
    const Held& held = link.sending().held();
    states.push_back({name, peer->member.address, link.peer(), link.up(), control_->connected(name),
                      link.flapping(now), link.describe(), held.messages,
                      held.bytes + held.big_bytes, link.counters()});
  }
  std::lock_guard lock(mutex_);
  states_ = std::move(states);
  counters_ = counting_;
}

void ZmqDistribution::drain_and_leave(Time until) {
  for (Time now = clock_.now(); now < until; now = clock_.now()) {
    needed_.store(false);
    take_turn(now);
    const bool waiting = std::ranges::any_of(peers_, [](const auto& each) {
      return each.second->link.up() && !each.second->link.sending().idle();
    });
    if (!waiting) break;
    look_out(Looker::own_thread, until);
  }
  say_bye(clock_.now());
  stop_.store(true);
}

void ZmqDistribution::say_bye(Time now) {
  for (auto& [name, peer] : peers_) {
    if (peer->connection) peer->connection->linger(500);
    peer->link.bye(now);
    for (LinkAction& action : peer->link.take_actions()) {
      if (auto* send = std::get_if<link_action::Send>(&action)) carry_out(now, *peer, *send);
    }
  }
}

}  // namespace coterie
