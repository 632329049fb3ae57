#include "sim/sim_port.hpp"

#include <algorithm>
#include <utility>

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration drain_step = 5ms;
constexpr Duration together = 25ms;

LinkSelf self_of(const TransportOptions& options) {
  return {options.node,          options.incarnation, options.cluster_id,
          options.config_digest, options.history,     1,
          options.guardian_key};
}

LinkOptions without_window(LinkOptions options) {
  options.stream.window_messages = SIZE_MAX;
  return options;
}

}  // namespace

SimPort::SimPort(SimLinks& links, TransportOptions options, SimExecutor& executor,
                 DistributionEvents& events, SimLinks::Watch watch)
    : links_(links),
      options_(std::move(options)),
      link_options_(links.window_off ? without_window(options_.link) : options_.link),
      self_(self_of(options_)),
      executor_(executor),
      events_(events),
      watch_(std::move(watch)),
      address_("sim:" + options_.node),
      random_(links.world().random().split()),
      strand_(executor.make_strand("network")) {
  links_.add(*this);
}

SimPort::~SimPort() {
  links_.kill(id());
  links_.remove(*this);
}

template <class Job>
void SimPort::post(Job job) {
  strand_->post([this, job = std::move(job)]() mutable {
    if (alive_) job();
  });
}

bool SimPort::is_ours(const SimPort& other) const noexcept {
  return self_.cluster_id == other.self_.cluster_id &&
         self_.config_digest == other.self_.config_digest && self_.history == other.self_.history;
}

// ---- from any thread of the node

const SimPort::Session* SimPort::session_of(NodeId node) const {
  const auto found = sessions_.find(node);
  return found == sessions_.end() ? nullptr : &found->second;
}

SendResult SimPort::send(NodeId to, Envelope&& envelope) {
  const Session* const session = session_of(to);
  if (session == nullptr || !alive_) return SendResult::no_node;
  bool enough = false;
  std::size_t too_big = 0;
  const SendResult result = session->outbox->hand_over(to, envelope, enough, too_big);
  if (too_big > 0) {
    refuse_too_big(*session->outbox, envelope, too_big);
    return SendResult::sent;
  }
  if (result != SendResult::sent) return result;
  if (watch_.sent) watch_.sent(envelope);
  want_turn(*session->line);
  return result;
}

void SimPort::refuse_too_big(const ZmqOutbox& outbox, const Envelope& envelope, std::size_t bytes) {
  if (envelope.signal != Signal::call) return;
  post([this, from = outbox.peer()->incarnation.id,
        kept = too_big_answer(envelope, "a message of " + std::to_string(bytes) +
                                            " bytes is over the limit")]() mutable {
    if (session_of(from) != nullptr) events_.deliver(from, std::move(kept));
  });
}

NodeId SimPort::connected(std::string_view node_name) const {
  const Line* const line = find_line(node_name);
  if (line == nullptr || !line->outbox) return NodeId::none;
  return line->outbox->peer()->incarnation.id;
}

std::vector<Peer> SimPort::peers() const {
  std::vector<Peer> peers;
  for (const auto& [id, session] : sessions_) peers.push_back(*session.outbox->peer());
  return peers;
}

void SimPort::confirm_dead(const Incarnation& incarnation) {
  post([this, incarnation] {
    dead_.insert(incarnation.id);
    for (const auto& [name, line] : lines_) {
      if (line->link.peer() != incarnation) continue;
      line->link.confirm_dead(now(), incarnation);
      work(*line);
    }
  });
}

void SimPort::send_note(std::string_view node, Bytes note) {
  if (alive_) links_.carry_note(*this, std::string(node), std::move(note));
}

void SimPort::set_members(std::vector<MemberAddress> members) {
  post([this, members = std::move(members)] { apply_members(members); });
}

void SimPort::set_view(std::uint64_t number) {
  view_ = number;
  // Looked at from the world's own stack, with none of the node's locks held.
  if (watch_.view_set) links_.world().post_at(links_.world().now(), watch_.view_set);
  post([this] {
    for (const auto& [name, line] : lines_) {
      if (line->link.up()) beat(*line);
    }
  });
}

std::vector<PeerState> SimPort::peer_states() const {
  std::vector<PeerState> states;
  for (const auto& [name, line] : lines_) {
    if (!line->wanted) continue;
    const Link& link = line->link;
    const Held& held = link.sending().held();
    states.push_back({name, line->member.address, link.peer(), link.up(), link.up(),
                      link.flapping(now()), link.describe(), held.messages,
                      held.bytes + held.big_bytes, link.counters()});
  }
  return states;
}

