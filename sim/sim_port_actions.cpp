// What the Links of a SimPort want done, and what is told of them.

#include <utility>

#include "sim/sim_port.hpp"

namespace coterie::sim {

void SimPort::carry_out_all(Line& line) {
  while (line.link.has_actions()) {
    for (LinkAction& action : line.link.take_actions()) {
      std::visit([&](auto& what) { carry_out(line, what); }, action);
    }
  }
}

void SimPort::carry_out(Line& line, link_action::Dial&) {
  if (line.wire) links_.hang_up(*line.wire);
  line.wire = links_.dial(*this, line.member.name);
}

void SimPort::carry_out(Line& line, link_action::Hangup&) {
  if (line.wire) links_.hang_up(*line.wire);
  line.wire.reset();
}

void SimPort::carry_out(Line& line, link_action::Send& action) {
  if (action.lane == wire::Lane::control) return control(line, std::move(action.frame));
  if (line.wire) links_.carry(line.wire, std::move(action.frame));
}

void SimPort::carry_out(Line& line, link_action::Up& action) {
  action.peer.session = line.link.counters().sessions;
  line.outbox = std::make_shared<ZmqOutbox>(action.peer.name, id(), link_options_.stream);
  line.outbox->open(action.peer);
  sessions_[action.peer.incarnation.id] = {&line, line.outbox};
  if (watch_.log) watch_.log("node up: " + action.peer.name);
  events_.node_up(action.peer);
}

void SimPort::carry_out(Line& line, link_action::Deliver& action) {
  const NodeId from = line.outbox->peer()->incarnation.id;
  SimWorld& world = links_.world();
  for (Envelope& envelope : action.envelopes) {
    world.note(static_cast<std::uint64_t>(envelope.signal));
    world.note(static_cast<std::uint64_t>(envelope.ref));
    const unsigned copies = links_.frame_copies ? links_.frame_copies() : 1;
    if (copies == 0) continue;
    if (copies > 1) {
      const wire::Ends ends{from, id()};
      if (auto again = wire::decode_envelope(wire::encode_envelope(envelope, ends), ends)) {
        events_.deliver(from, *std::move(again));
      }
    }
    events_.deliver(from, std::move(envelope));
  }
}

void SimPort::carry_out(Line& line, link_action::Lost& action) {
  sessions_.erase(action.peer.incarnation.id);
  line.outbox->close();
  line.outbox.reset();
  links_.session_lost();
  beat(line);
  if (watch_.log) watch_.log("node down: " + action.peer.name + ": " + action.why);
  events_.node_down(action.peer, action.why, action.confirmed);
}

void SimPort::carry_out(Line&, link_action::Outlived& action) {
  if (options_.outlived) options_.outlived(action.counter);
}

void SimPort::carry_out(Line&, link_action::Note& action) {
  if (watch_.log) watch_.log(action.text);
}

void SimPort::control(Line& line, Bytes frame) {
  if (line.link.peer().id == NodeId::none) return;
  // What the receiver looks at of it, for each frame.
  wire::Hello bound;
  bound.name = self_.name;
  bound.incarnation = self_.incarnation;
  bound.lane = wire::Lane::control;
  bound.to = line.link.peer().id;
  links_.carry_control(*this, line.member.name, std::move(bound), std::move(frame));
}

void SimPort::beat(Line& line) { control(line, line.link.beat(view_)); }

}  // namespace coterie::sim
