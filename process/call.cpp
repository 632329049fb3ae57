// The one place where a request leaves a process and its answer is waited for.

#include <coterie/call.hpp>

#include <algorithm>
#include <utility>

#include "process/resolve.hpp"
#include "process/switch.hpp"
#include "process/sys_messages.hpp"
#include "process/take_back.hpp"

namespace coterie::detail {
namespace {

using Answer = std::expected<MessagePtr, CallError>;

CallError error_of(CallError::Code code, CallError::Execution execution, const ServerRef& to,
                   std::string detail = {}, ExitReason reason = {}) {
  if (code == CallError::Code::timeout && reason == ExitReason{}) {
    reason = ExitReason::term("timeout");
  }
  if (code == CallError::Code::noproc) reason = ExitReason::noproc();
  if (detail.empty()) detail = "call to " + to_string(to);
  return {code, execution, std::move(reason), std::move(detail)};
}

constexpr auto not_executed = CallError::Execution::not_executed;

// Between lookups of a name that is being moved: about the time of one, and what nobody notices.
constexpr Duration moving_pause_min = std::chrono::milliseconds(5);
constexpr Duration moving_pause_max = std::chrono::milliseconds(100);

/// One request on its way: the typed payload stays here, so that it can be sent again.
class Request {
 public:
  Request(Process& self, const ServerRef& to, MessagePtr message, const CallOptions& options,
          ReplyPlace* in_place)
      : self_(self),
        runtime_(self.runtime()),
        to_(to),
        message_(std::move(message)),
        options_(options),
        in_place_(in_place),
        infinite_(options.timeout == infinity) {}

  /// Most calls go to a pid of this node: nothing to resolve, nothing to try twice.
  [[gnu::always_inline]] Answer run_here(const Pid& to) {
    return call_here(to, {}, options_.timeout);
  }

  [[gnu::noinline]] Answer run() {
    if (!self_.pass_gate()) return failure(CallError::Code::killed, not_executed);
    // Before anything leaves: a caller that cannot wait has not called.
    if (!self_.cannot_park() && !self_.may_park()) {
      return failure(CallError::Code::system_limit, not_executed,
                     "the node's bound of parked fibers is reached");
    }
    // Names may be cached where they were: a stale or dead location is resolved again, past caches.
    bool fresh = false;
    Duration pause = moving_pause_min;
    for (;;) {
      const Worker* worker = running_worker();
      const std::uint64_t slices = worker != nullptr ? worker->slices() : 0;
      const bool may_wait = std::holds_alternative<ViaName>(to_);
      const Destination there = resolve(self_, to_, may_wait ? left() : options_.timeout, fresh);
      // Where nobody else has run the name was found at once: all of the time is left, and clock
      // reads are saved.
      const bool at_once = !may_wait || (worker != nullptr && worker->slices() == slices && !fresh);
      if (!there.found()) return failure(there.code, not_executed, there.detail);
      Answer answer = there.pid.node == runtime_.node()
                          ? call_here(there.pid, there.epoch, at_once ? options_.timeout : left())
                          : call_there(there, at_once);
      if (answer || !may_wait) return answer;
      const auto code = answer.error().code();
      const bool gone =
          code == CallError::Code::stale ||
          (answer.error().execution() == not_executed && code == CallError::Code::noproc);
      const bool moved =
          gone || (answer.error().execution() == not_executed && code == CallError::Code::nodedown);
      // What a fresh lookup found and is not there any more is being released or moved just now: a
      // later lookup tells. Whether to wait for a node that is down is the caller's to decide.
      const bool again =
          moved && message_ && (fresh ? gone && left() > pause : left() > Duration::zero());
      if (!again) {
        // Whoever does not answer may be there no more: the next call asks past the caches.
        if (code == CallError::Code::timeout) forget(runtime_, to_, there);
        if (code == CallError::Code::stale) {
          return failure(CallError::Code::unavailable, not_executed, answer.error().detail());
        }
        return answer;
      }
      forget(runtime_, to_, there);
      if (fresh) {
        self_.rest(pause);
        pause = std::min(pause * 2, moving_pause_max);
      }
      fresh = true;
    }
  }

 private:
  /// The clock is read only once a call needs more than one step.
  Duration left() {
    if (infinite_) return infinity;
    const Time now = runtime_.clock().now();
    if (end_ == Time::max()) end_ = after(now, options_.timeout);
    return std::max(end_ - now, Duration::zero());
  }

  std::unexpected<CallError> failure(CallError::Code code, CallError::Execution execution,
                                     std::string detail = {}) {
    return std::unexpected(error_of(code, execution, to_, std::move(detail)));
  }

