#include "sim/sim_links.hpp"

#include <algorithm>
#include <vector>

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration look_interval = 50ms;  // between two tries to dial
constexpr Duration drain_step = 5ms;
constexpr Duration reset_max = 400ms;  // until the connection is there again

}  // namespace

class SimLinks::Port final : public Links {
 public:
  Port(SimLinks& links, TransportOptions options, SimExecutor& executor, DistributionEvents& events,
       std::function<void()> view_set)
      : links_(links),
        view_set_(std::move(view_set)),
        options_(std::move(options)),
        executor_(executor),
        address_("sim:" + options_.node),
        link_(links.network_.join({options_.node, options_.incarnation}, executor)) {
    links_.network_.listen(id(), events);
    links_.ports_[id()] = this;
    links_.names_[id()] = options_.node;
  }
  ~Port() override {
    links_.kill(id());
    links_.ports_.erase(id());
  }

  SendResult send(NodeId to, Envelope&& envelope) override {
    return link_.send(to, std::move(envelope));
  }
  NodeId connected(std::string_view node_name) const override { return link_.connected(node_name); }
  std::vector<Peer> peers() const override { return link_.peers(); }
  void confirm_dead(const Incarnation& incarnation) override {
    dead_[incarnation.id] = incarnation.counter;
    link_.confirm_dead(incarnation);
  }
  void send_note(std::string_view node, Bytes note) override {
    links_.carry_note(*this, std::string(node), std::move(note));
  }

  void set_members(std::vector<MemberAddress> members) override { members_ = std::move(members); }
  void set_view(std::uint64_t number) override {
    // Looked at from the world's own stack, with none of the node's locks held.
    if (view_set_) links_.world_.post_at(links_.world_.now(), view_set_);
    for (const Peer& peer : link_.peers()) {
      if (links_.is_cut(options_.node, peer.name)) continue;
      links_.world_.post_at(
          after(links_.world_.now(), links_.delay_between(options_.node, peer.name)),
          [&links = links_, to = peer.incarnation.id, number] {
            const auto found = links.ports_.find(to);
            if (found == links.ports_.end() || !found->second->alive_) return;
            // A frozen node hears of it when it thaws; the poll tells it as well.
            if (!found->second->executor_.frozen()) found->second->options_.view_hint(number);
          });
    }
  }
  std::vector<PeerState> peer_states() const override {
    std::vector<PeerState> states;
    const std::vector<Peer> up = link_.peers();
    for (const MemberAddress& member : members_) {
      PeerState state;
      state.name = member.name;
      state.address = member.address;
      const auto found = std::ranges::find(up, member.name, &Peer::name);
      state.up = found != up.end();
      if (state.up) state.incarnation = found->incarnation;
      state.state = state.up ? "connected" : "dialling";
      states.push_back(std::move(state));
    }
    return states;
  }
  std::string guardian_key(std::string_view node_name,
                           const Incarnation& incarnation) const override {
    const auto found = keys_.find(incarnation.id);
    return found != keys_.end() && links_.name_of(incarnation.id) == node_name ? found->second
                                                                               : std::string();
  }
  void stop(Duration drain) override {
    const Time end = after(executor_.now(), drain);
    while (alive_ && !links_.network_.all_arrived(id()) && executor_.now() < end) {
      executor_.sleep_until(std::min(end, after(executor_.now(), drain_step)));
    }
    links_.kill(id());
  }
  const std::string& address() const noexcept override { return address_; }

  NodeId id() const noexcept { return options_.incarnation.id; }
  bool wants(const Port& other) const {
    return alive_ && other.options_.cluster_id == options_.cluster_id &&
           other.options_.config_digest == options_.config_digest &&
           std::ranges::find(members_, other.options_.node, &MemberAddress::name) != members_.end();
  }

  SimLinks& links_;
  const std::function<void()> view_set_;
  const TransportOptions options_;
  SimExecutor& executor_;
  const std::string address_;
  Distribution& link_;
  std::vector<MemberAddress> members_;
  std::map<NodeId, std::string> keys_;    // told in hellos
  std::map<NodeId, std::uint64_t> dead_;  // counters
  bool alive_ = true;
};

SimLinks::SimLinks(SimWorld& world)
    : world_(world),
      network_(world, {.extra_delay = [this](NodeId from, NodeId to) { return extra(from, to); },
                       .copies = [this] { return frame_copies ? frame_copies() : 1; }}) {
  look();
}

SimLinks::~SimLinks() = default;

std::unique_ptr<Links> SimLinks::open(TransportOptions options, SimExecutor& executor,
                                      DistributionEvents& events, std::function<void()> view_set) {
  return std::make_unique<Port>(*this, std::move(options), executor, events, std::move(view_set));
}

const std::string& SimLinks::name_of(NodeId node) const {
  static const std::string nobody;
  const auto found = names_.find(node);
  return found == names_.end() ? nobody : found->second;
}

Duration SimLinks::extra(NodeId from, NodeId to) {
  const auto found = slow_.find({name_of(from), name_of(to)});
  if (found == slow_.end()) return {};
  const auto [latency, jitter] = found->second;
  return latency + Duration(static_cast<Duration::rep>(
                       world_.random().below(static_cast<std::uint64_t>(jitter.count()) + 1)));
}

Duration SimLinks::delay_between(const std::string& from, const std::string& to) {
  const Duration base =
      50us + Duration(static_cast<Duration::rep>(world_.random().below(2'000'000)));
  const auto found = slow_.find({from, to});
  return found == slow_.end() ? base : base + found->second.first;
}

