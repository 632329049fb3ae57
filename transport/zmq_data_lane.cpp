// A turn of ZmqDistribution: what is done with its sockets. Whoever has the turn runs it.

#include <algorithm>
#include <utility>

#include "transport/envelope_codec.hpp"
#include "transport/zmq_distribution.hpp"

namespace coterie {
namespace {

// Then what was received is run, and beats, acks and sends have their turn: what waits in mailboxes
// stays in the processor's caches.
constexpr int frames_per_turn = 16;
// Of what nobody is on the lookout for, because all workers are busy.
constexpr Duration peek_every = std::chrono::milliseconds(1);
constexpr Duration probe_time = std::chrono::milliseconds(500);
constexpr std::size_t inbound_max = 4096;
constexpr std::size_t guardian_keys_max = 1024;
constexpr std::size_t strangers_max = 256;

}  // namespace

bool ZmqDistribution::take_turn(Time now) {
  control_->alive(now);
  std::vector<Command> commands;
  {
    std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (Command& command : commands) command(now);
  forget_removed_keys();
  if (control_news_.exchange(false)) receive_control(now);
  const bool received = receive(now);
  if (now - peeked_at_ >= peek_every && looker_.load() == Looker::nobody) {
    peeked_at_ = now;
    if ((lookout_.wait(Duration::zero()) & ZmqLookout::links) != 0) links_news_.store(true);
  }
  const bool links_news = links_news_.exchange(false) || links_look_at_ <= now;
  if (links_news) links_look_at_ = now + states_every_;
  Time next = states_at_ + states_every_;
  for (auto& [name, peer] : peers_) {
    if (links_news) {
      connection_events(now, *peer);
      watch_probe(now, *peer);
    }
    if (peer->outbox->waits() || peer->touched || peer->link.has_actions() ||
        peer->link.next_tick() <= now) {
      work(now, *peer);
    }
    next = std::min(next, peer->link.next_tick());
    if (peer->probe) {
      next = std::min(next, peer->probe_until);
      links_look_at_ = std::min(links_look_at_, peer->probe_until);
    }
  }
  publish_states(now);
  turn_at_.store(next);
  turns_.fetch_add(1);
  return received;
}

void ZmqDistribution::apply_members(Time now, const std::vector<MemberAddress>& members) {
  for (auto& [name, peer] : peers_) {
    peer->wanted = std::ranges::any_of(
        members, [&](const MemberAddress& member) { return member.name == name; });
    if (!peer->wanted) {
      peer->link.remove(now, "the node is no member any more");
      control_->hang_up(name);
      peer->control_told = {};
    }
  }
  for (const MemberAddress& member : members) {
    if (member.name == self_.name) continue;
    auto& peer = peers_[member.name];
    if (!peer) {
      peer = std::make_unique<PeerLine>(
          Link(self_, member.name, options_.link, random_, now),
          outboxes_.add(member.name, self_.incarnation.id, options_.link.stream));
    } else {
      peer->link.reopen(now);
    }
    if (!(peer->member == member)) peer->control_told = {};
    peer->member = member;
  }
}

// --- what arrives -------------------------------------------------------------------------------

bool ZmqDistribution::receive(Time now) {
  for (int i = 0; i < frames_per_turn; ++i) {
    auto message = receive_routed(router_);
    if (!message) return i > 0;
    if (i > 0) now = clock_.now();
    ++counting_.frames_in;
    if (message->well_formed) {
      on_frame(now, message->routing_id, message->frame.to_string_view(), message->user());
    } else {
      on_frame(now, message->routing_id, {}, {});
    }
  }
  return true;
}

void ZmqDistribution::on_frame(Time now, const std::string& routing_id, BytesView bytes,
                               std::string_view user) {
  const auto bound = inbound_.find(routing_id);
  if (bound != inbound_.end() && bound->second.user != user) {
    // A dialler may name its own routing id: one that another node's connection had is not it.
    ++counting_.other_keys;
    return;
  }
  const auto frame = wire::decode(bytes);
  if (!frame) {
    ++counting_.malformed;
    if (bound == inbound_.end()) return;
    // ZeroMQ cannot close one connection of a ROUTER: nothing of it is read from now on, and the
    // peer, being told, closes it.
    const Inbound from = bound->second;
    inbound_.erase(bound);
    from.peer->link.malformed(now, from.hello, frame.error());
    return work(now, *from.peer);
  }
  if (const auto* hello = std::get_if<wire::Hello>(&*frame)) {
    return on_hello(now, routing_id, *hello, user);
  }
  if (bound == inbound_.end()) {
    ++counting_.before_hello;
    return;
  }
  // A copy: what the frame leads to may change the table.
  PeerLine& peer = *bound->second.peer;
  peer.link.frame(now, bound->second.hello, *frame);
  peer.touched = true;
  carry_out_all(now, peer);
}

bool ZmqDistribution::is_key_of(std::string_view user, std::string_view node) const {
  return !options_.admission || options_.admission->is_member(user, node);
}

/// By another connection, or after a newer one's; let in, it would put the one that is in out.
bool ZmqDistribution::is_said_again(const std::string& routing_id, const PeerLine& peer,
                                    const wire::Hello& hello) const {
  return std::ranges::any_of(inbound_, [&](const auto& entry) {
    const Inbound& other = entry.second;
    return other.peer == &peer && entry.first != routing_id &&
           other.hello.incarnation == hello.incarnation &&
           other.hello.connection >= hello.connection;
  });
}

void ZmqDistribution::forget_removed_keys() {
  if (!options_.admission || options_.admission->version() == keys_version_) return;
  keys_version_ = options_.admission->version();
  // Their sessions end by silence, and a new connection of theirs is not let in.
  std::erase_if(inbound_, [this](const auto& entry) {
    return !is_key_of(entry.second.user, entry.second.peer->member.name);
  });
}

void ZmqDistribution::on_hello(Time now, const std::string& routing_id, const wire::Hello& hello,
                               std::string_view user) {
  const auto stranger = [&](std::uint64_t& counter, const std::string& text) {
    ++counter;
    if (strangers_.size() >= strangers_max || !strangers_.insert(text).second) return;
    log_.warning(LogModule::transport, text);
  };
  if (hello.lane != wire::Lane::data) {
    ++counting_.malformed;
    return;
  }
  if (!is_key_of(user, hello.name)) {
    const auto holder = options_.admission->holder(user);
    ++counting_.other_keys;
    const auto line = options_.admission->refused(
        now, "a connection is refused: it says that it is node " + hello.name +
                 ", and its key is that of " + (holder ? holder->name : "nobody"));
    if (line) log_.warning(LogModule::transport, *line);
    return;
  }
  if (hello.name == self_.name) {
    return stranger(counting_.own_name, "another program says that it is node " + hello.name +
                                            ", incarnation " + to_string(hello.incarnation) +
                                            ": two nodes need two names");
  }
  const auto found = peers_.find(hello.name);
  if (found == peers_.end() || !found->second->wanted) {
    return stranger(counting_.unknown_nodes, "node " + hello.name + " of cluster '" +
                                                 hello.cluster_id +
                                                 "' dials, but is not among the members here");
  }
  PeerLine& peer = *found->second;
  if (dead_.contains(static_cast<std::uint64_t>(hello.incarnation.id))) {
    peer.link.confirm_dead(now, hello.incarnation);
  }
  if (is_said_again(routing_id, peer, hello)) return void(++counting_.said_again);
  const bool welcome = peer.link.hello(now, hello);
  if (welcome) {
    if (!inbound_.contains(routing_id)) {
      std::erase_if(inbound_, [&](const auto& entry) { return entry.second.peer == &peer; });
    }
    if (inbound_.size() < inbound_max) inbound_[routing_id] = {&peer, hello, std::string(user)};
    if (!hello.guardian_key.empty()) {
      std::lock_guard lock(mutex_);
      if (guardian_keys_.size() >= guardian_keys_max) guardian_keys_.erase(guardian_keys_.begin());
      guardian_keys_[{hello.name, static_cast<std::uint64_t>(hello.incarnation.id)}] =
          hello.guardian_key;
    }
  } else {
    inbound_.erase(routing_id);
  }
  tell_control(peer);
  work(now, peer);
}

void ZmqDistribution::receive_control(Time now) {
  for (const ZmqControlLane::Received& received : control_->take_received()) {
    if (!is_key_of(received.user, received.bound.name)) {
      ++counting_.other_keys;
      continue;
    }
    const auto found = peers_.find(received.bound.name);
    if (found == peers_.end() || !found->second->wanted) continue;
    PeerLine& peer = *found->second;
    const auto frame = wire::decode(received.frame);
    if (!frame) {
      ++counting_.malformed;
      continue;
    }
    if (const auto* hello = std::get_if<wire::Hello>(&*frame)) {
      peer.link.hello(now, *hello);
    } else {
      peer.link.frame(now, received.bound, *frame);
    }
    if (const auto* beat = std::get_if<wire::Beat>(&*frame)) {
      if (peer.link.up() && beat->view > std::max(hinted_view_, view_.load())) {
        hinted_view_ = beat->view;
        if (options_.view_hint) options_.view_hint(beat->view);
      }
    }
    peer.touched = true;
    carry_out_all(now, peer);
  }
}

// --- this side's connections --------------------------------------------------------------------

void ZmqDistribution::connection_events(Time now, PeerLine& peer) {
  while (peer.connection) {
    const ZmqConnectionEvent event = peer.connection->next_event();
    if (event == ZmqConnectionEvent::none) return;
    if (event == ZmqConnectionEvent::up) {
      peer.dialled = true;
      peer.link.dialled(now);
      tell_control(peer);  // with the key that has just been good
    } else if (event == ZmqConnectionEvent::refused) {
      // It may have another of its keys by now.
      ++peer.key_index;
      disconnect(peer);
      peer.link.dial_failed(now, false,
                            options_.admission
                                ? "it refuses this node's key, or has none of the keys that the "
                                  "cluster file gives it"
                                : "it wants a key, and this node has none");
      peer.link.disconnected(now);
    } else {
      if (!peer.dialled) ++peer.key_index;  // what another key than expected looks like
      disconnect(peer);
      if (peer.link.up() && !peer.dialled) {
        // A dying process may close its connections before its listener: ask again.
        probe(now, peer, true);
      } else {
        // Of these two the Link heeds the one that fits its state.
        peer.link.dial_failed(
            now, false,
            "nobody listens on " + peer.member.address + ", or it is no coterie node" +
                (options_.admission ? ", or has another key than the cluster file gives it" : ""));
        peer.link.disconnected(now);
      }
    }
    work(now, peer);
  }
}

void ZmqDistribution::disconnect(PeerLine& peer) noexcept {
  if (peer.connection) lookout_.forget(peer.connection->monitor_fd());
  peer.connection.reset();
}

void ZmqDistribution::connect(Time now, PeerLine& peer) {
  peer.probe.reset();
  peer.dialled = false;
  const auto& keys = peer.member.public_keys;
  if (options_.admission && keys.empty()) {
    return peer.link.dial_failed(now, false, "the cluster file gives it no public key");
  }
  DialKeys with;
  if (options_.admission) with = {options_.admission->own(), keys[peer.key_index % keys.size()]};
  try {
    peer.connection = std::make_unique<ZmqConnection>(context_, zmq_endpoint(peer.target),
                                                      zmq_message_bytes_max, with);
    lookout_.watch_readable(peer.connection->monitor_fd(), ZmqLookout::links);
    links_news_.store(true);  // it tells only of what comes after the first look
  } catch (const zmq::error_t& error) {
    peer.link.dial_failed(now, false, std::string("cannot connect: ") + error.what());
  }
}

void ZmqDistribution::carry_out(Time now, PeerLine& peer, link_action::Dial& action) {
  disconnect(peer);
  peer.probe.reset();
  auto address = parse_host_port(peer.member.address);
  if (!address) return peer.link.dial_failed(now, false, address.error());
  peer.target = std::move(*address);
  if (!is_numeric_host(peer.target.host)) {
    // Looked up at each dial: the node may have moved.
    resolver_->resolve(peer.member.name, peer.target.host,
                       [this, name = peer.member.name, dial = action.connection](
                           std::string number, std::string error) {
                         post([this, name, dial, number, error](Time later) {
                           PeerLine& line = *peers_.find(name)->second;
                           if (line.link.connection() != dial || line.connection) return;
                           if (number.empty()) return line.link.dial_failed(later, false, error);
                           line.target.host = number;
                           tell_control(line);
                           connect(later, line);
                         });
                       });
    return;
  }
  if (!peer.link.up()) return connect(now, peer);
  // Within a session the first question is whether the listener is still there: a refusal is the
  // quickest sign of a dead process.
  probe(now, peer, false);
}

void ZmqDistribution::probe(Time now, PeerLine& peer, bool dial_failed) {
  peer.probe = std::make_unique<ListenerProbe>(peer.target);
  if (peer.probe->writable() >= 0) {
    lookout_.watch_writable(peer.probe->writable(), ZmqLookout::links);
  }
  peer.probe_until = now + probe_time;
  peer.probe_is_last = dial_failed;
  watch_probe(now, peer);
}

void ZmqDistribution::watch_probe(Time now, PeerLine& peer) {
  if (!peer.probe) return;
  const auto answer = peer.probe->answer();
  if (answer == ListenerProbe::Answer::unknown_yet && now < peer.probe_until) return;
  const bool refused = answer == ListenerProbe::Answer::refused;
  if (!refused && !peer.probe_is_last) return connect(now, peer);
  peer.probe.reset();
  peer.link.dial_failed(now, refused, refused ? "connection refused" : "no connection");
}

void ZmqDistribution::carry_out(Time, PeerLine& peer, link_action::Hangup&) {
  disconnect(peer);
  peer.probe.reset();
}

void ZmqDistribution::tell_control(PeerLine& peer) {
  if (!peer.wanted || peer.link.peer().id == NodeId::none) return;
  HostPort address{peer.target.host, peer.link.peer_control_port()};
  if (!peer.member.control_address.empty()) {
    if (const auto given = parse_host_port(peer.member.control_address)) address = *given;
  }
  if (address.port == 0 || !is_numeric_host(address.host)) return;
  std::string key;
  if (const auto& keys = peer.member.public_keys; options_.admission && !keys.empty()) {
    key = keys[peer.key_index % keys.size()];
  }
  if (peer.control_told == peer.link.peer() && peer.control_told_port == address.port &&
      peer.control_told_key == key) {
    return;
  }
  peer.control_told = peer.link.peer();
  peer.control_told_port = address.port;
  peer.control_told_key = key;
  wire::Hello hello = self_.hello();
  hello.lane = wire::Lane::control;
  hello.to = peer.link.peer().id;
  control_->dial(peer.member.name, std::move(address), std::move(hello), std::move(key));
}

void ZmqDistribution::carry_out(Time now, PeerLine& peer, link_action::Send& action) {
  if (action.lane == wire::Lane::control && control_->connected(peer.member.name)) {
    return control_->send(peer.member.name, std::move(action.frame));
  }
  // Without a control lane everything takes the data lane; a frame that finds no connection is
  // made good by the next hello.
  if (!peer.connection || peer.connection->send(std::move(action.frame))) return;
  disconnect(peer);
  peer.link.disconnected(now);
}

}  // namespace coterie
