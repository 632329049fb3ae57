#include "transport/zmq_control.hpp"

#include <algorithm>
#include <utility>

#include "process/thread_start.hpp"

namespace coterie {
namespace {

constexpr Duration redial_min = std::chrono::milliseconds(10);
constexpr Duration redial_max = std::chrono::seconds(1);
constexpr Duration dial_timeout = std::chrono::seconds(3);
constexpr std::size_t received_max = 16'384;  // frames that the data thread has not taken yet
constexpr std::size_t bound_max = 4096;
constexpr int frames_per_pass = 1024;
constexpr Duration look_every = std::chrono::milliseconds(250);

}  // namespace

std::uint16_t bound_port(zmq::socket_t& socket) {
  const std::string endpoint = socket.get(zmq::sockopt::last_endpoint);
  const auto address = parse_host_port(std::string_view(endpoint).substr(sizeof "tcp://" - 1));
  return address ? address->port : 0;
}

ZmqControlLane::ZmqControlLane(Options options, const Clock& clock, Random& random, Log& log,
                               std::function<void(bool urgent)> arrived)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      arrived_(std::move(arrived)),
      zap_(context_, options_.admission, clock_, &log),
      router_(context_, zmq::socket_type::router),
      alive_at_(clock.now()) {
  set_common_options(router_);
  router_.set(zmq::sockopt::ipv6, options_.listen.host.find(':') != std::string::npos);
  zap_.secure(router_, ZapDomain::members);
  router_.bind(zmq_endpoint(options_.listen));
  port_ = bound_port(router_);
  lookout_.watch_readable(router_.get(zmq::sockopt::fd), ZmqLookout::frames);
  thread_ = detail::start_thread("coterie-control", [this] { run(); });
}

ZmqControlLane::~ZmqControlLane() {
  stop_.store(true);
  lookout_.ring();
  thread_.join();
}

void ZmqControlLane::post(Command command) {
  // A beat that is not urgent is read when the next one is due.
  const bool urgent = command.kind != Command::Kind::beat;
  {
    std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  if (urgent) lookout_.ring();
}

void ZmqControlLane::dial(const std::string& peer, HostPort address, wire::Hello hello,
                          std::string server_key) {
  post(
      {Command::Kind::dial, peer, std::move(address), std::move(hello), {}, std::move(server_key)});
}
void ZmqControlLane::hang_up(const std::string& peer) {
  post({Command::Kind::hang_up, peer, {}, {}, {}});
}
void ZmqControlLane::beat(const std::string& peer, Bytes beat, bool now) {
  post({now ? Command::Kind::beat_now : Command::Kind::beat, peer, {}, {}, std::move(beat)});
}
void ZmqControlLane::send(const std::string& peer, Bytes frame) {
  post({Command::Kind::send, peer, {}, {}, std::move(frame)});
}

bool ZmqControlLane::connected(const std::string& peer) const {
  std::lock_guard lock(mutex_);
  const auto found = up_.find(peer);
  return found != up_.end() && found->second;
}

std::vector<ZmqControlLane::Received> ZmqControlLane::take_received() {
  std::lock_guard lock(mutex_);
  return std::exchange(received_, {});
}

void ZmqControlLane::set_up(const std::string& name, PeerLane& peer, bool up) {
  if (peer.up == up) return;
  peer.up = up;
  std::lock_guard lock(mutex_);
  up_[name] = up;
}

void ZmqControlLane::close(PeerLane& peer) noexcept {
  if (peer.connection) lookout_.forget(peer.connection->monitor_fd());
  peer.connection.reset();
}

void ZmqControlLane::drop_connection(const std::string& name, PeerLane& peer, Time now) {
  close(peer);
  set_up(name, peer, false);
  peer.backoff = std::clamp(peer.backoff * 2, redial_min, redial_max);
  const auto jitter = random_.below(static_cast<std::uint64_t>(peer.backoff.count() / 2) + 1);
  peer.redial_at = now + peer.backoff + Duration(static_cast<Duration::rep>(jitter));
}

void ZmqControlLane::carry_out(Command& command, Time now) {
  if (command.kind == Command::Kind::hang_up) {
    const auto found = peers_.find(command.peer);
    if (found == peers_.end()) return;
    set_up(found->first, found->second, false);
    close(found->second);
    peers_.erase(found);
    return;
  }
  PeerLane& peer = peers_[command.peer];
  switch (command.kind) {
    case Command::Kind::dial:
      if (peer.hello.incarnation == command.hello.incarnation &&
          peer.hello.to == command.hello.to && peer.address == command.address &&
          peer.server_key == command.server_key) {
        return;
      }
      close(peer);
      set_up(command.peer, peer, false);
      peer.address = std::move(command.address);
      peer.hello = std::move(command.hello);
      peer.server_key = std::move(command.server_key);
      peer.backoff = {};
      peer.redial_at = look_at_ = now;
      break;
    case Command::Kind::beat_now:
    case Command::Kind::beat:
      peer.beat = std::move(command.bytes);
      if (command.kind == Command::Kind::beat_now && peer.up) peer.connection->send(peer.beat);
      break;
    case Command::Kind::send:
      if (peer.up) peer.connection->send(std::move(command.bytes));
      break;
    case Command::Kind::hang_up:
      break;
  }
}

/// True: there may be more.
bool ZmqControlLane::receive() {
  std::vector<Received> fresh;
  bool urgent = false;
  int taken = 0;
  for (; taken < frames_per_pass; ++taken) {
    auto message = receive_routed(router_);
    if (!message) break;
    if (!message->well_formed) continue;
    const BytesView bytes = message->frame.to_string_view();
    std::string user(message->user());
    const auto bound = bound_.find(message->routing_id);
    if (bound != bound_.end()) {
      if (bound->second.user != user) continue;  // another's connection with the same routing id
      if (take_note(bound->second, bytes)) continue;
      if (is_news(bound->second, bytes)) urgent = true;
      fresh.push_back({bound->second.hello, Bytes(bytes), std::move(user)});
      continue;
    }
    auto frame = wire::decode(bytes);
    const auto* hello = frame ? std::get_if<wire::Hello>(&*frame) : nullptr;
    if (!hello || hello->lane != wire::Lane::control) continue;
    if (options_.admission) {
      const auto holder = options_.admission->holder(user);
      if (!holder || holder->name != hello->name) continue;  // told where it tried the data lane
    }
    // An older connection of the same node is of no use any more.
    std::erase_if(bound_,
                  [&](const auto& entry) { return entry.second.hello.name == hello->name; });
    if (bound_.size() < bound_max) bound_[message->routing_id] = {*hello, user};
    fresh.push_back({*hello, Bytes(bytes), std::move(user)});
    urgent = true;
  }
  const bool more = taken == frames_per_pass;
  if (fresh.empty()) return more;
  {
    std::lock_guard lock(mutex_);
    for (Received& received : fresh) {
      // What is dropped here is repeated by the next beat.
      if (received_.size() < received_max) received_.push_back(std::move(received));
    }
  }
  arrived_(urgent);
  return more;
}

/// A beat that says what the last one said only tells that its sender lives.
bool ZmqControlLane::is_news(Bound& from, BytesView bytes) const {
  if (wire::kind_of(bytes) != wire::Kind::beat) return true;
  if (from.last_beat == bytes) return false;
  from.last_beat = bytes;
  return true;
}

bool ZmqControlLane::take_note(const Bound& from, BytesView bytes) const {
  if (wire::kind_of(bytes) != wire::Kind::note) return false;
  const wire::Hello& hello = from.hello;
  const bool ours = hello.cluster_id == options_.self.cluster_id &&
                    hello.config_digest == options_.self.config_digest &&
                    hello.history == options_.self.history;
  if (!ours || !options_.note) return true;
  if (options_.admission && !options_.admission->is_member(from.user, hello.name)) return true;
  const auto frame = wire::decode(bytes);
  if (!frame) return false;  // counted with the others
  options_.note(hello.name, std::get<wire::Note>(*frame).body);
  return true;
}

void ZmqControlLane::look_after(const std::string& name, PeerLane& peer, Time now) {
  if (peer.connection) {
    for (auto event = peer.connection->next_event(); event != ZmqConnectionEvent::none;
         event = peer.connection->next_event()) {
      if (event == ZmqConnectionEvent::up) {
        peer.hello.connection = ++peer.connections;
        peer.connection->send(encode(peer.hello));
        if (!peer.beat.empty()) peer.connection->send(peer.beat);
        peer.backoff = {};
        set_up(name, peer, true);
      } else {
        return drop_connection(name, peer, now);
      }
    }
    if (!peer.up && now - peer.dialled_at > dial_timeout) drop_connection(name, peer, now);
  } else if (peer.address.port != 0 && peer.redial_at <= now) {
    peer.dialled_at = now;
    try {
      DialKeys keys;
      if (options_.admission) keys = {options_.admission->own(), peer.server_key};
      peer.connection = std::make_unique<ZmqConnection>(context_, zmq_endpoint(peer.address),
                                                        zmq_message_bytes_max, keys);
      lookout_.watch_readable(peer.connection->monitor_fd(), ZmqLookout::links);
    } catch (const zmq::error_t&) {  // no descriptor to be had, for instance: later
      drop_connection(name, peer, now);
    }
  }
}

void ZmqControlLane::look_after_all(unsigned news, Time now) {
  if ((news & ZmqLookout::links) == 0 && now < look_at_) return;
  for (auto& [name, peer] : peers_) look_after(name, peer, now);
  look_at_ = now + look_every;
  for (auto& [name, peer] : peers_) {
    if (!peer.connection && peer.address.port != 0) look_at_ = std::min(look_at_, peer.redial_at);
  }
}

void ZmqControlLane::run() {
  unsigned news = ZmqLookout::frames;
  while (!stop_.load()) {
    if ((news & ZmqLookout::bell) != 0) lookout_.quiet();
    std::vector<Command> commands;
    {
      std::lock_guard lock(mutex_);
      commands.swap(commands_);
    }
    Time now = clock_.now();
    for (Command& command : commands) carry_out(command, now);
    const bool more = receive();
    look_after_all(news, now);
    if (beat_at_ <= now) {
      beat_at_ = now + options_.beat_interval;
      const bool still = now - alive_at_.load(std::memory_order_relaxed) > options_.still_after;
      for (auto& [name, peer] : peers_) {
        if (!still && peer.up && !peer.beat.empty()) peer.connection->send(peer.beat);
      }
    }
    now = clock_.now();
    const Duration left = more ? Duration::zero() : std::min(beat_at_, look_at_) - now;
    news = lookout_.wait(std::max(left, Duration::zero()));
  }
  for (auto& [name, peer] : peers_) close(peer);
  peers_.clear();
}

}  // namespace coterie