// ---- who is connected

void SimLinks::look() {
  for (auto a = ports_.begin(); a != ports_.end(); ++a) {
    for (auto b = std::next(a); b != ports_.end(); ++b) look_at(*a->second, *b->second);
  }
  world_.post_at(after(world_.now(), look_interval), [this] { look(); });
}

void SimLinks::look_at(Port& a, Port& b) {
  if (!a.alive_ || !b.alive_ || a.options_.node == b.options_.node) return;
  const bool silent = is_cut(a.options_.node, b.options_.node) ||
                      is_cut(b.options_.node, a.options_.node) || a.executor_.frozen() ||
                      b.executor_.frozen();
  const std::pair pair{a.id(), b.id()};
  if (network_.over(a.id(), b.id())) {
    quiet_since_.erase(pair);
    if (silent || !a.wants(b) || !b.wants(a)) return;
    tell_outlived(a, b);
    tell_outlived(b, a);
    if (!network_.connect(a.id(), b.id())) return;
    a.keys_[b.id()] = b.options_.guardian_key;
    b.keys_[a.id()] = a.options_.guardian_key;
    return;
  }
  if (!silent) {
    quiet_since_.erase(pair);
    return;
  }
  const Time since = quiet_since_.try_emplace(pair, world_.now()).first->second;
  if (world_.now() - since < a.options_.link.link_down_after) return;
  if (network_.connected(a.id(), b.id())) ++sessions_lost_;
  network_.cut(a.id(), b.id());
}

void SimLinks::tell_outlived(const Port& survivor, Port& dead) {
  const auto found = survivor.dead_.find(dead.id());
  if (found == survivor.dead_.end() || !dead.options_.outlived) return;
  dead.options_.outlived(found->second);
}

// ---- notes

// Beside the sessions, on a connection of their own: lost, doubled, late, overtaken.
void SimLinks::carry_note(const Port& from, const std::string& to, Bytes note) {
  const std::string& sender = from.options_.node;
  const auto draw = [this](double probability) {
    return static_cast<double>(world_.random().below(1'000'000)) < probability * 1e6;
  };
  if (!from.alive_ || is_cut(sender, to) || draw(notes.lost)) return;
  const unsigned copies = draw(notes.doubled) ? 2 : 1;
  for (const auto& [id, port] : ports_) {
    if (port->options_.node != to || !port->alive_ || !port->wants(from)) continue;
    for (unsigned copy = 0; copy < copies; ++copy) {
      Duration wait = delay_between(sender, to);
      if (notes.late > 0 && draw(notes.late)) {
        const auto most = static_cast<std::uint64_t>(notes.late_max.count()) + 1;
        wait += Duration(static_cast<Duration::rep>(world_.random().below(most)));
      }
      world_.post_at(after(world_.now(), wait), [this, id = id, sender, note] {
        const auto found = ports_.find(id);
        if (found != ports_.end()) deliver_note(*found->second, sender, note);
      });
    }
  }
}

void SimLinks::deliver_note(const Port& to, const std::string& from, Bytes note) {
  if (!to.alive_ || is_cut(from, to.options_.node) || !to.options_.note) return;
  if (!to.executor_.frozen()) return to.options_.note(from, note);
  // It lies in the socket of a stopped program.
  world_.post_at(after(world_.now(), look_interval), [this, id = to.id(), from, note] {
    const auto found = ports_.find(id);
    if (found != ports_.end()) deliver_note(*found->second, from, note);
  });
}

void SimLinks::kill(NodeId node) {
  const auto found = ports_.find(node);
  if (found == ports_.end() || !found->second->alive_) return;
  found->second->alive_ = false;
  network_.kill(node, false);
}

// ---- faults

void SimLinks::cut(const std::string& from, const std::string& to, bool cut) {
  if (cut) {
    cuts_.insert({from, to});
  } else {
    cuts_.erase({from, to});
  }
  for (const auto& [a, port] : ports_) {
    if (port->options_.node != from || !port->alive_) continue;
    for (const auto& [b, other] : ports_) {
      if (other->options_.node == to && other->alive_) network_.stall(a, b, cut);
    }
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

void SimLinks::reset(const std::string& a, const std::string& b) {
  for (const auto& [first, port] : ports_) {
    if (port->options_.node != a || !port->alive_) continue;
    for (const auto& [second, other] : ports_) {
      if (other->options_.node != b || !other->alive_) continue;
      if (world_.random().below(4) == 0) {
        if (network_.connected(first, second)) ++sessions_lost_;
        network_.cut(first, second);
        continue;
      }
      network_.stall(first, second, true);
      network_.stall(second, first, true);
      const Duration wait(static_cast<Duration::rep>(
          world_.random().below(static_cast<std::uint64_t>(Duration(reset_max).count()))));
      world_.post_at(after(world_.now(), wait), [this, first = first, second = second] {
        if (!ports_.contains(first) || !ports_.contains(second)) return;
        if (!is_cut(name_of(first), name_of(second))) network_.stall(first, second, false);
        if (!is_cut(name_of(second), name_of(first))) network_.stall(second, first, false);
      });
    }
  }
}

void SimLinks::lose(const std::string& a, const std::string& b) {
  for (const auto& [first, port] : ports_) {
    if (port->options_.node != a || !port->alive_) continue;
    for (const auto& [second, other] : ports_) {
      if (other->options_.node != b || !other->alive_) continue;
      if (network_.connected(first, second)) ++sessions_lost_;
      network_.cut(first, second);
    }
  }
}

}  // namespace coterie::sim
