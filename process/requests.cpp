#include <coterie/requests.hpp>

#include <algorithm>

#include <coterie/nodes.hpp>

#include "process/resolve.hpp"
#include "process/take_back.hpp"

namespace coterie::detail {
namespace {

void fail_at_once(Process& self, Ref ref, CallError::Code code, std::string detail) {
  const ExitReason reason =
      code == CallError::Code::noproc ? ExitReason::noproc() : ExitReason::normal();
  self.runtime().fail(
      {self.pid(), ref, false, {}},
      CallError(code, CallError::Execution::not_executed, reason, std::move(detail)));
}

void request_here(Process& self, const Destination& there, Ref ref, MessagePtr message) {
  Runtime& runtime = self.runtime();
  message->from = self.pid();
  message->set_ref(ref);
  if (there.epoch) {
    message->make_extra().epoch = there.epoch;
  }
  switch (runtime.push(there.pid, message)) {
    case PushResult::pushed:
      break;
    case PushResult::no_process:
      fail_at_once(self, ref, CallError::Code::noproc, there.detail);
      break;
    case PushResult::full:
      runtime.refused(self.pid(), there.pid);
      fail_at_once(self, ref, CallError::Code::overloaded, "the server's mailbox is full");
      break;
  }
}

void request_there(Process& self, const Destination& there, Ref ref, MessagePtr message) {
  Runtime& runtime = self.runtime();
  const NodeId node = there.pid.node;
  if (message->type->pack == nullptr || message->type->name.empty()) {
    fail_at_once(self, ref, CallError::Code::undecodable,
                 "a message without type_name, or with fields that cannot be packed, cannot leave "
                 "its node");
    return;
  }
  for (;;) {
    // Each time: the session may have been lost, and another begun, while this one waited.
    if (!runtime.note_call(node, ref, self.pid())) break;
    if (!there.name.empty()) runtime.note_name(node, ref, there.name);
    Envelope envelope;
    envelope.signal = Signal::call;
    envelope.from = self.pid();
    envelope.to = there.name.empty() ? Target(there.pid) : Target(LocalName{there.name});
    envelope.ref = ref;
    envelope.epoch = there.epoch;
    envelope.type = message->type->name;
    const GivesWay while_packing;
    envelope.payload = message->type->pack(message->payload(), Form::positional);
    const SendResult sent = runtime.send_remote(node, envelope);
    if (sent == SendResult::sent) return;
    runtime.forget_call(node, ref);
    if (sent == SendResult::no_node) break;
    const Ticket ticket{self.pid(), runtime.make_ref()};
    runtime.wait_writable(node, ticket);
    bool refused = false;
    self.wait_answer(ticket.ref, default_call_timeout, refused);
    if (refused || self.ending()) break;
  }
  fail_at_once(self, ref, CallError::Code::nodedown, "its node is not connected");
}

}  // namespace

Ref start_request(const ServerRef& to, MessagePtr request) {
  Process& self = current_process();
  Runtime& runtime = self.runtime();
  const Ref ref = runtime.make_ref();
  if (!self.pass_gate()) return ref;
  const Destination there = resolve(self, to, default_call_timeout);
  self.relations().requests.insert({ref, there.pid});
  if (!there.found()) {
    fail_at_once(self, ref, there.code, there.detail);
  } else if (there.pid == self.pid()) {
    fail_at_once(self, ref, CallError::Code::calling_self, "a request to oneself");
  } else if (there.pid.node == runtime.node()) {
    request_here(self, there, ref, std::move(request));
  } else {
    request_there(self, there, ref, std::move(request));
  }
  return ref;
}

MessagePtr next_response(const std::vector<Ref>& refs, Duration timeout) {
  return receive_message(
      [&](Message& message) {
        const Response* response = message.as<Response>();
        return response != nullptr && std::ranges::find(refs, response->ref()) != refs.end();
      },
      timeout);
}

void abandon_request(Ref request) {
  Process& self = current_process();
  auto& requests = self.relations().requests;
  const Monitor* found = requests.find(request);
  if (found == nullptr) {
    next_response({request}, Duration::zero());  // it came in between
    return;
  }
  const Pid server = found->target;
  requests.erase(request);
  self.runtime().cancel_request(self.pid(), server, request);
}

std::vector<CallError> give_up_requests(const std::vector<Ref>& requests, Duration timeout) {
  Process& self = current_process();
  Runtime& runtime = self.runtime();
  bool told = false;
  for (const Ref request : requests) {
    const Monitor* asked = self.relations().requests.find(request);
    told |= asked != nullptr && asked->target.node != runtime.node() &&
            runtime.cancel_request(self.pid(), asked->target, request, true);
  }
  const Time end = deadline(told ? std::min(timeout, word_max) : Duration::zero());
  std::vector<CallError> errors(requests.size(), no_response());
  std::vector<Ref> open = requests;
  while (!open.empty()) {
    // At the end too: it may have come in between.
    const MessagePtr message = next_response(open, time_left(end));
    if (!message) break;
    const Response& response = *message->as<Response>();
    const auto index = std::ranges::find(requests, response.ref()) - requests.begin();
    errors[static_cast<std::size_t>(index)] = late_word(*response.take());
    std::erase(open, response.ref());
  }
  for (const Ref request : open) abandon_request(request);
  return errors;
}

Time deadline(Duration timeout) {
  return timeout == infinity ? Time::max()
                             : after(current_process().runtime().clock().now(), timeout);
}

Duration time_left(Time end) {
  if (end == Time::max()) return infinity;
  return std::max(end - current_process().runtime().clock().now(), Duration::zero());
}

CallError no_response() {
  return {CallError::Code::timeout, CallError::Execution::unknown, ExitReason::term("timeout"),
          "no response came in time"};
}

std::vector<std::string> known_nodes() {
  std::vector<std::string> names = nodes();
  names.insert(names.begin(), node_name());
  return names;
}

/// For accept(): an answer that nobody waits for on the spot.
MessagePtr response_of(MessagePtr answer) {
  const Ref ref = answer->ref();
  return make_message(MessageKind::send, Response(ref, std::move(answer)));
}

}  // namespace coterie::detail
