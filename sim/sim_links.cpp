#include "sim/sim_links.hpp"

#include <algorithm>

#include "sim/sim_port.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration way_min = 50us;
constexpr Duration way_max = 5ms;
constexpr Duration way_long = 50ms;         // more than a healthy network ever takes
constexpr Duration notice_max = 2ms;        // a broken connection, at its ends
constexpr Duration late_notice_max = 1s;    // ... when nothing tells of it
constexpr Duration last_breath_max = 30ms;  // what a broken connection still held
constexpr Duration thaw_max = 200ms;        // until a connection finds that it can go on
constexpr Duration ask_again = 200ms;       // a connection request that nobody answers
constexpr Duration poll = 50ms;             // of a stopped program's sockets
constexpr double control_lost = 0.005;
constexpr double control_doubled = 0.005;
constexpr double dial_breaks = 0.01;

// No MessagePack begins with it.
const Bytes garbage("\xC1");

}  // namespace

std::unique_ptr<Links> SimLinks::open(TransportOptions options, SimExecutor& executor,
                                      DistributionEvents& events, Watch watch) {
  if (window_messages) options.link.stream.window_messages = *window_messages;
  return std::make_unique<SimPort>(*this, std::move(options), executor, events, std::move(watch));
}

std::string SimLinks::beyond_bounds() const {
  for (const auto& [id, port] : ports_) {
    if (std::string text = port->beyond_bounds(); !text.empty()) return text;
  }
  return {};
}

void SimLinks::add(SimPort& port) {
  ports_[port.id()] = &port;
  living_[port.node()] = &port;
}

void SimLinks::remove(const SimPort& port) { ports_.erase(port.id()); }

SimPort* SimLinks::find(NodeId id) const {
  const auto found = ports_.find(id);
  return found != ports_.end() && found->second->alive() ? found->second : nullptr;
}

SimPort* SimLinks::find(const std::string& node) const {
  const auto found = living_.find(node);
  return found != living_.end() ? found->second : nullptr;
}

bool SimLinks::draw(double probability) {
  if (probability <= 0) return false;
  return static_cast<double>(world_.random().below(1'000'000)) < probability * 1e6;
}

Duration SimLinks::upto(Duration most) {
  return Duration(static_cast<Duration::rep>(
      world_.random().below(static_cast<std::uint64_t>(most.count()) + 1)));
}

Duration SimLinks::way(const std::string& from, const std::string& to) {
  Duration wait = way_min + upto(way_max - way_min);
  if (slow_.empty()) return wait;
  const auto found = slow_.find({from, to});
  if (found == slow_.end()) return wait;
  return wait + found->second.first + upto(found->second.second);
}

Duration SimLinks::delay_between(const std::string& from, const std::string& to) {
  const Duration base = way_min + upto(2ms);
  const auto found = slow_.find({from, to});
  return found == slow_.end() ? base : base + found->second.first;
}

// ---- connections

std::shared_ptr<SimWire> SimLinks::dial(const SimPort& from, const std::string& to) {
  auto wire = std::make_shared<SimWire>();
  wire->from = from.id();
  wire->from_name = from.node();
  wire->to_name = to;
  auto& wires = wires_[{from.node(), to}];
  std::erase_if(wires, [](const auto& one) { return one.expired(); });
  wires.push_back(wire);
  world_.post_at(after(world_.now(), way(from.node(), to)), [this, wire] { ask(wire); });
  return wire;
}

// The dialler gives up by itself when there is no answer.
void SimLinks::ask(const std::shared_ptr<SimWire>& wire) {
  SimPort* const from = find(wire->from);
  if (from == nullptr || wire->state != SimWire::State::dialling) return;
  const auto later = [&](Duration wait) {
    world_.post_at(after(world_.now(), wait), [this, wire] { ask(wire); });
  };
  if (is_cut(wire->from_name, wire->to_name)) return later(ask_again);
  SimPort* const to = find(wire->to_name);
  // Its program makes the connection's handshake, so a stopped one answers when it goes on.
  if (to != nullptr && to->stopped()) return later(poll);
  const bool broken = draw(dial_breaks);
  if (to == nullptr || broken || refusing_.contains(wire->to_name)) {
    wire->state = SimWire::State::over;
    return from->dial_failed(wire, to == nullptr);
  }
  wire->state = SimWire::State::open;
  wire->to = to->id();
  from->dialled(wire);
}

void SimLinks::hang_up(SimWire& wire) {
  if (wire.state == SimWire::State::open) last_breath(wire);
  wire.state = SimWire::State::over;
}

