#include "sim/sim_network.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <stdexcept>

#include "transport/envelope_codec.hpp"

namespace coterie::sim {
namespace {

/// What is left of an envelope when it has been bytes on the wire.
Envelope carried(const Envelope& envelope, wire::Ends ends) {
  auto arrived = wire::decode_envelope(wire::encode_envelope(envelope, ends), ends);
  if (arrived) return *std::move(arrived);
  throw std::logic_error("an envelope does not survive the wire: " + arrived.error());
}

}  // namespace

/// One session; side 0 is the first of the pair.
struct SimNetwork::Session {
  struct Side {
    Port* port = nullptr;
    bool up = false;
    bool over = false;  // it was told of the loss, or will never hear of the session
    // Of the frames that it sends:
    Time last_arrival{};
    std::size_t under_way = 0;
    bool refused = false;
    bool stalled = false;
    std::deque<Envelope> held;  // while it is
  };
  std::array<Side, 2> sides;
  bool lost = false;
};

class SimNetwork::Port final : public Distribution {
 public:
  Port(SimNetwork& network, Peer self, SimExecutor& executor)
      : network_(network), self_(std::move(self)), strand_(executor.make_strand("network")) {}

  SendResult send(NodeId to, Envelope&& envelope) override;
  NodeId connected(std::string_view node_name) const override {
    for (const auto& [id, session] : up_) {
      if (network_.port(id)->self_.name == node_name) return id;
    }
    return NodeId::none;
  }
  std::vector<Peer> peers() const override {
    std::vector<Peer> peers;
    for (const auto& [id, session] : up_) peers.push_back(network_.port(id)->self_);
    return peers;
  }
  void confirm_dead(const Incarnation& incarnation) override {
    refused_.insert(incarnation.id);
    network_.cut(id(), incarnation.id, true);
  }

  NodeId id() const noexcept { return self_.incarnation.id; }

