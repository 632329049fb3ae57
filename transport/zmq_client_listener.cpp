#include <algorithm>
#include <optional>

#include "process/thread_start.hpp"
#include "transport/envelope_codec.hpp"
#include "transport/zmq_client_listener.hpp"

namespace coterie {
namespace {

constexpr int frames_per_turn = 256;
constexpr int frames_in_pipe = 64;  // ZeroMQ's own queue per client; ours is behind it

Bytes framed(BytesView envelope) { return encode(wire::ClientEnvelope{envelope}); }

}  // namespace

ClientListener::ClientListener(ClientListenerOptions options, const Clock& clock, Log& log,
                               ClientEvents& events, OnNotice on_notice)
    : options_(std::move(options)),
      clock_(clock),
      log_(log),
      events_(events),
      on_notice_(std::move(on_notice)),
      zap_(context_, options_.admission, clock_, &log_),
      router_(context_, zmq::socket_type::router) {}

std::expected<std::unique_ptr<ClientListener>, ListenError> ClientListener::open(
    ClientListenerOptions options, const Clock& clock, Log& log, ClientEvents& events,
    OnNotice on_notice) {
  std::unique_ptr<ClientListener> made(
      new ClientListener(std::move(options), clock, log, events, std::move(on_notice)));
  if (auto bound = made->bind(); !bound) return std::unexpected(std::move(bound.error()));
  return made;
}

std::expected<std::unique_ptr<ClientListener>, ListenError> ClientListener::start(
    ClientListenerOptions options, const Clock& clock, Log& log, ClientEvents& events,
    OnNotice on_notice) {
  auto made = open(std::move(options), clock, log, events, std::move(on_notice));
  if (made) (*made)->serve();
  return made;
}

void ClientListener::serve() {
  thread_ = detail::start_thread("coterie-clients", [this] { run(); });
}

std::expected<void, ListenError> ClientListener::bind() {
  const auto listen = numeric_listen_address(options_.listen);
  if (!listen) return std::unexpected(listen.error());
  try {
    set_common_options(router_);
    router_.set(zmq::sockopt::ipv6, listen->host.find(':') != std::string::npos);
    router_.set(zmq::sockopt::router_mandatory, true);
    router_.set(zmq::sockopt::sndhwm, frames_in_pipe);
    zap_.secure(router_, ZapDomain::clients);
    router_.bind(zmq_endpoint(*listen));
  } catch (const zmq::error_t& error) {
    return std::unexpected(listen_error("clients", options_.listen, error));
  }
  const HostPort bound{listen->host, bound_port(router_)};
  address_ = to_string(bound);
  if (options_.admission) {
    std::string why = prove_strangers_refused(bound, options_.admission->own().public_key, clock_);
    if (!why.empty()) return std::unexpected(ListenError{std::move(why)});
    zap_.watch(router_);
  }
  return {};
}

ClientListener::~ClientListener() { stop(); }

void ClientListener::stop() {
  stop_.store(true);
  wake_.ring();
  if (thread_.joinable()) thread_.join();
  std::lock_guard lock(mutex_);
  clients_.clear();
}

std::size_t ClientListener::clients() const {
  std::lock_guard lock(mutex_);
  return clients_.size();
}

bool ClientListener::reply(ClientId client, Envelope&& envelope) {
  envelope.from = {};
  envelope.to = Pid{};
  Bytes bytes = wire::encode_envelope(envelope, {options_.incarnation.id, NodeId::none});
  if (bytes.size() > options_.reply_bytes_max) {
    Envelope failed;
    failed.signal = Signal::call_failed;
    failed.ref = envelope.ref;
    failed.code = CallError::Code::undecodable;
    failed.execution = CallError::Execution::executed;
    failed.detail = "the reply of " + std::to_string(bytes.size()) +
                    " bytes is over the limit of " + std::to_string(options_.reply_bytes_max);
    bytes = wire::encode_envelope(failed, {options_.incarnation.id, NodeId::none});
  }
  Bytes frame = framed(bytes);
  {
    std::lock_guard lock(mutex_);
    const auto found = clients_.find(static_cast<std::uint64_t>(client));
    if (found == clients_.end() || found->second->dropped) return false;
    ClientLine& line = *found->second;
    if (line.queue.size() >= options_.queue_messages || line.queued_bytes >= options_.queue_bytes) {
      line.dropped = true;  // it does not read; the listener's thread forgets it
      line.queue.clear();
    } else {
      line.queued_bytes += frame.size();
      line.queue.push_back(std::move(frame));
    }
  }
  wake_.ring();
  return true;
}

ClientListener::Sent ClientListener::send(const std::string& routing_id, BytesView frame) {
  try {
    if (!router_.send(zmq::const_buffer(routing_id.data(), routing_id.size()),
                      zmq::send_flags::dontwait | zmq::send_flags::sndmore)) {
      return Sent::full;
    }
    return router_.send(zmq::const_buffer(frame.data(), frame.size()), zmq::send_flags::dontwait)
               ? Sent::yes
               : Sent::full;
  } catch (const zmq::error_t&) {  // EHOSTUNREACH
    return Sent::gone;
  }
}

void ClientListener::refuse(const std::string& routing_id, wire::Refuse::Code code,
                            std::string text) {
  log_.warning(LogModule::transport, "client refused", {{"why", text}});
  (void)send(routing_id, encode(wire::Refuse{code, std::move(text), NodeId::none}));
}

void ClientListener::forget(ClientId id, std::string_view why) {
  std::unique_ptr<ClientLine> line;
  {
    std::lock_guard lock(mutex_);
    const auto found = clients_.find(static_cast<std::uint64_t>(id));
    if (found == clients_.end()) return;
    line = std::move(found->second);
    clients_.erase(found);
  }
  by_routing_id_.erase(line->routing_id);
  log_.debug(LogModule::transport, "client gone", {{"client", line->label}, {"why", why}});
  events_.client_gone(id);
}

void ClientListener::on_hello(Time now, const std::string& routing_id,
                              const wire::ClientHello& hello, const std::string& user) {
  if (hello.version_min > wire::protocol_max || hello.version_max < wire::protocol_min) {
    return refuse(routing_id, wire::Refuse::Code::protocol,
                  "client '" + hello.label + "' speaks protocol " +
                      std::to_string(hello.version_min) + " to " +
                      std::to_string(hello.version_max) + ", node " + options_.node + " " +
                      std::to_string(wire::protocol_min) + " to " +
                      std::to_string(wire::protocol_max) + ": upgrade the older one");
  }
  if (hello.cluster_id != options_.cluster_id) {
    return refuse(routing_id, wire::Refuse::Code::cluster,
                  "client '" + hello.label + "' looks for cluster '" + hello.cluster_id +
                      "', node " + options_.node + " is of '" + options_.cluster_id +
                      "': check the addresses");
  }
  if (by_routing_id_.contains(routing_id)) return;
  if (by_routing_id_.size() >= options_.clients_max) {
    return refuse(routing_id, wire::Refuse::Code::full,
                  "node " + options_.node + " has " + std::to_string(options_.clients_max) +
                      " clients, its limit");
  }
  KeyRole role = KeyRole::client;
  if (options_.admission) {
    const auto holder = options_.admission->holder(user);
    if (!holder) {
      return refuse(routing_id, wire::Refuse::Code::key,
                    "the key of client '" + hello.label + "' is not in the cluster file any more");
    }
    role = holder->role;
    std::lock_guard lock(mutex_);
    const auto held = std::ranges::count_if(
        clients_, [&](const auto& entry) { return entry.second->user == user; });
    if (static_cast<std::size_t>(held) >= options_.clients_per_key) {
      return refuse(routing_id, wire::Refuse::Code::full,
                    "node " + options_.node + " has " + std::to_string(held) +
                        " clients with the key of " + holder->name + ", its limit for one key");
    }
  }
  const ClientId id{++last_id_};
  auto line = std::make_unique<ClientLine>();
  line->id = id;
  line->routing_id = routing_id;
  line->label = hello.label;
  line->user = user;
  line->role = role;
  line->heard_at = now;
  by_routing_id_[routing_id] = id;
  {
    std::lock_guard lock(mutex_);
    clients_[last_id_] = std::move(line);
  }
  (void)send(routing_id, encode(wire::ClientWelcome{std::min(hello.version_max, wire::protocol_max),
                                                    options_.node, options_.incarnation}));
}

void ClientListener::on_envelope(ClientLine& client, BytesView bytes) {
  auto envelope = wire::decode_envelope(bytes, {NodeId::none, options_.incarnation.id});
  if (envelope && envelope->signal != Signal::call && envelope->signal != Signal::cast &&
      envelope->signal != Signal::cancel) {
    envelope = std::unexpected("a client may call, cast and cancel, nothing else");
  }
  if (!envelope) {
    const ClientId id = client.id;
    refuse(client.routing_id, wire::Refuse::Code::malformed, envelope.error());
    return forget(id, "malformed");
  }
  envelope->from = {};
  // The runtime's own requests start, stop and look into servers.
  if (options_.admission && client.role == KeyRole::client &&
      envelope->type.starts_with("coterie.")) {
    if (envelope->signal != Signal::call) return;
    Envelope failed;
    failed.signal = Signal::call_failed;
    failed.ref = envelope->ref;
    failed.code = CallError::Code::refused;
    failed.execution = CallError::Execution::not_executed;
    failed.detail = "requests of the runtime itself need an operator's key";
    reply(client.id, std::move(failed));
    return;
  }
  events_.client_call(client.id, std::move(*envelope));
}

void ClientListener::on_notice(const std::string& routing_id, const DeathNotice& notice,
                               const std::string& user) {
  NoticeTaken taken{false, "notices are not taken here"};
  const auto holder = options_.admission ? options_.admission->holder(user) : std::nullopt;
  if (options_.admission &&
      (!holder || holder->role != KeyRole::member || holder->name != notice.name)) {
    taken.text = "the death of node " + notice.name + " is told with that node's key only";
  } else if (on_notice_) {
    taken = on_notice_(notice);
  }
  log_.info(LogModule::transport, "death notice",
            {{"node", notice.name},
             {"incarnation", notice.incarnation},
             {"accepted", taken.accepted},
             {"why", taken.text}});
  (void)send(routing_id, encode(taken));
}

void ClientListener::on_frame(Time now, const std::string& routing_id, BytesView bytes,
                              const std::string& user) {
  const auto frame = wire::decode(bytes);
  const auto known = by_routing_id_.find(routing_id);
  const ClientId id = known == by_routing_id_.end() ? ClientId::none : known->second;
  if (!frame) {
    refuse(routing_id, wire::Refuse::Code::malformed, frame.error());
    return forget(id, "malformed");
  }
  if (const auto* notice = std::get_if<DeathNotice>(&*frame)) {
    return on_notice(routing_id, *notice, user);
  }
  if (const auto* hello = std::get_if<wire::ClientHello>(&*frame)) {
    return on_hello(now, routing_id, *hello, user);
  }
  ClientLine* line = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto found = clients_.find(static_cast<std::uint64_t>(id));
    // Only this thread erases lines, so the pointer stays good.
    if (found != clients_.end()) line = found->second.get();
  }
  if (line && line->user != user) return;  // another's connection with the same routing id
  if (!line) {
    return refuse(routing_id, wire::Refuse::Code::malformed, "say hello first");
  }
  line->heard_at = now;
  if (const auto* envelope = std::get_if<wire::ClientEnvelope>(&*frame)) {
    on_envelope(*line, envelope->envelope);
  } else if (std::holds_alternative<wire::Bye>(*frame)) {
    forget(id, "it said bye");
  } else if (!std::holds_alternative<wire::Beat>(*frame)) {
    refuse(routing_id, wire::Refuse::Code::malformed, "a frame that clients do not send");
    forget(id, "malformed");
  }
}

