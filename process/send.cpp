// send and cast: how a message without an answer leaves a process.

#include <memory>
#include <utility>

#include <coterie/call.hpp>

#include "process/resolve.hpp"
#include "process/switch.hpp"

namespace coterie::detail {
namespace {

void count(std::atomic<std::uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

void send_here(Process& self, const Pid& to, MessagePtr message) {
  Runtime& runtime = self.runtime();
  for (;;) {
    bool crowded = false;
    const PushResult result = runtime.push_here(to, message, crowded);
    if (result == PushResult::pushed) {
      self.after_send(crowded);
      return;
    }
    if (result == PushResult::no_process) {
      count(runtime.counters().dead_letters);
      return;
    }
    const Process* target = runtime.find(to);
    if (target == nullptr || target->overflow() != Overflow::park || self.ending()) break;
    self.rest(std::chrono::milliseconds(1));
  }
  runtime.refused(self.pid(), to);
}

bool can_travel(const Message& message) {
  return message.type->pack != nullptr && !message.type->name.empty();
}

constexpr std::string_view cannot_travel =
    "a message without type_name, or with fields that cannot be packed, cannot leave its node";

Envelope make_envelope(Process& self, const Destination& there, Signal signal, Message& message) {
  Envelope envelope;
  envelope.signal = signal;
  envelope.from = self.pid();
  if (there.name.empty()) {
    envelope.to = there.pid;
  } else {
    envelope.to = LocalName{there.name};
  }
  envelope.epoch = there.epoch;
  envelope.ref = message.ref();
  envelope.type = message.type->name;
  const GivesWay while_packing;
  envelope.payload = message.type->pack(message.payload(), Form::positional);
  return envelope;
}

void send_there(Process& self, const Destination& there, Signal signal, MessagePtr message) {
  Runtime& runtime = self.runtime();
  if (!can_travel(*message)) {
    runtime.log().error(LogModule::process, std::string(cannot_travel) + ": dropped",
                        {{"to", there.pid}});
    count(runtime.counters().dead_letters);
    return;
  }
  Envelope envelope = make_envelope(self, there, signal, *message);
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

using Sent = std::expected<void, CallError>;

Sent not_sent(CallError::Code code, std::string detail) {
  return std::unexpected(CallError(
      code, CallError::Execution::not_executed,
      code == CallError::Code::noproc ? ExitReason::noproc() : ExitReason(), std::move(detail)));
}

Sent try_here(Process& self, const Destination& there, MessagePtr message) {
  Runtime& runtime = self.runtime();
  bool crowded = false;
  switch (runtime.push(there.pid, message, crowded)) {
    case PushResult::pushed:
      self.after_send(crowded);
      return {};
    case PushResult::full:
      runtime.refused(self.pid(), there.pid);
      return not_sent(CallError::Code::overloaded, "the mailbox is full");
    case PushResult::no_process:
      break;
  }
  count(runtime.counters().dead_letters);
  return not_sent(CallError::Code::noproc, there.detail);
}

Sent try_there(Process& self, const Destination& there, Signal signal, MessagePtr message) {
  if (!can_travel(*message)) {
    return not_sent(CallError::Code::undecodable, std::string(cannot_travel));
  }
  Envelope envelope = make_envelope(self, there, signal, *message);
  switch (self.runtime().send_remote(there.pid.node, envelope)) {
    case SendResult::sent:
      return {};
    case SendResult::busy:
      return not_sent(CallError::Code::overloaded, "the link to its node is full");
    case SendResult::no_node:
      break;
  }
  return not_sent(CallError::Code::nodedown, "its node is not connected");
}

Sent try_dispatch(const ServerRef& to, Signal signal, MessagePtr message) {
  Process& self = current_process();
  if (self.strict() && !self.runtime().gate_open()) {
    return not_sent(CallError::Code::unavailable, "the sender's node holds no lease now");
  }
  const Destination there = resolve(self, to, default_call_timeout);
  if (!there.found()) return not_sent(there.code, there.detail);
  message->from = self.pid();
  if (there.pid.node != self.runtime().node()) {
    return try_there(self, there, signal, std::move(message));
  }
  return try_here(self, there, std::move(message));
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

std::expected<void, CallError> try_send_message(const ServerRef& to, MessagePtr message) {
  return try_dispatch(to, Signal::send, std::move(message));
}

std::expected<void, CallError> try_cast_message(const ServerRef& to, MessagePtr message) {
  return try_dispatch(to, Signal::cast, std::move(message));
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
    if (result == PushResult::full) refused(*pid, *pid);
    return;
  }
  SpawnRequest request;
  request.behaviour = std::make_unique<LateSender>(to, std::move(message));
  spawn(std::move(request));
}

}  // namespace coterie::detail