  SimNetwork& network_;
  const Peer self_;
  std::unique_ptr<Strand> strand_;  // null: dead
  DistributionEvents* events_ = nullptr;
  std::map<NodeId, std::pair<std::shared_ptr<Session>, int>> up_;  // with this node's side
  std::set<NodeId> refused_;
};

SendResult SimNetwork::Port::send(NodeId to, Envelope&& envelope) {
  const auto found = up_.find(to);
  if (found == up_.end()) return SendResult::no_node;
  const auto [session, side] = found->second;
  auto& mine = session->sides[static_cast<std::size_t>(side)];
  if (mine.under_way >= network_.options_.window) {
    mine.refused = true;
    return SendResult::busy;
  }
  ++mine.under_way;
  const auto& theirs = session->sides[static_cast<std::size_t>(1 - side)];
  // After a loss a frame is accepted until this side hears of it, and never arrives.
  if (session->lost || !theirs.port->strand_) return SendResult::sent;
  const unsigned copies = network_.options_.copies ? network_.options_.copies() : 1;
  if (copies == 0) --mine.under_way;
  for (unsigned copy = 0; copy < copies; ++copy) {
    if (copy > 0) ++mine.under_way;
    Envelope frame = carried(envelope, {id(), to});
    if (mine.stalled) {
      mine.held.push_back(std::move(frame));
    } else {
      network_.carry(session, side, std::move(frame));
    }
  }
  return SendResult::sent;
}

/// On that port's strand, so that a frozen node finds it when it thaws.
void SimNetwork::post(Port& port, Time at, SimWorld::Job job) {
  world_.post_at(at, [&port, job = std::move(job)]() mutable {
    if (port.strand_) port.strand_->post(std::move(job));
  });
}

void SimNetwork::carry(const std::shared_ptr<Session>& session, int side, Envelope&& envelope) {
  auto& mine = session->sides[static_cast<std::size_t>(side)];
  Port& receiver = *session->sides[static_cast<std::size_t>(1 - side)].port;
  Duration wait = delay();
  if (options_.extra_delay) wait += options_.extra_delay(mine.port->id(), receiver.id());
  mine.last_arrival = std::max(mine.last_arrival, after(world_.now(), wait));
  post(receiver, mine.last_arrival, [session, side, envelope = std::move(envelope)]() mutable {
    auto& from = session->sides[static_cast<std::size_t>(side)];
    auto& here = session->sides[static_cast<std::size_t>(1 - side)];
    SimNetwork& network = here.port->network_;
    --from.under_way;
    if (from.refused && from.up && from.port->strand_) {
      from.refused = false;
      network.post(*from.port, after(network.world_.now(), network.delay()), [session, side] {
        auto& sender = session->sides[static_cast<std::size_t>(side)];
        auto& peer = session->sides[static_cast<std::size_t>(1 - side)];
        if (sender.up) sender.port->events_->writable(peer.port->id());
      });
    }
    if (!here.up) return;
    network.world_.note(static_cast<std::uint64_t>(envelope.signal));
    network.world_.note(static_cast<std::uint64_t>(envelope.ref));
    here.port->events_->deliver(from.port->id(), std::move(envelope));
  });
}

SimNetwork::SimNetwork(SimWorld& world, SimNetworkOptions options)
    : world_(world), options_(options) {}

SimNetwork::~SimNetwork() = default;

Duration SimNetwork::delay() {
  const auto range = static_cast<std::uint64_t>((options_.delay_max - options_.delay_min).count());
  return options_.delay_min +
         Duration(static_cast<Duration::rep>(world_.random().below(range + 1)));
}

SimNetwork::Port* SimNetwork::port(NodeId node) const {
  const auto found = ports_.find(node);
  return found == ports_.end() ? nullptr : found->second.get();
}

Distribution& SimNetwork::join(Peer self, SimExecutor& executor) {
  const NodeId id = self.incarnation.id;
  return *(ports_[id] = std::make_unique<Port>(*this, std::move(self), executor));
}

void SimNetwork::listen(NodeId node, DistributionEvents& events) { port(node)->events_ = &events; }

bool SimNetwork::connect(NodeId a, NodeId b) {
  auto [low, high] = pair_of(a, b);
  Port* const first = port(low);
  Port* const second = port(high);
  if (a == b || first == nullptr || second == nullptr) return false;
  if (!first->strand_ || !second->strand_) return false;
  if (first->refused_.contains(high) || second->refused_.contains(low)) return false;
  if (hears(*first, *second) || hears(*second, *first)) return false;
  auto& slot = sessions_[{low, high}];
  slot = std::make_shared<Session>();
  slot->sides[0].port = first;
  slot->sides[1].port = second;
  post_up(slot, 0);
  post_up(slot, 1);
  return true;
}

bool SimNetwork::hears(const Port& here, const Port& there) const {
  return std::ranges::any_of(sessions_, [&](const auto& entry) {
    if (!entry.second) return false;
    const auto& sides = entry.second->sides;
    const std::size_t side = sides[0].port == &here ? 0 : 1;
    return sides[side].port == &here && !sides[side].over &&
           sides[1 - side].port->self_.name == there.self_.name;
  });
}

void SimNetwork::connect_all() {
  for (const NodeId a : alive()) {
    for (const NodeId b : alive()) {
      if (a < b) connect(a, b);
    }
  }
}

void SimNetwork::post_up(const std::shared_ptr<Session>& session, int side) {
  auto& other = session->sides[static_cast<std::size_t>(1 - side)];
  const Time at = after(world_.now(), delay());
  other.last_arrival = at;  // no frame overtakes the news of its session
  post(*session->sides[static_cast<std::size_t>(side)].port, at, [session, side] {
    auto& here = session->sides[static_cast<std::size_t>(side)];
    const auto& there = session->sides[static_cast<std::size_t>(1 - side)];
    if (here.over) return;
    here.up = true;
    here.port->up_[there.port->id()] = {session, side};
    here.port->network_.world_.note("up");
    here.port->events_->node_up(there.port->self_);
  });
}

void SimNetwork::post_down(const std::shared_ptr<Session>& session, int side, bool confirmed) {
  auto& here = session->sides[static_cast<std::size_t>(side)];
  if (!here.port->strand_) {
    here.over = true;
    return;
  }
  const auto range = static_cast<std::uint64_t>(options_.detection_max.count()) + 1;
  const Duration wait(static_cast<Duration::rep>(world_.random().below(range)));
  post(*here.port, after(world_.now(), wait), [session, side, confirmed] {
    auto& mine = session->sides[static_cast<std::size_t>(side)];
    const auto& theirs = session->sides[static_cast<std::size_t>(1 - side)];
    mine.over = true;
    if (!std::exchange(mine.up, false)) return;
    mine.port->up_.erase(theirs.port->id());
    mine.port->network_.world_.note("down");
    mine.port->events_->node_down(theirs.port->self_, "the simulated session was lost", confirmed);
  });
}

void SimNetwork::lose(const std::shared_ptr<Session>& session, bool confirmed) {
  if (std::exchange(session->lost, true)) return;
  post_down(session, 0, confirmed);
  post_down(session, 1, confirmed);
}

void SimNetwork::cut(NodeId a, NodeId b, bool confirmed) {
  const auto found = sessions_.find(pair_of(a, b));
  if (found != sessions_.end() && found->second) lose(found->second, confirmed);
}

void SimNetwork::kill(NodeId node, bool confirmed) {
  Port* const dead = port(node);
  dead->strand_.reset();
  dead->up_.clear();
  for (const auto& [pair, session] : sessions_) {
    if (pair.first != node && pair.second != node) continue;
    for (auto& side : session->sides) {
      if (side.port != dead) continue;
      side.up = false;
      side.over = true;
    }
    lose(session, confirmed);
  }
}

void SimNetwork::stall(NodeId from, NodeId to, bool stalled) {
  const auto found = sessions_.find(pair_of(from, to));
  if (found == sessions_.end() || !found->second) return;
  const auto& session = found->second;
  const int side = session->sides[0].port->id() == from ? 0 : 1;
  auto& mine = session->sides[static_cast<std::size_t>(side)];
  mine.stalled = stalled;
  if (stalled) return;
  for (Envelope& envelope : std::exchange(mine.held, {})) {
    if (!session->lost) carry(session, side, std::move(envelope));
  }
}

bool SimNetwork::all_arrived(NodeId from) const {
  for (const auto& [pair, session] : sessions_) {
    if ((pair.first != from && pair.second != from) || !session || session->lost) continue;
    const auto& mine = session->sides[session->sides[0].port->id() == from ? 0 : 1];
    if (mine.up && mine.under_way > 0) return false;
  }
  return true;
}

bool SimNetwork::over(NodeId a, NodeId b) const {
  const auto found = sessions_.find(pair_of(a, b));
  return found == sessions_.end() || !found->second ||
         (found->second->sides[0].over && found->second->sides[1].over);
}

bool SimNetwork::connected(NodeId a, NodeId b) const {
  const auto found = sessions_.find(pair_of(a, b));
  return found != sessions_.end() && found->second->sides[0].up && found->second->sides[1].up;
}

std::vector<NodeId> SimNetwork::alive() const {
  std::vector<NodeId> nodes;
  for (const auto& [id, there] : ports_) {
    if (there->strand_) nodes.push_back(id);
  }
  return nodes;
}

}  // namespace coterie::sim
