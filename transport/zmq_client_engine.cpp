#include "transport/zmq_client_engine.hpp"

#include <algorithm>

#include "process/thread_start.hpp"
#include "transport/envelope_codec.hpp"
#include "transport/resolve.hpp"

namespace coterie {
namespace {

constexpr std::string_view refusal = "refused (";
constexpr Duration backoff_min = std::chrono::milliseconds(20);
constexpr Duration backoff_max = std::chrono::seconds(1);
// The node reads at most 1 MiB a frame; the envelope's other fields need room too.
constexpr std::size_t request_bytes_max = (1 << 20) - 1024;

CallError not_executed(CallError::Code code, std::string detail) {
  return {code, CallError::Execution::not_executed, ExitReason::noconnection(), std::move(detail)};
}

}  // namespace

Client::Engine::Engine(ClientOptions options, const Clock& clock, Random& random)
    : options_(std::move(options)),
      doors_([this] {
        std::vector<Door> doors;
        for (const std::string& address : options_.addresses) {
          const auto keys = options_.keys.servers.find(address);
          if (keys == options_.keys.servers.end() || !options_.keys.own) {
            doors.push_back({address, {}});
            continue;
          }
          for (const std::string& key : keys->second) doors.push_back({address, key});
        }
        return doors;
      }()),
      clock_(clock),
      random_(random) {
  thread_ = detail::start_thread("coterie-client", [this] { run(); });
}

Client::Engine::~Engine() {
  stop_.store(true);
  wake_.ring();
  thread_.join();
}

std::string Client::Engine::wait_connected() {
  std::unique_lock lock(mutex_);
  // When every address has refused us there is nothing to wait for.
  const auto hopeless = [this] {
    const auto refused = [](const auto& trouble) { return trouble.second.starts_with(refusal); };
    return trouble_.size() == doors_.size() &&
           (options_.try_once || std::ranges::all_of(trouble_, refused));
  };
  changed_.wait_for(lock, options_.connect_timeout, [&] { return ready_.load() || hopeless(); });
  return ready_.load() ? std::string() : troubles();
}

/// With the mutex held.
std::string Client::Engine::troubles() const {
  std::string text = "no node of the cluster answers";
  for (const auto& [door, why] : trouble_) text += "; " + doors_[door].address + ": " + why;
  return text;
}

std::string Client::Engine::node() const {
  std::lock_guard lock(mutex_);
  return node_;
}

void Client::Engine::submit(Request request, Done done) {
  if (request.payload.size() + request.type.size() > request_bytes_max) {
    return done(std::unexpected(not_executed(
        CallError::Code::overloaded,
        "a client's request holds at most " + std::to_string(request_bytes_max) + " bytes")));
  }
  if (outstanding_.fetch_add(1) >= options_.outstanding_max) {
    --outstanding_;
    return done(
        std::unexpected(not_executed(CallError::Code::overloaded, "too many calls are under way")));
  }
  {
    std::lock_guard lock(mutex_);
    submitted_.emplace_back(std::move(request), std::move(done));
  }
  wake_.ring();
}

void Client::Engine::take_submitted(Time now) {
  std::vector<std::pair<Request, Done>> fresh;
  {
    std::lock_guard lock(mutex_);
    fresh.swap(submitted_);
  }
  for (auto& [request, done] : fresh) {
    const std::uint64_t ref = ++last_ref_;
    Pending& pending = pending_[ref];
    pending.deadline = after(now, request.timeout);
    pending.send_before = std::min(pending.deadline, after(now, options_.connect_timeout));
    pending.request = std::move(request);
    pending.done = std::move(done);
    waiting_[ref] = pending.send_before;
    deadlines_.emplace(pending.deadline, ref);
    deadlines_.emplace(pending.send_before, ref);
  }
}

void Client::Engine::finish(std::uint64_t ref, Answer answer) {
  const auto found = pending_.find(ref);
  if (found == pending_.end()) return;
  Done done = std::move(found->second.done);
  deadlines_.erase({found->second.deadline, ref});
  deadlines_.erase({found->second.send_before, ref});
  pending_.erase(found);
  waiting_.erase(ref);
  --outstanding_;
  done(std::move(answer));
}

// --- the connection -----------------------------------------------------------------------------

void Client::Engine::dial(Time now) {
  since_ = now;
  state_ = State::dialling;
  door_ = next_door_++ % doors_.size();
  address_ = doors_[door_].address;
  const auto address = parse_host_port(address_);
  if (!address) return broken(now, address.error());
  const auto number = resolve_host(address->host);
  if (!number) return broken(now, number.error());
  try {
    connection_ =
        std::make_unique<ZmqConnection>(context_, zmq_endpoint({*number, address->port}),
                                        static_cast<int>(options_.reply_bytes_max),
                                        DialKeys{options_.keys.own, doors_[door_].server_key});
  } catch (const zmq::error_t& error) {
    broken(now, error.what());
  }
}

void Client::Engine::broken(Time now, const std::string& why) {
  connection_.reset();
  state_ = State::idle;
  ready_.store(false);
  {
    std::lock_guard lock(mutex_);
    trouble_[door_] = why;
    changed_.notify_all();
  }
  // At once to the next address; after a round of all, more slowly.
  dial_at_ = now;
  if (next_door_ % doors_.size() == 0) {
    backoff_ = std::clamp(backoff_ * 2, backoff_min, backoff_max);
    const auto jitter = random_.below(static_cast<std::uint64_t>(backoff_.count() / 2) + 1);
    dial_at_ = now + backoff_ + Duration(static_cast<Duration::rep>(jitter));
  }
  std::vector<std::uint64_t> sent;
  for (const auto& [ref, pending] : pending_) {
    if (pending.sent) sent.push_back(ref);
  }
  for (const std::uint64_t ref : sent) {
    finish(ref, std::unexpected(CallError(
                    CallError::Code::noconnection, CallError::Execution::unknown,
                    ExitReason::noconnection(),
                    "the connection to " + address_ + " broke before the reply: " + why)));
  }
}

void Client::Engine::read(Time now) {
  while (connection_) {
    const ZmqConnectionEvent event = connection_->next_event();
    if (event == ZmqConnectionEvent::none) break;
    if (event == ZmqConnectionEvent::refused) {
      return broken(now, std::string(refusal) +
                             (options_.keys.own
                                  ? "key): the node does not know this client's key, or wants none"
                                  : "key): the node wants a key, and this client has none"));
    }
    if (event != ZmqConnectionEvent::up) {
      // What the node said before it went is still there, a refusal for instance.
      while (auto frame = connection_ ? connection_->receive() : std::nullopt) {
        on_frame(now, *frame);
      }
      if (connection_) {
        broken(now, why_down(event));
      }
      return;
    }
    state_ = State::greeting;
    since_ = now;
    wire::ClientHello hello;
    hello.cluster_id = options_.cluster_id;
    hello.label = options_.label;
    if (!connection_->send(encode(hello))) return broken(now, "the connection broke");
  }
  for (int i = 0; i < 1024 && connection_; ++i) {
    const auto frame = connection_->receive();
    if (!frame) break;
    on_frame(now, *frame);
  }
}

std::string Client::Engine::why_down(ZmqConnectionEvent event) const {
  if (state_ != State::dialling) return "the connection broke";
  if (event != ZmqConnectionEvent::broken_off) return "nobody listens, or it is no coterie node";
  return options_.keys.own ? "it hung up: it does not know this client's key, or is no coterie node"
                           : "it hung up: perhaps the node wants a key, and this client has none";
}

void Client::Engine::on_frame(Time now, BytesView bytes) {
  heard_at_ = now;
  const auto frame = wire::decode(bytes);
  if (!frame) return broken(now, "the node's answer is not understood: " + frame.error());
  if (const auto* refused = std::get_if<wire::Refuse>(&*frame)) {
    return broken(
        now, std::string(refusal) + std::string(to_string(refused->code)) + "): " + refused->text);
  }
  if (const auto* welcome = std::get_if<wire::ClientWelcome>(&*frame)) {
    state_ = State::ready;
    node_id_ = welcome->incarnation.id;
    backoff_ = {};
    beat_at_ = now + options_.beat_interval;
    std::lock_guard lock(mutex_);
    trouble_.clear();
    node_ = welcome->node;
    ready_.store(true);
    changed_.notify_all();
    return;
  }
  if (const auto* envelope = std::get_if<wire::ClientEnvelope>(&*frame)) {
    on_answer(envelope->envelope);
  }
}

void Client::Engine::on_answer(BytesView bytes) {
  auto envelope = wire::decode_envelope(bytes, {node_id_, NodeId::none});
  if (!envelope) return broken(clock_.now(), envelope.error());
  const auto ref = static_cast<std::uint64_t>(envelope->ref);
  if (envelope->signal == Signal::reply) {
    finish(ref, std::move(envelope->payload));
  } else if (envelope->signal == Signal::call_failed) {
    finish(ref,
           std::unexpected(CallError(envelope->code, envelope->execution,
                                     std::move(envelope->reason), std::move(envelope->detail))));
  }
}

// --- calls --------------------------------------------------------------------------------------

bool Client::Engine::send_call(std::uint64_t ref, Pending& pending, Time now) {
  Envelope call;
  call.signal = Signal::call;
  call.named = pending.request.named;
  call.to = pending.request.to;
  call.ref = static_cast<Ref>(ref);
  call.epoch = pending.request.epoch;
  if (pending.deadline != Time::max()) call.budget = pending.deadline - now;
  call.request_id = std::move(pending.request.request_id);
  call.type = std::move(pending.request.type);
  call.trace = std::move(pending.request.trace);
  call.payload = std::move(pending.request.payload);
  const Bytes bytes = wire::encode_envelope(call, {NodeId::none, node_id_});
  pending.sent = true;  // once ZeroMQ was asked nobody can say that it did not go
  return connection_->send(encode(wire::ClientEnvelope{bytes}));
}

void Client::Engine::send_waiting(Time now) {
  while (state_ == State::ready && !waiting_.empty()) {
    const std::uint64_t ref = waiting_.begin()->first;
    waiting_.erase(waiting_.begin());
    if (heard_at_ < now - options_.beat_interval) heard_at_ = now;  // the wait for it begins
    if (!send_call(ref, pending_.find(ref)->second, now)) {
      return broken(now, "the connection broke");
    }
  }
}

void Client::Engine::expire(Time now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::uint64_t ref = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    const Pending& pending = pending_.at(ref);
    if (!pending.sent) {
      std::string why;
      {
        std::lock_guard lock(mutex_);
        why = troubles();
      }
      finish(ref, std::unexpected(not_executed(pending.deadline <= now ? CallError::Code::timeout
                                                                       : CallError::Code::nodedown,
                                               why)));
    } else if (pending.deadline <= now) {
      Envelope cancel;
      cancel.signal = Signal::cancel;
      cancel.ref = static_cast<Ref>(ref);
      const Bytes bytes = wire::encode_envelope(cancel, {NodeId::none, node_id_});
      if (connection_) (void)connection_->send(encode(wire::ClientEnvelope{bytes}));
      finish(ref, std::unexpected(CallError(CallError::Code::timeout, CallError::Execution::unknown,
                                            ExitReason::term("timeout"),
                                            "no reply before the deadline")));
    }
  }
}

