#include "sim/sim_doors.hpp"

#include <utility>
#include <vector>

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t delay_max_ns = 1'500'000;
constexpr Duration detection = 2ms;  // a connection that broke

CallError lost(CallError::Execution execution, std::string why) {
  return {CallError::Code::noconnection, execution, ExitReason::noconnection(), std::move(why)};
}

}  // namespace

class SimDoors::Door final : public ClientDoor {
 public:
  Door(SimDoors& doors, ClientListenerOptions options, SimExecutor& executor, ClientEvents& events,
       OnNotice on_notice)
      : doors_(doors),
        options_(std::move(options)),
        address_("sim:" + options_.node),
        events_(events),
        on_notice_(std::move(on_notice)),
        strand_(executor.make_strand("clients")) {}
  ~Door() override {
    if (const auto found = doors_.doors_.find(options_.node);
        found != doors_.doors_.end() && found->second == this) {
      doors_.close(options_.node);
    }
  }

  void serve() override { doors_.doors_[options_.node] = this; }
  bool reply(ClientId, Envelope&& envelope) override {
    if (closed) return false;
    SimDoors& doors = doors_;
    doors.world_.post_at(after(doors.world_.now(), doors.delay()),
                         [&doors, envelope = std::move(envelope)]() mutable {
                           doors.answered(std::move(envelope));
                         });
    return true;
  }
  const std::string& address() const noexcept override { return address_; }

  void call(ClientId client, Envelope&& envelope) {
    strand_->post([this, client, envelope = std::move(envelope)]() mutable {
      if (!closed) events_.client_call(client, std::move(envelope));
    });
  }
  void notice(DeathNotice notice, Told told) {
    strand_->post([this, notice = std::move(notice), told = std::move(told)]() mutable {
      if (closed) return;
      NoticeTaken taken = on_notice_(notice);
      doors_.world_.post_at(
          after(doors_.world_.now(), doors_.delay()),
          [told = std::move(told), taken = std::move(taken)]() mutable { told(std::move(taken)); });
    });
  }

  bool closed = false;

 private:
  SimDoors& doors_;
  const ClientListenerOptions options_;
  const std::string address_;
  ClientEvents& events_;
  const OnNotice on_notice_;
  std::unique_ptr<Strand> strand_;
};

std::unique_ptr<ClientDoor> SimDoors::open(ClientListenerOptions options, SimExecutor& executor,
                                           ClientEvents& events, OnNotice on_notice) {
  return std::make_unique<Door>(*this, std::move(options), executor, events, std::move(on_notice));
}

void SimDoors::close(const std::string& node) {
  const auto found = doors_.find(node);
  if (found == doors_.end()) return;
  found->second->closed = true;
  doors_.erase(found);
  std::vector<Ref> broken;
  for (const auto& [ref, pending] : pending_) {
    if (pending.node == node) broken.push_back(ref);
  }
  for (const Ref ref : broken) {
    world_.post_at(after(world_.now(), detection), [this, ref] {
      finish(ref, std::unexpected(lost(CallError::Execution::unknown, "the connection broke")));
    });
  }
}

Duration SimDoors::delay() {
  return 50us + Duration(static_cast<Duration::rep>(world_.random().below(delay_max_ns)));
}

void SimDoors::finish(Ref ref, Client::Answer answer) {
  const auto found = pending_.find(ref);
  if (found == pending_.end()) return;
  Done done = std::move(found->second.done);
  pending_.erase(found);
  done(std::move(answer));
}

void SimDoors::answered(Envelope&& envelope) {
  if (envelope.signal == Signal::reply) {
    finish(envelope.ref, std::move(envelope.payload));
  } else {
    finish(envelope.ref,
           std::unexpected(CallError(envelope.code, envelope.execution, std::move(envelope.reason),
                                     std::move(envelope.detail))));
  }
}

void SimDoors::submit(std::uint64_t client, const std::string& node, Client::Request request,
                      Done done) {
  const Ref ref{++last_ref_};
  pending_[ref] = {node, std::move(done)};
  const Time deadline = after(world_.now(), request.timeout);
  world_.post_at(after(world_.now(), delay()), [this, client, node, ref, deadline,
                                                request = std::move(request)]() mutable {
    if (!pending_.contains(ref)) return;
    const auto door = doors_.find(node);
    if (door == doors_.end()) {
      finish(ref, std::unexpected(lost(CallError::Execution::not_executed, "nobody listens")));
      return;
    }
    Envelope call;
    call.signal = Signal::call;
    call.named = request.named;
    call.to = std::move(request.to);
    call.ref = ref;
    call.epoch = request.epoch;
    call.budget = deadline - world_.now();
    call.request_id = std::move(request.request_id);
    call.type = std::move(request.type);
    call.trace = std::move(request.trace);
    call.payload = std::move(request.payload);
    door->second->call(ClientId{client}, std::move(call));
  });
  world_.post_at(deadline, [this, client, node, ref] {
    if (!pending_.contains(ref)) return;
    if (const auto door = doors_.find(node); door != doors_.end()) {
      Envelope cancel;
      cancel.signal = Signal::cancel;
      cancel.ref = ref;
      door->second->call(ClientId{client}, std::move(cancel));
    }
    finish(ref,
           std::unexpected(CallError(CallError::Code::timeout, CallError::Execution::unknown,
                                     ExitReason::term("timeout"), "no reply before the deadline")));
  });
}

void SimDoors::notice(const std::string& node, Duration delay, DeathNotice notice, Told told) {
  world_.post_at(after(world_.now(), delay),
                 [this, node, notice = std::move(notice), told = std::move(told)]() mutable {
                   const auto door = doors_.find(node);
                   if (door != doors_.end())
                     door->second->notice(std::move(notice), std::move(told));
                 });
}

}  // namespace coterie::sim