  [[gnu::always_inline]] Answer call_here(const Pid& to, const Epoch& epoch, Duration timeout) {
    if (to == self_.pid()) return failure(CallError::Code::calling_self, not_executed);
    const Ref ref = runtime_.make_ref();
    message_->from = self_.pid();
    message_->set_ref(ref);
    if (!options_.request_id.empty() || epoch) {
      Extra& extra = message_->make_extra();
      extra.request_id = options_.request_id;
      extra.epoch = epoch;
    }
    bool crowded = false;
    switch (runtime_.push_here(to, message_, crowded)) {
      case PushResult::pushed:
        break;
      case PushResult::no_process:
        return failure(CallError::Code::noproc, not_executed);
      case PushResult::full:
        runtime_.refused(self_.pid(), to);
        return failure(CallError::Code::overloaded, not_executed, "the server's mailbox is full");
    }
    const Withdrawal withdrawal{*this, to, {}, ref};
    return wait(ref, timeout);
  }

  /// `at_once`: all of the time is left.
  Answer call_there(const Destination& there, bool at_once) {
    if (message_->type->pack == nullptr || type_name().empty()) {
      return failure(CallError::Code::undecodable, not_executed,
                     "a message without type_name, or with fields that cannot be packed, cannot "
                     "leave its node");
    }
    const Ref ref = runtime_.make_ref();
    const NodeId node = there.pid.node;
    Duration budget = std::max(options_.timeout, Duration::zero());
    for (;; at_once = false) {
      if (!at_once) budget = left();
      // Each time: the session may have been lost, and another begun, while this one waited.
      if (!runtime_.note_call(node, ref, self_.pid())) {
        return failure(CallError::Code::nodedown, not_executed, "its node is not connected");
      }
      Envelope envelope = make_envelope(there, ref, budget);
      SendResult sent = runtime_.send_remote(node, envelope);
      if (sent == SendResult::sent) break;
      if (sent == SendResult::busy && left() > Duration::zero()) {
        at_once = false;
        sent = wait_for_room(node, envelope);
        if (sent == SendResult::sent) break;
        if (sent == SendResult::busy && left() > Duration::zero()) continue;
      }
      runtime_.forget_call(node, ref);
      return sent == SendResult::busy
                 ? failure(CallError::Code::timeout, not_executed,
                           "the link to its node had no room in time")
                 : failure(CallError::Code::nodedown, not_executed, "its node is not connected");
    }
    const Withdrawal withdrawal{*this, there.pid, there.name, ref};
    Answer answer = wait(ref, at_once ? budget : left());
    return timed_out_ ? take_back(there, ref) : std::move(answer);
  }

  /// The deadline has passed. What the other node says now, an answer that comes too late too,
  /// tells at least whether the request ran.
  Answer take_back(const Destination& there, Ref ref) {
    send_cancel(there.pid, there.name, ref, true);
    bool refused = false;
    const MessagePtr word = self_.wait_answer(ref, std::min(options_.timeout, word_max), refused);
    answered_ = true;  // the server knows
    if (!word) {
      runtime_.forget_call(there.pid.node, ref);
      const bool killed = !refused && self_.ending();
      return failure(killed ? CallError::Code::killed : CallError::Code::timeout,
                     CallError::Execution::unknown);
    }
    return std::unexpected(late_word(*word));
  }

  /// Tells the server when its caller stops to wait without an answer: at its deadline, or because
  /// it is killed. A request that still queues is not run then.
  struct Withdrawal {
    Request& request;
    const Pid& to;
    const std::string_view name;
    const Ref ref;
    ~Withdrawal() {
      if (!request.answered_) request.withdraw(to, name, ref);
    }
  };

  void withdraw(const Pid& to, std::string_view name, Ref ref) {
    if (to.node == runtime_.node()) {
      runtime_.signal(self_.pid(), to, Signal::cancel, ref);
      return;
    }
    runtime_.forget_call(to.node, ref);
    send_cancel(to, name, ref, false);
  }

  /// `tell`: whether it was in time is waited for.
  void send_cancel(const Pid& to, std::string_view name, Ref ref, bool tell) {
    Envelope envelope;
    envelope.signal = Signal::cancel;
    envelope.link = tell;
    envelope.from = self_.pid();
    envelope.ref = ref;
    if (name.empty()) {
      envelope.to = to;
    } else {
      envelope.to = LocalName{std::string(name)};
    }
    runtime_.signal_remote(to.node, std::move(envelope));
  }

  SendResult wait_for_room(NodeId node, Envelope& envelope) {
    SendResult result = SendResult::busy;
    const Ticket ticket{self_.pid(), runtime_.make_ref()};
    runtime_.wait_writable(node, ticket);
    // It may have become writable before the ticket was left there.
    result = runtime_.send_remote(node, envelope);
    if (result != SendResult::busy) return result;
    bool refused = false;
    self_.wait_answer(ticket.ref, left(), refused);
    return SendResult::busy;
  }

  std::string_view type_name() const {
    if (const Packed* packed = message_->as<Packed>()) return packed->type;
    return message_->type->name;
  }

