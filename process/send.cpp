// send and cast: how a message without an answer leaves a process.

#include <memory>
#include <utility>

#include <coterie/call.hpp>

#include "process/resolve.hpp"

namespace coterie::detail {
namespace {

void count(std::atomic<std::uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

void send_here(Process& self, const Pid& to, MessagePtr message) {
  Runtime& runtime = self.runtime();
  for (;;) {
    bool crowded = false;
    const PushResult result = runtime.push(to, message, crowded);
    if (result == PushResult::pushed) {
      self.after_send(crowded);
      return;
    }
    if (result == PushResult::no_process) {
      count(runtime.counters().dead_letters);
      return;
    }
    Process* target = runtime.find(to);
    const Overflow overflow = target != nullptr ? target->overflow() : Overflow::refuse;
    if (overflow == Overflow::park && !self.ending()) {
      self.rest(std::chrono::milliseconds(1));
      continue;
    }
    count(runtime.counters().refused_messages);
    if (overflow == Overflow::kill) {
      runtime.signal(self.pid(), to, Signal::exit, Ref::none, ExitReason::kill());
    }
    return;
  }
}

void send_there(Process& self, const Destination& there, Signal signal, MessagePtr message) {
  Runtime& runtime = self.runtime();
  Envelope envelope;
  envelope.signal = signal;
  envelope.from = self.pid();
  if (there.name.empty()) {
    envelope.to = there.pid;
  } else {
    envelope.to = LocalName{there.name};
  }
  envelope.epoch = there.epoch;
  envelope.ref = message->ref();
  if (message->type->pack == nullptr || message->type->name.empty()) {
    runtime.log().error(LogModule::process,
                        "a message without type_name, or with fields that cannot be packed, "
                        "cannot leave its node: dropped",
                        {{"to", there.pid}});
    count(runtime.counters().dead_letters);
    return;
  }
  envelope.type = message->type->name;
  envelope.payload = message->type->pack(message->payload(), Form::positional);
  while (runtime.send_remote(there.pid.node, envelope) == SendResult::busy) {
    const Ticket ticket{self.pid(), runtime.make_ref()};
    runtime.wait_writable(there.pid.node, ticket);
    if (runtime.send_remote(there.pid.node, envelope) != SendResult::busy) return;
    bool refused = false;
    self.wait_answer(ticket.ref, default_call_timeout, refused);
    if (refused || self.ending()) {
      count(runtime.counters().dead_letters);
      return;
    }
  }
}

void dispatch(const ServerRef& to, Signal signal, MessagePtr message) {
  Process& self = current_process();
  if (const Pid* pid = std::get_if<Pid>(&to);
      pid != nullptr && pid->node == self.runtime().node() && !self.strict()) {
    message->from = self.pid();
    send_here(self, *pid, std::move(message));
    return;
  }
  if (!self.pass_gate()) {
    count(self.runtime().counters().dead_letters);
    return;
  }
  const Destination there = resolve(self, to, default_call_timeout);
  if (!there.found()) {
    count(self.runtime().counters().dead_letters);
    return;
  }
  message->from = self.pid();
  if (there.pid.node == self.runtime().node()) {
    send_here(self, there.pid, std::move(message));
  } else {
    send_there(self, there, signal, std::move(message));
  }
}

/// Sends one message whose name takes a process to resolve.
class LateSender final : public Behaviour {
 public:
  LateSender(ServerRef to, MessagePtr message) : to_(std::move(to)), message_(std::move(message)) {}
  void start() override {
    dispatch(to_, Signal::send, std::move(message_));
    current_process().exit_later(ExitReason::normal());
  }
  void handle(MessagePtr) override {}
  std::string_view initial_call() const noexcept override { return "send_after"; }

 private:
  const ServerRef to_;
  MessagePtr message_;
};

}  // namespace

void send_message(const ServerRef& to, MessagePtr message) {
  dispatch(to, Signal::send, std::move(message));
}

void cast_message(const ServerRef& to, MessagePtr message) {
  dispatch(to, Signal::cast, std::move(message));
}

void Runtime::send_late(const ServerRef& to, MessagePtr message) {
  std::optional<Pid> pid;
  if (const Pid* direct = std::get_if<Pid>(&to)) pid = *direct;
  if (const auto* name = std::get_if<LocalName>(&to)) {
    pid = whereis(name->name).value_or(Pid{node(), 0});
  }
  if (pid && pid->node == node()) {
    const PushResult result = push(*pid, message);
    if (result == PushResult::no_process) count(counters_.dead_letters);
    if (result == PushResult::full) count(counters_.refused_messages);
    return;
  }
  SpawnRequest request;
  request.behaviour = std::make_unique<LateSender>(to, std::move(message));
  spawn(std::move(request));
}

}  // namespace coterie::detail