/// Of what is under way a beginning still arrives, late.
void SimLinks::last_breath(SimWire& wire) {
  auto& frames = wire.under_way;
  if (frames.empty() || wire.stuck || is_cut(wire.from_name, wire.to_name)) return frames.clear();
  frames.resize(world_.random().below(frames.size() + 1));
  Time at = after(world_.now(), upto(last_breath_max));
  // Its hello goes with it, for the receiver to see that it is of an older connection.
  auto rest = std::make_shared<SimWire>();
  rest->from_name = wire.from_name;
  rest->to_name = wire.to_name;
  rest->from = wire.from;
  rest->to = wire.to;
  rest->state = SimWire::State::open;
  rest->bound = wire.bound;
  rest->under_way = std::exchange(frames, {});
  for (std::size_t i = rest->under_way.size(); i > 0; --i) arrive_at(rest, at);
}

void SimLinks::snap(const std::shared_ptr<SimWire>& wire) {
  if (wire->state == SimWire::State::over) return;
  if (wire->state == SimWire::State::open) last_breath(*wire);
  wire->state = SimWire::State::over;
  // Nothing tells it through a cut; a session notices by itself.
  if (is_cut(wire->to_name, wire->from_name)) return;
  const Duration notice = upto(world_.random().below(16) == 0 ? late_notice_max : notice_max);
  world_.post_at(after(world_.now(), notice), [this, wire] {
    if (SimPort* from = find(wire->from)) from->disconnected(wire);
  });
}

void SimLinks::carry(const std::shared_ptr<SimWire>& wire, Bytes frame) {
  // What broke and was not noticed yet accepts, and loses.
  if (wire->state != SimWire::State::open) return;
  ++frames_;
  const Direction direction{wire->from_name, wire->to_name};
  Duration wait = way(wire->from_name, wire->to_name);
  if (!swallowed_.empty()) {
    const auto limit = swallowed_.find(direction);
    if (limit != swallowed_.end() && frame.size() > limit->second) wire->stuck = true;
  }
  Time at = after(world_.now(), wait);
  if (!rates_.empty()) {
    if (const auto rate = rates_.find(direction); rate != rates_.end()) {
      const auto takes = static_cast<double>(frame.size()) / rate->second * 1e9;
      at = after(std::max(at, wire->last_arrival), Duration(static_cast<Duration::rep>(takes)));
    }
  }
  wire->under_way.push_back(std::move(frame));
  wire->last_arrival = std::max(wire->last_arrival, at);
  arrive_at(wire, wire->last_arrival);
}

void SimLinks::arrive_at(const std::shared_ptr<SimWire>& wire, Time at) {
  world_.post_at(at, [this, wire] { arrive(wire); });
}

void SimLinks::arrive(const std::shared_ptr<SimWire>& wire) {
  if (wire->under_way.empty() || wire->state != SimWire::State::open) return;
  if (wire->stuck || is_cut(wire->from_name, wire->to_name)) return;
  Bytes frame = std::move(wire->under_way.front());
  wire->under_way.pop_front();
  if (SimPort* to = find(wire->to)) to->arrived(wire, std::move(frame));
}

// ---- the control lane, frame by frame

void SimLinks::carry_control(const SimPort& from, const std::string& to, wire::Hello bound,
                             Bytes frame) {
  if (is_cut(from.node(), to) || draw(control_lost)) return;
  const bool twice = draw(control_doubled);
  const auto send = [&](wire::Hello hello, Bytes bytes) {
    world_.post_at(after(world_.now(), way(from.node(), to)),
                   [this, to, hello = std::move(hello), bytes = std::move(bytes)]() mutable {
                     SimPort* const port = find(to);
                     if (port == nullptr || is_cut(hello.name, to)) return;
                     port->control_arrived(std::move(hello), std::move(bytes));
                   });
  };
  if (twice) send(bound, frame);
  send(std::move(bound), std::move(frame));
}

// Lost, doubled, late, overtaken.
void SimLinks::carry_note(const SimPort& from, const std::string& to, Bytes note) {
  const std::string& sender = from.node();
  if (is_cut(sender, to) || draw(notes.lost)) return;
  const unsigned copies = draw(notes.doubled) ? 2 : 1;
  const SimPort* const port = find(to);
  if (port == nullptr || !port->is_ours(from)) return;
  for (unsigned copy = 0; copy < copies; ++copy) {
    Duration wait = delay_between(sender, to);
    if (notes.late > 0 && draw(notes.late)) wait += upto(notes.late_max);
    last_note_ = std::max(last_note_, after(world_.now(), wait));
    world_.post_at(after(world_.now(), wait),
                   [this, id = port->id(), sender, note] { deliver_note(id, sender, note); });
  }
}

