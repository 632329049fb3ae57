#include "transport/zmq_distribution.hpp"

#include <algorithm>

#include "process/thread_start.hpp"
#include "process/worker.hpp"
#include "transport/envelope_codec.hpp"

namespace coterie {

std::expected<HostPort, ListenError> numeric_listen_address(const std::string& text) {
  auto address = parse_host_port(text);
  if (!address) return std::unexpected(ListenError{address.error()});
  auto number = resolve_host(address->host);
  if (!number) {
    return std::unexpected(ListenError{"cannot listen on " + text + ": " + number.error() +
                                       "; correct this node's address in the cluster file"});
  }
  return HostPort{*number, address->port};
}

ListenError listen_error(std::string_view what, const std::string& address,
                         const zmq::error_t& error) {
  std::string advice = "check the address in the cluster file";
  if (error.num() == EADDRINUSE) {
    advice =
        "another program listens there (this node already runs?): stop it or choose another "
        "port";
  } else if (error.num() == EADDRNOTAVAIL || error.num() == ENODEV) {
    advice = "that is no address of this host: correct it in the cluster file";
  } else if (error.num() == EACCES) {
    advice = "ports below 1024 need a privilege: choose another port";
  }
  return {"cannot listen on " + address + " (" + std::string(what) + "): " + error.what() + "; " +
          advice};
}

ZmqDistribution::ZmqDistribution(TransportOptions options, const Clock& clock, Random& random,
                                 Log& log, DistributionEvents& events)
    : options_(std::move(options)),
      self_{options_.node,          options_.incarnation, options_.cluster_id,
            options_.config_digest, options_.history,     0,
            options_.guardian_key},
      clock_(clock),
      random_(random),
      log_(log),
      events_(events),
      zap_(std::make_unique<ZmqZap>(context_, options_.admission, clock_, &log_)),
      router_(context_, zmq::socket_type::router),
      resolver_(std::make_unique<ZmqResolver>()) {}

std::expected<std::unique_ptr<ZmqDistribution>, ListenError> ZmqDistribution::start(
    TransportOptions options, const Clock& clock, Random& random, Log& log,
    DistributionEvents& events) {
  std::unique_ptr<ZmqDistribution> made(
      new ZmqDistribution(std::move(options), clock, random, log, events));
  if (auto bound = made->bind(); !bound) return std::unexpected(std::move(bound.error()));
  made->thread_ = detail::start_thread("coterie-data", [self = made.get()] { self->run(); });
  return made;
}

std::expected<void, ListenError> ZmqDistribution::bind() {
  const auto listen = numeric_listen_address(options_.listen);
  if (!listen) return std::unexpected(listen.error());
  auto control = HostPort{listen->host, 0};
  if (!options_.control_listen.empty()) {
    const auto given = numeric_listen_address(options_.control_listen);
    if (!given) return std::unexpected(given.error());
    control = *given;
  }
  try {
    set_common_options(router_);
    router_.set(zmq::sockopt::ipv6, listen->host.find(':') != std::string::npos);
    zap_->secure(router_, ZapDomain::members);
    router_.bind(zmq_endpoint(*listen));
  } catch (const zmq::error_t& error) {
    return std::unexpected(listen_error("members, data lane", options_.listen, error));
  }
  address_ = to_string(HostPort{listen->host, bound_port(router_)});
  try {
    control_ = std::make_unique<ZmqControlLane>(
        ZmqControlLane::Options{control, options_.beat_interval, options_.link.link_down_after / 2,
                                options_.admission, self_.hello(), options_.note},
        clock_, random_, log_, [this](bool urgent) {
          control_news_.store(true);
          // The next turn is not far: states are published all the time.
          if (urgent) wake();
        });
  } catch (const zmq::error_t& error) {
    return std::unexpected(listen_error("members, control lane", to_string(control), error));
  }
  self_.control_port = control_->port();
  lookout_.watch_readable(router_.get(zmq::sockopt::fd), ZmqLookout::frames);
  if (options_.admission) {
    const std::string& own = options_.admission->own().public_key;
    for (const HostPort& address : {HostPort{listen->host, bound_port(router_)},
                                    HostPort{control.host, self_.control_port}}) {
      std::string why = prove_strangers_refused(address, own, clock_);
      if (!why.empty()) return std::unexpected(ListenError{std::move(why)});
    }
    zap_->watch(router_);
    control_->watch();
  }
  return {};
}

ZmqDistribution::~ZmqDistribution() {
  stop_.store(true);
  take_over();
  if (thread_.joinable()) thread_.join();
  // No callback of theirs may find this object gone.
  resolver_.reset();
  control_.reset();
}

void ZmqDistribution::post(Command command) {
  {
    std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  wake();
}

SendResult ZmqDistribution::send(NodeId to, Envelope&& envelope) {
  ZmqOutbox* const outbox = outboxes_.find(to);
  if (outbox == nullptr) return SendResult::no_node;
  bool enough = false;  // for a frame
  std::size_t too_big = 0;
  const SendResult result = outbox->hand_over(to, envelope, enough, too_big);
  if (too_big > 0) {
    refuse_too_big(to, *outbox, envelope, too_big);
    return SendResult::sent;
  }
  if (result == SendResult::sent) {
    if (detail::running_worker() == nullptr) {
      wake();
    } else {
      // It turns when it has run what it has to run, and what it sends until then shares a frame.
      need_turn();
      if (enough) turn();
    }
  }
  return result;
}

void ZmqDistribution::refuse_too_big(NodeId to, const ZmqOutbox& peer, const Envelope& envelope,
                                     std::size_t bytes) {
  const std::string text = "a message of " + std::to_string(bytes) + " bytes to node " +
                           peer.name() + " is over the limit of " +
                           std::to_string(options_.link.stream.message_bytes_max);
  log_.warning(LogModule::transport, text, {{"type", envelope.type}});
  if (envelope.signal != Signal::call) return;
  post([this, id = to, kept = too_big_answer(envelope, text)](Time) mutable {
    if (outboxes_.find(id) != nullptr) events_.deliver(id, std::move(kept));
  });
}

NodeId ZmqDistribution::connected(std::string_view node_name) const {
  return outboxes_.named(node_name);
}

std::vector<Peer> ZmqDistribution::peers() const { return outboxes_.peers(); }

void ZmqDistribution::confirm_dead(const Incarnation& incarnation) {
  post([this, incarnation](Time now) {
    // Bounded: each is one run of one node; when forgotten, the counter still refuses old runs.
    if (dead_.size() >= 4096) dead_.clear();
    dead_.insert(static_cast<std::uint64_t>(incarnation.id));
    for (auto& [name, peer] : peers_) {
      if (peer->link.peer() == incarnation) peer->link.confirm_dead(now, incarnation);
    }
  });
}

void ZmqDistribution::send_note(std::string_view node, Bytes note) {
  Bytes frame = encode(wire::Note{note});
  if (frame.size() > zmq_message_bytes_max) return;
  std::shared_lock lock(control_mutex_);
  if (control_) control_->send(std::string(node), std::move(frame));
}

void ZmqDistribution::set_members(std::vector<MemberAddress> members) {
  post([this, kept = std::move(members)](Time now) { apply_members(now, kept); });
}

void ZmqDistribution::set_view(std::uint64_t number) {
  view_.store(number, std::memory_order_relaxed);
  post([this](Time) {
    for (auto& [name, peer] : peers_) {
      if (peer->link.up()) {
        control_->beat(name, peer->link.beat(view_.load(std::memory_order_relaxed)), true);
      }
    }
  });
}

std::vector<PeerState> ZmqDistribution::peer_states() const {
  std::lock_guard lock(mutex_);
  return states_;
}

TransportCounters ZmqDistribution::counters() const {
  std::lock_guard lock(mutex_);
  return counters_;
}

std::string ZmqDistribution::guardian_key(std::string_view node_name,
                                          const Incarnation& incarnation) const {
  std::lock_guard lock(mutex_);
  const auto found =
      guardian_keys_.find({std::string(node_name), static_cast<std::uint64_t>(incarnation.id)});
  return found == guardian_keys_.end() ? std::string() : found->second;
}

void ZmqDistribution::stop(Duration drain) {
  if (!thread_.joinable()) return;
  // The own thread waits for the acknowledgements, says bye and ends.
  post([this, until = after(clock_.now(), drain)](Time) { drain_and_leave(until); });
  take_over();
  thread_.join();
  std::unique_ptr<ZmqControlLane> ends;  // its thread joined without the lock
  outboxes_.close_all();
  std::unique_lock lock(control_mutex_);
  ends = std::move(control_);
  lock.unlock();
}

}  // namespace coterie