  Envelope make_envelope(const Destination& there, Ref ref, Duration budget) {
    Envelope envelope;
    envelope.signal = Signal::call;
    envelope.from = self_.pid();
    if (there.name.empty()) {
      envelope.to = there.pid;
    } else {
      envelope.to = LocalName{there.name};
    }
    envelope.ref = ref;
    envelope.epoch = there.epoch;
    envelope.budget = budget;
    envelope.request_id = options_.request_id;
    envelope.type = type_name();
    envelope.named = message_->named;
    const GivesWay while_packing;
    envelope.payload = message_->type->pack(message_->payload(), Form::positional);
    return envelope;
  }

  [[gnu::always_inline]] Answer wait(Ref ref, Duration timeout) {
    bool refused = false;
    answered_ = timed_out_ = false;
    MessagePtr answer = self_.await_answer(ref, timeout, refused, in_place_);
    answered_ = answer != nullptr || (in_place_ != nullptr && in_place_->filled);
    if (answered_ && !answer) return answer;
    if (answer && answer->kind == MessageKind::reply) return answer;
    if (answer) return std::unexpected(std::move(*answer->as<CallError>()));
    if (refused) {
      return failure(CallError::Code::system_limit, CallError::Execution::unknown,
                     "the node's bound of parked fibers is reached");
    }
    if (self_.ending()) return failure(CallError::Code::killed, CallError::Execution::unknown);
    timed_out_ = true;
    return failure(CallError::Code::timeout, CallError::Execution::unknown);
  }

  Process& self_;
  Runtime& runtime_;
  const ServerRef& to_;
  MessagePtr message_;
  const CallOptions& options_;
  ReplyPlace* const in_place_;
  const bool infinite_;
  bool answered_ = false;
  bool timed_out_ = false;
  Time end_ = Time::max();
};

}  // namespace

namespace {

/// OTP's words for why a call failed, and which call it was. Only for those that did.
void explain(CallError& error, Process& self, const ServerRef& to, std::string_view type,
             Duration timeout) {
  const NodeId here = self.runtime().node();
  const Pid* pid = std::get_if<Pid>(&to);
  if (error.code() == CallError::Code::nodedown || error.code() == CallError::Code::noconnection) {
    // A name that its registry finds on a lost node is not registered any more.
    const auto* at = std::get_if<RemoteName>(&to);
    ExitReason reason = ExitReason::noproc();
    if (at != nullptr) reason = ExitReason::term("{nodedown," + at->node + "}");
    if (pid != nullptr) reason = ExitReason::term("{nodedown," + to_string(pid->node) + "}");
    error = CallError(error.code(), error.execution(), std::move(reason), error.detail());
  }
  const std::string server = pid != nullptr ? to_string(*pid, here) : to_string(to);
  const std::string message = type.empty() ? "_" : std::string(last_segment(type));
  const std::string wait =
      timeout == infinity
          ? "infinity"
          : std::to_string(std::chrono::ceil<std::chrono::milliseconds>(timeout).count());
  error.set_call("[" + server + "," + message + "," + wait + "]");
}

}  // namespace

Answer call_message(const ServerRef& to, MessagePtr request, const CallOptions& options,
                    ReplyPlace* in_place) {
  Process& self = current_process();
  const MessageType* type = request->type;
  std::string packed_type;
  if (const auto* packed = request->as<Packed>()) packed_type = packed->type;
  Request call(self, to, std::move(request), options, in_place);
  const Pid* pid = std::get_if<Pid>(&to);
  const bool here =
      pid != nullptr && pid->node == self.runtime().node() && !self.strict() && self.may_park();
  Answer answer = here ? call.run_here(*pid) : call.run();
  if (!answer) {
    explain(answer.error(), self, to, packed_type.empty() ? type->name : packed_type,
            options.timeout);
  }
  return answer;
}

CallError undecodable_reply(std::string_view type, const std::string& why) {
  return {CallError::Code::undecodable,
          CallError::Execution::executed,
          {},
          "the reply " + std::string(type) + " could not be decoded: " + why};
}

}  // namespace coterie::detail

namespace coterie {

std::expected<PackedReply, CallError> call_packed(const ServerRef& to, std::string type,
                                                  Bytes bytes, const CallOptions& options,
                                                  bool named) {
  const auto kind =
      detail::is_system_request(type) ? detail::MessageKind::system : detail::MessageKind::call;
  auto request = detail::make_message(kind, detail::Packed{std::move(type), std::move(bytes)});
  request->named = named;
  auto answer = detail::call_message(to, std::move(request), options);
  if (!answer) return std::unexpected(std::move(answer.error()));
  detail::Message& reply = **answer;
  if (auto* packed = reply.as<detail::Packed>()) {
    return PackedReply{std::move(packed->type), std::move(packed->bytes)};
  }
  if (reply.type->pack == nullptr) {
    return std::unexpected(detail::undecodable_reply(reply.type->name, "it cannot be packed"));
  }
  return PackedReply{std::string(reply.type->name),
                     reply.type->pack(reply.payload(), named ? Form::named : Form::positional)};
}

}  // namespace coterie