void SimLinks::deliver_note(NodeId to, const std::string& from, Bytes note) {
  SimPort* const port = find(to);
  if (port == nullptr || is_cut(from, port->node())) return;
  if (!port->stopped()) return port->note_arrived(from, note);
  // It lies in the socket of a stopped program.
  world_.post_at(after(world_.now(), poll),
                 [this, to, from, note] { deliver_note(to, from, note); });
}

void SimLinks::kill(NodeId node, bool lingers) {
  SimPort* const port = find(node);
  if (port == nullptr) return;
  port->kill();
  if (const auto found = living_.find(port->node());
      found != living_.end() && found->second == port) {
    living_.erase(found);
  }
  for (const auto& [direction, wires] : wires_) {
    if (direction.first != port->node() && direction.second != port->node()) continue;
    for (const auto& weak : wires) {
      const auto wire = weak.lock();
      if (!wire || (wire->from != node && wire->to != node)) continue;
      if (!lingers || wire->from != node) snap(wire);
    }
  }
}

bool SimLinks::troubled() const {
  const Time soon = after(world_.now(), way_long);
  if (last_note_ > soon) return true;
  for (const auto& [direction, wires] : wires_) {
    for (const auto& weak : wires) {
      const auto wire = weak.lock();
      if (!wire) continue;
      if (wire->stuck || wire->state == SimWire::State::over) return true;
      if (!wire->under_way.empty() && wire->last_arrival > soon) return true;
    }
  }
  return false;
}

// ---- faults

std::vector<std::shared_ptr<SimWire>> SimLinks::between(const std::string& a,
                                                        const std::string& b) {
  std::vector<std::shared_ptr<SimWire>> found;
  for (const Direction& direction : {Direction{a, b}, Direction{b, a}}) {
    const auto wires = wires_.find(direction);
    if (wires == wires_.end()) continue;
    for (const auto& weak : wires->second) {
      auto wire = weak.lock();
      if (wire && wire->state != SimWire::State::over) found.push_back(std::move(wire));
    }
  }
  return found;
}

void SimLinks::cut(const std::string& from, const std::string& to, bool cut) {
  if (cut) {
    cuts_.insert({from, to});
    return;
  }
  if (cuts_.erase({from, to}) == 0) return;
  for (const auto& wire : between(from, to)) {
    if (wire->from_name != from) continue;
    const Time at = after(world_.now(), upto(thaw_max));
    wire->last_arrival = std::max(wire->last_arrival, at);
    for (std::size_t i = wire->under_way.size(); i > 0; --i) arrive_at(wire, at);
  }
}

void SimLinks::heal() {
  for (const auto& [from, to] : std::set(cuts_)) cut(from, to, false);
}

void SimLinks::slow(const std::string& a, const std::string& b, Duration latency, Duration jitter) {
  for (const Direction& direction : {Direction{a, b}, Direction{b, a}}) {
    if (latency + jitter > Duration::zero()) {
      slow_[direction] = {latency, jitter};
    } else {
      slow_.erase(direction);
    }
  }
}

void SimLinks::throttle(const std::string& a, const std::string& b, double rate) {
  for (const Direction& direction : {Direction{a, b}, Direction{b, a}}) {
    if (rate > 0) {
      rates_[direction] = rate;
    } else {
      rates_.erase(direction);
    }
  }
}

void SimLinks::swallow_above(const std::string& a, const std::string& b, std::size_t bytes) {
  for (const Direction& direction : {Direction{a, b}, Direction{b, a}}) {
    if (bytes > 0) {
      swallowed_[direction] = bytes;
    } else {
      swallowed_.erase(direction);
    }
  }
}

void SimLinks::reset(const std::string& a, const std::string& b) {
  for (const auto& wire : between(a, b)) snap(wire);
}

void SimLinks::wedge(const std::string& a, const std::string& b) {
  for (const auto& wire : between(a, b)) wire->stuck = true;
}

void SimLinks::lose(const std::string& a, const std::string& b) {
  for (const auto& wire : between(a, b)) {
    if (SimPort* to = find(wire->to); to != nullptr && wire->state == SimWire::State::open) {
      to->arrived(wire, garbage);
    }
  }
}

void SimLinks::refuse_dials(const std::string& node, bool refuse) {
  if (refuse) {
    refusing_.insert(node);
  } else {
    refusing_.erase(node);
  }
}

}  // namespace coterie::sim