void Client::Engine::end_all() {
  while (!pending_.empty()) {
    const bool sent = pending_.begin()->second.sent;
    const auto execution =
        sent ? CallError::Execution::unknown : CallError::Execution::not_executed;
    finish(pending_.begin()->first,
           std::unexpected(CallError(CallError::Code::noconnection, execution,
                                     ExitReason::noconnection(), "the client was closed")));
  }
}

Time Client::Engine::next_deadline() const {
  Time next = deadlines_.empty() ? Time::max() : deadlines_.begin()->first;
  switch (state_) {
    case State::idle:
      return std::min(next, dial_at_);
    case State::dialling:
    case State::greeting:
      return std::min(next, since_ + options_.attempt_timeout);
    case State::ready:
      return std::min(next, beat_at_);
  }
  return next;
}

void Client::Engine::run() {
  while (!stop_.load()) {
    wake_.quiet();
    const Time now = clock_.now();
    take_submitted(now);
    read(now);
    if (state_ == State::idle && dial_at_ <= now) dial(now);
    if ((state_ == State::dialling || state_ == State::greeting) &&
        now - since_ >= options_.attempt_timeout) {
      broken(now, state_ == State::dialling ? "no connection in time" : "no answer to the hello");
    }
    send_waiting(now);
    if (state_ == State::ready && beat_at_ <= now) {
      beat_at_ = now + options_.beat_interval;
      if (!connection_->send(encode(wire::Beat{}))) broken(now, "the connection broke");
    }
    expire(now);
    std::vector<zmq::pollitem_t> items{{nullptr, wake_.fd(), ZMQ_POLLIN, 0}};
    if (connection_) {
      items.push_back({connection_->monitor_handle(), 0, ZMQ_POLLIN, 0});
      items.push_back({connection_->handle(), 0, ZMQ_POLLIN, 0});
    }
    const Duration left =
        next_deadline() == Time::max() ? std::chrono::seconds(1) : next_deadline() - clock_.now();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(left, Duration{}));
    (void)zmq_poll(items.data(), static_cast<int>(items.size()), wait.count());
  }
  if (connection_ && state_ == State::ready) {
    connection_->linger(200);
    (void)connection_->send(encode(wire::Bye{}));
  }
  connection_.reset();
  ready_.store(false);
  take_submitted(clock_.now());
  end_all();
}

}  // namespace coterie