void ClientListener::receive(Time now) {
  for (int i = 0; i < frames_per_turn; ++i) {
    auto message = receive_routed(router_);
    if (!message) return;
    on_frame(now, message->routing_id,
             message->well_formed ? message->frame.to_string_view() : std::string_view(),
             std::string(message->user()));
  }
}

/// Hands ZeroMQ what waits. True: something has to wait longer.
bool ClientListener::flush() {
  bool waiting = false;
  std::vector<std::pair<ClientId, std::string_view>> gone;
  {
    // DONTWAIT sends only: the lock is held for the copies into ZeroMQ's pipes.
    std::lock_guard lock(mutex_);
    for (auto& [number, line] : clients_) {
      if (line->dropped) gone.emplace_back(line->id, "it does not read");
      while (!line->queue.empty()) {
        const Sent sent = send(line->routing_id, line->queue.front());
        if (sent == Sent::full) {
          waiting = true;
          break;
        }
        if (sent == Sent::gone) {
          gone.emplace_back(line->id, "its connection is gone");
          break;
        }
        line->queued_bytes -= line->queue.front().size();
        line->queue.pop_front();
      }
    }
  }
  for (const auto& [id, why] : gone) forget(id, why);
  return waiting;
}

void ClientListener::drop_silent(Time now) {
  std::vector<ClientId> silent;
  {
    std::lock_guard lock(mutex_);
    for (auto& [number, line] : clients_) {
      if (now - line->heard_at > options_.silent_after) silent.push_back(line->id);
    }
  }
  for (const ClientId id : silent) forget(id, "it is silent");
}

