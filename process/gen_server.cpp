#include <coterie/gen_server.hpp>

#include <algorithm>
#include <utility>

#include <coterie/sys.hpp>

#include "process/resolve.hpp"
#include "process/server_loop.hpp"

namespace coterie::detail {

void reply_message(const Caller& to, MessagePtr answer) {
  Process& self = current_process();
  if (!self.pass_gate()) return;
  Runtime& runtime = self.runtime();
  // While it waits, or packs much, the caller stays noted: should this process end, it is told.
  runtime.wait_for_overflow(self, to.pid.node);
  if (answer->kind == MessageKind::failed) {
    runtime.fail(to, std::move(*answer->as<CallError>()));
  } else {
    runtime.answer(to, std::move(answer));
  }
  if (to.server == self.pid()) {
    self.forget(to);
  } else if (to.server.node == runtime.node()) {
    runtime.signal(to.pid, to.server, Signal::cancel, to.ref);
  }
}

InPlaceReply find_reply_place(const Caller& to, const MessageType* type) noexcept {
  Process* caller = current_process().in_place_caller(to, type);
  return caller == nullptr ? InPlaceReply{} : InPlaceReply{caller, caller->reply_place().storage};
}

void reply_placed(Process& caller) noexcept { caller.reply_placed(); }

std::expected<Pid, StartError> start_server(const ServerKind& kind, MakeCallbacks make,
                                            StartOptions options, bool link) {
  Process& self = current_process();
  Runtime& runtime = self.runtime();
  const Duration timeout = options.timeout;
  const Ticket ticket{self.pid(), runtime.make_ref()};
  SpawnRequest request;
  request.options.trap_exit = options.trap_exit;
  request.options.label = options.label;
  request.options.mailbox = options.mailbox;
  request.parent = link ? self.pid() : Pid{};
  request.ancestors = self.ancestors_of_children();
  request.link = link;
  request.behaviour = ServerLoop::make(kind, std::move(make), std::move(options), ticket);
  const Pid pid = self.spawn_child(std::move(request));
  if (!pid) {
    return std::unexpected(StartError{.code = StartError::Code::unavailable,
                                      .detail = "the node's bound of processes is reached"});
  }
  if (link) self.add_link(pid);
  bool refused = false;
  MessagePtr answer = self.wait_answer(ticket.ref, timeout, refused);
  if (answer != nullptr) {
    if (auto* started = answer->as<StartAnswer>()) {
      if (!started->result && link) self.remove_link(pid);
      return std::move(started->result);
    }
  }
  if (link) unlink(pid);
  const Ref end = refused ? Ref::none : monitor(pid);
  runtime.signal(self.pid(), pid, Signal::exit, Ref::none, ExitReason::kill());
  // Whoever hears of the failure may start again at once. An init that comes to no suspension
  // cannot be killed: after as long again, and a second at least, it is left to itself.
  const Duration patience = std::max<Duration>(timeout, std::chrono::seconds(1));
  if (!refused && !receive_down(end, patience)) demonitor(end);
  return std::unexpected(StartError{
      .code = StartError::Code::failed,
      .reason = refused ? ExitReason::term("system_limit") : ExitReason::term("timeout")});
}

}  // namespace coterie::detail

namespace coterie {

GenServer::Next GenServer::stop(ExitReason reason) {
  detail::Directive directive;
  directive.act = detail::Directive::Act::stop;
  directive.reason = std::move(reason);
  return Next(std::move(directive));
}

GenServer::Init GenServer::stop_init(ExitReason reason) {
  detail::Directive directive;
  directive.reason = std::move(reason);
  return Init(Init::Kind::stop, std::move(directive));
}

GenServer::Init GenServer::error(ExitReason reason) {
  detail::Directive directive;
  directive.reason = std::move(reason);
  return Init(Init::Kind::error, std::move(directive));
}

std::expected<void, CallError> GenServer::stop(const ServerRef& server, ExitReason reason,
                                               Duration timeout) {
  const Clock& clock = detail::current_process().runtime().clock();
  const Time end = timeout == infinity ? Time::max() : coterie::after(clock.now(), timeout);
  const Ref death = monitor(server);
  auto asked = sys::terminate(server, reason, timeout);
  if (!asked && asked.error().code() != CallError::Code::exited) {
    demonitor(death, true);
    return std::unexpected(std::move(asked.error()));
  }
  const Duration left = timeout == infinity ? infinity : std::max(end - clock.now(), Duration{});
  std::optional<ExitReason> ended;
  receive(when([death](const Down& down) { return down.ref == death; },
               [&](const Down& down) { ended = down.reason; }),
          after(left, [] {}));
  demonitor(death, true);
  if (!ended) {
    return std::unexpected(CallError(CallError::Code::timeout, CallError::Execution::executed,
                                     ExitReason::term("timeout"), "the server has not ended yet"));
  }
  if (*ended == reason) return {};
  return std::unexpected(CallError(CallError::Code::exited, CallError::Execution::unknown,
                                   std::move(*ended), "the server ended with another reason"));
}

GenServer::Failure GenServer::fail(const JournalError& error) {
  if (error.maybe_applied || error.code == JournalError::Code::fenced) {
    detail::Process& self = detail::current_process();
    self.fail_callers(CallError(
        error.maybe_applied ? CallError::Code::unavailable : CallError::Code::stale,
        error.maybe_applied ? CallError::Execution::unknown : CallError::Execution::not_executed,
        error.reason(), to_string(error)));
    self.raise_exit(error.reason());
  }
  if (error.code == JournalError::Code::request_expired) {
    return {
        CallError(CallError::Code::refused, CallError::Execution::executed, {}, to_string(error))};
  }
  return {CallError(CallError::Code::unavailable, CallError::Execution::not_executed, {},
                    to_string(error))};
}

const std::string& GenServer::current_request_id() {
  return detail::current_process().request_id();
}

std::string to_string(const StartError& error) {
  switch (error.code) {
    case StartError::Code::already_started:
      return "already_started " + to_string(error.holder);
    case StartError::Code::ignored:
      return "ignore";
    case StartError::Code::failed:
      return to_string(error.reason);
    case StartError::Code::unavailable:
      return "unavailable: " + error.detail;
  }
  return "unknown";
}

}  // namespace coterie
