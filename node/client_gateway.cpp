#include "node/client_gateway.hpp"

#include <algorithm>
#include <utility>

#include <coterie/call.hpp>

#include "node/start_child.hpp"

namespace coterie {
namespace {

constexpr Duration answer_reserve_max = std::chrono::milliseconds(60);

}  // namespace

/// One call of a client.
class ClientCall final : public detail::Behaviour {
 public:
  ClientCall(ClientGateway& gateway, ClientId client, Envelope envelope)
      : gateway_(gateway), client_(client), envelope_(std::move(envelope)) {}

  void start() override {
    answer_ = run();
    detail::current_process().exit_later(ExitReason::normal());
  }
  void handle(detail::MessagePtr) override {}
  LastWord ended(detail::Process&, const ExitReason&) override {
    gateway_.finish({client_, envelope_.ref}, std::move(answer_));
    return {};
  }
  std::string_view initial_call() const noexcept override { return "client call"; }

 private:
  Envelope run() {
    // Until there is a better answer: whatever ends this process, the client hears of it.
    answer_ = ClientGateway::failure(
        envelope_.ref, CallError(CallError::Code::exited, CallError::Execution::unknown));
    detail::Runtime& runtime = gateway_.runtime_;
    // The client gives up at the end of its budget: what is known of the call by then, above all
    // that it certainly did not run, must have reached it.
    if (envelope_.budget != infinity) {
      envelope_.budget -= std::min(envelope_.budget / 10, answer_reserve_max);
    }
    const Time end = after(runtime.clock().now(), envelope_.budget);
    if (const ClusterKind* kind = gateway_.kind_started_by(envelope_.to, envelope_.type)) {
      const auto& key = std::get<ViaName>(envelope_.to).key;
      auto started = start_cluster_child(*kind, key, envelope_.budget);
      if (!started) return ClientGateway::failure(envelope_.ref, started.error());
    }
    ServerRef to;
    std::visit([&to](const auto& target) { to = target; }, envelope_.to);
    CallOptions options;
    options.timeout = envelope_.budget == infinity
                          ? infinity
                          : std::max(end - runtime.clock().now(), Duration::zero());
    options.request_id = envelope_.request_id;
    if (envelope_.signal != Signal::call) {
      send_or_cast(to);
      return {};
    }
    auto reply =
        call_packed(to, envelope_.type, std::move(envelope_.payload), options, envelope_.named);
    if (!reply) return ClientGateway::failure(envelope_.ref, reply.error());
    Envelope answer;
    answer.signal = Signal::reply;
    answer.ref = envelope_.ref;
    answer.type = std::move(reply->type);
    answer.payload = std::move(reply->bytes);
    return answer;
  }

  void send_or_cast(const ServerRef& to) {
    auto message = detail::make_message(
        detail::MessageKind::cast,
        detail::Packed{std::move(envelope_.type), std::move(envelope_.payload)});
    if (envelope_.signal == Signal::cast) {
      detail::cast_message(to, std::move(message));
    } else {
      message->kind = detail::MessageKind::send;
      detail::send_message(to, std::move(message));
    }
  }

  ClientGateway& gateway_;
  const ClientId client_;
  Envelope envelope_;
  Envelope answer_;
};

void ClientGateway::client_call(ClientId client, Envelope&& envelope) {
  const Key key{client, envelope.ref};
  if (envelope.signal == Signal::cancel) {
    Pid pid;
    {
      std::lock_guard guard(lock_);
      auto found = calls_.find(key);
      if (found == calls_.end()) return;
      pid = found->second;
    }
    runtime_.signal({}, pid, Signal::exit, Ref::none, ExitReason::kill());
    return;
  }
  ClientDoor* door = door_.load();
  std::unique_lock guard(lock_);
  const bool room = calls_.size() < options_.calls_max;
  Pid pid;
  if (room) {
    detail::SpawnRequest request;
    const Ref ref = envelope.ref;
    request.behaviour = std::make_unique<ClientCall>(*this, client, std::move(envelope));
    // The lock is held, so the call cannot finish before it is listed.
    pid = runtime_.spawn(std::move(request));
    if (pid) calls_.emplace(Key{client, ref}, pid);
  }
  guard.unlock();
  if (!pid) {
    door->reply(client, failure(key.second, CallError(CallError::Code::overloaded,
                                                      CallError::Execution::not_executed, {},
                                                      "too many calls of clients are under way")));
  }
}

void ClientGateway::client_gone(ClientId client) {
  std::vector<Pid> pids;
  {
    std::lock_guard guard(lock_);
    for (auto call = calls_.lower_bound({client, Ref::none});
         call != calls_.end() && call->first.first == client; ++call) {
      pids.push_back(call->second);
    }
  }
  for (const Pid& pid : pids) {
    runtime_.signal({}, pid, Signal::exit, Ref::none, ExitReason::kill());
  }
}

void ClientGateway::finish(const Key& key, Envelope&& answer) {
  {
    std::lock_guard guard(lock_);
    calls_.erase(key);
  }
  if (answer.ref != Ref::none) door_.load()->reply(key.first, std::move(answer));
}

std::size_t ClientGateway::calls() const {
  std::lock_guard guard(lock_);
  return calls_.size();
}

const ClusterKind* ClientGateway::kind_started_by(const Target& target,
                                                  std::string_view type) const {
  const auto* name = std::get_if<ViaName>(&target);
  if (name == nullptr) return nullptr;
  for (const ClusterKind& kind : kinds_) {
    if (kind.kind.name == name->registry && kind.starting_message == type && !type.empty()) {
      return &kind;
    }
  }
  return nullptr;
}

Envelope ClientGateway::failure(Ref ref, const CallError& error) {
  Envelope envelope;
  envelope.signal = Signal::call_failed;
  envelope.ref = ref;
  envelope.code = error.code();
  envelope.execution = error.execution();
  envelope.reason = error.reason();
  envelope.detail = error.detail();
  return envelope;
}

}  // namespace coterie