void ClientListener::drop_removed_keys() {
  if (!options_.admission || options_.admission->version() == keys_version_) return;
  keys_version_ = options_.admission->version();
  std::vector<ClientId> removed;
  {
    std::lock_guard lock(mutex_);
    for (auto& [number, line] : clients_) {
      const auto holder = options_.admission->holder(line->user);
      if (!holder) removed.push_back(line->id);
      if (holder) line->role = holder->role;
    }
  }
  for (const ClientId id : removed) forget(id, "its key was removed");
}

void ClientListener::run() {
  Time looked_at = clock_.now();
  while (!stop_.load()) {
    wake_.quiet();
    const Time now = clock_.now();
    // After a long sleep of this thread nobody is called silent before the queue is read.
    if (now - looked_at > std::chrono::seconds(1)) {
      if (now - looked_at < std::chrono::seconds(5)) drop_silent(now);
      looked_at = now;
    }
    drop_removed_keys();
    receive(now);
    const bool waiting = flush();
    zmq::pollitem_t items[] = {{router_.handle(), 0, ZMQ_POLLIN, 0},
                               {nullptr, wake_.fd(), ZMQ_POLLIN, 0}};
    (void)zmq_poll(items, 2, waiting ? 2 : 500);
  }
  router_.close();
}

}  // namespace coterie