std::string SimPort::guardian_key(std::string_view, const Incarnation& incarnation) const {
  const auto found = guardian_keys_.find(incarnation.id);
  return found == guardian_keys_.end() ? std::string() : found->second;
}

void SimPort::stop(Duration drain) {
  const auto waiting = [this] {
    return std::ranges::any_of(lines_, [](const auto& each) {
      const Line& line = *each.second;
      return line.link.up() && (!line.link.sending().idle() || line.outbox->waits());
    });
  };
  const Time end = after(now(), drain);
  while (alive_ && waiting() && now() < end) {
    executor_.sleep_until(std::min(end, after(now(), drain_step)));
  }
  if (!alive_) return;
  for (const auto& [name, line] : lines_) {
    line->link.bye(now());
    for (LinkAction& action : line->link.take_actions()) {
      if (auto* send = std::get_if<link_action::Send>(&action)) carry_out(*line, *send);
    }
    if (line->outbox) line->outbox->close();
    // What it sent lingers until it has arrived.
    line->wire.reset();
  }
  sessions_.clear();
  links_.kill(id(), true);
}

// ---- turns, on the strand

void SimPort::want_turn(Line& line) {
  if (!std::exchange(line.touched, true)) touched_.push_back(&line);
  if (std::exchange(turn_wanted_, true)) return;
  post([this] { take_turn(); });
}

// In the order of names. Of hundreds of lines few have something to do between two ticks.
void SimPort::take_turn() {
  turn_wanted_ = false;
  if (beats_at_ <= now()) {
    beats_at_ = after(now(), options_.beat_interval);
    for (const auto& [name, line] : lines_) {
      if (line->wanted) beat(*line);
    }
  }
  std::vector<Line*> lines = std::exchange(touched_, {});
  for (const auto& [at, line] : ticks_) {
    if (at > now()) break;
    if (!std::exchange(line->touched, true)) lines.push_back(line);
  }
  std::ranges::sort(lines, {},
                    [](const Line* line) -> const std::string& { return line->member.name; });
  for (Line* line : lines) line->touched = false;
  for (Line* line : lines) {
    const bool waits = line->outbox && line->outbox->waits();
    if (waits || line->link.has_actions() || line->link.next_tick() <= now()) {
      work(*line);
    } else {
      follow_ticks(*line);
    }
  }
  const Time next = ticks_.empty() ? Time::max() : ticks_.begin()->first;
  set_alarm(std::min(next, beats_at_));
}

void SimPort::follow_ticks(Line& line) {
  const Time at = line.link.next_tick();
  if (at == line.tick_at) return;
  ticks_.erase({line.tick_at, &line});
  line.tick_at = at;
  ticks_.insert({at, &line});
}

SimPort::Line* SimPort::find_line(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

void SimPort::set_alarm(Time at) {
  // Ticks that are far away may come together, whichever link they are for.
  if (at > after(now(), together) && at != Time::max()) {
    const Duration beyond = at.time_since_epoch() % together;
    if (beyond > Duration::zero()) at = after(at, together - beyond);
  }
  if (at >= alarm_at_) return;
  alarm_at_ = at;
  strand_->post_at(at, [this, at] {
    if (!alive_ || alarm_at_ != at) return;
    alarm_at_ = Time::max();
    take_turn();
  });
}

void SimPort::work(Line& line) {
  Link& link = line.link;
  if (link.next_tick() <= now()) link.tick(now());
  // First what has happened: a loss closes the outbox before anything is taken from it.
  carry_out_all(line);
  if (line.outbox && link.up()) {
    line.outbox->take(now(), taken_);
    for (Outgoing& outgoing : taken_) link.send(std::move(outgoing));
    link.flush(now());
    carry_out_all(line);
  }
  if (line.outbox) {
    const SendStream& sending = link.sending();
    if (line.outbox->publish(sending.held(), sending.interleaved())) {
      events_.writable(line.outbox->peer()->incarnation.id);
    }
  }
  follow_ticks(line);
  set_alarm(line.tick_at);
}

void SimPort::apply_members(const std::vector<MemberAddress>& members) {
  std::set<std::string_view> wanted;
  for (const MemberAddress& member : members) wanted.insert(member.name);
  for (const auto& [name, line] : lines_) {
    line->wanted = wanted.contains(name);
    if (!line->wanted) line->link.remove(now(), "the node is no member any more");
  }
  for (const MemberAddress& member : members) {
    if (member.name == node()) continue;
    auto& line = lines_[member.name];
    if (!line) {
      line =
          std::make_unique<Line>(Link(self_, member.name, link_options_, random_, now()), member);
      by_name_[line->member.name] = line.get();
    } else {
      line->link.reopen(now());
    }
  }
  for (const auto& [name, line] : lines_) {
    follow_ticks(*line);
    if (!std::exchange(line->touched, true)) touched_.push_back(line.get());
  }
  take_turn();
}

// ---- what arrives

void SimPort::note_arrived(const std::string& from, const Bytes& note) const {
  if (options_.note) options_.note(from, note);
}

SimPort::Line* SimPort::line_of(const SimWire& wire) {
  Line* const line = find_line(wire.to_name);
  return line != nullptr && line->wire.get() == &wire ? line : nullptr;
}

void SimPort::dialled(std::shared_ptr<SimWire> wire) {
  post([this, wire = std::move(wire)] {
    Line* line = line_of(*wire);
    if (line == nullptr || wire->state != SimWire::State::open) return;
    line->link.dialled(now());
    work(*line);
  });
}

void SimPort::dial_failed(std::shared_ptr<SimWire> wire, bool refused) {
  post([this, wire = std::move(wire), refused] {
    Line* line = line_of(*wire);
    if (line == nullptr) return;
    line->wire.reset();
    line->link.dial_failed(now(), refused, refused ? "connection refused" : "no connection");
    work(*line);
  });
}

void SimPort::disconnected(std::shared_ptr<SimWire> wire) {
  post([this, wire = std::move(wire)] {
    Line* line = line_of(*wire);
    if (line == nullptr) return;
    line->wire.reset();
    // Of these two the Link heeds the one that fits its state.
    line->link.dial_failed(now(), false, "the connection broke");
    line->link.disconnected(now());
    work(*line);
  });
}

void SimPort::arrived(std::shared_ptr<SimWire> wire, Bytes bytes) {
  post([this, wire = std::move(wire), bytes = std::move(bytes)] {
    const auto frame = wire::decode(bytes);
    if (frame) {
      if (const auto* told = std::get_if<wire::Hello>(&*frame)) return hello(wire, *told);
    }
    Line* const found = wire->bound ? find_line(wire->bound->name) : nullptr;
    if (found == nullptr) return;
    Line& line = *found;
    if (frame) {
      line.link.frame(now(), *wire->bound, *frame);
    } else {
      const wire::Hello bound = *std::exchange(wire->bound, std::nullopt);
      line.link.malformed(now(), bound, frame.error());
    }
    work(line);
  });
}

void SimPort::hello(const std::shared_ptr<SimWire>& wire, const wire::Hello& hello) {
  Line* const found = find_line(hello.name);
  if (found == nullptr || !found->wanted) return;
  Line& line = *found;
  if (dead_.contains(hello.incarnation.id)) line.link.confirm_dead(now(), hello.incarnation);
  if (line.link.hello(now(), hello)) {
    wire->bound = hello;
    if (!hello.guardian_key.empty()) guardian_keys_[hello.incarnation.id] = hello.guardian_key;
  } else {
    wire->bound.reset();
  }
  work(line);
}

void SimPort::control_arrived(wire::Hello bound, Bytes bytes) {
  post([this, bound = std::move(bound), bytes = std::move(bytes)] {
    Line* const found = find_line(bound.name);
    if (found == nullptr || !found->wanted) return;
    Line& line = *found;
    const auto frame = wire::decode(bytes);
    if (!frame) return;
    line.link.frame(now(), bound, *frame);
    if (const auto* beat = std::get_if<wire::Beat>(&*frame)) {
      if (line.link.up() && beat->view > std::max(hinted_view_, view_)) {
        hinted_view_ = beat->view;
        if (options_.view_hint) options_.view_hint(beat->view);
      }
    }
    work(line);
  });
}

// One message may go above the bound of bytes, one frame of small ones above that of messages.
std::string SimPort::beyond_bounds() const {
  const StreamOptions& stream = options_.link.stream;
  for (const auto& [name, line] : lines_) {
    const Held& held = line->link.sending().held();
    const bool beyond = held.messages > stream.window_messages ||
                        held.bytes > stream.window_bytes + stream.piece_bytes ||
                        held.big_bytes > stream.window_bytes + stream.message_bytes_max;
    if (!beyond) continue;
    return "the session of " + node() + " with " + name + " holds " +
           std::to_string(held.messages) + " messages of " + std::to_string(held.bytes) + " and " +
           std::to_string(held.big_bytes) + " bytes";
  }
  return {};
}

}  // namespace coterie::sim
