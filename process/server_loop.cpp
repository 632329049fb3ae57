#include "process/server_loop.hpp"

#include <utility>

#include "process/exit_cause.hpp"
#include "process/idle_tick.hpp"
#include "process/report.hpp"
#include "process/runtime.hpp"
#include "process/throw_trace.hpp"

namespace coterie::detail {
namespace {

Caller caller_of(Process& self, const Message& message) {
  return {message.from, message.ref(), message.named, self.pid()};
}

}  // namespace

std::unique_ptr<Behaviour> ServerLoop::make(const ServerKind& kind, MakeCallbacks make,
                                            StartOptions options, Ticket starter) {
  std::unique_ptr<ServerLoop> loop(new (kind) ServerLoop);
  loop->seldom().start.emplace(kind, std::move(make), std::move(options), starter);
  return loop;
}

ServerLoop::~ServerLoop() {
  if (callbacks_ != nullptr && !(seldom_ && seldom_->upgraded)) callbacks_->~Callbacks();
}

void* ServerLoop::operator new(std::size_t bytes, const ServerKind& kind) {
  const std::size_t gap = kind.alignment > alignof(ServerLoop) ? kind.alignment : 0;
  return ::operator new(bytes + kind.bytes + gap);
}

void* ServerLoop::place_of_callbacks(const ServerKind& kind) noexcept {
  const auto end = reinterpret_cast<std::uintptr_t>(this + 1);
  return reinterpret_cast<void*>((end + kind.alignment - 1) / kind.alignment * kind.alignment);
}

void ServerLoop::replace_callbacks(std::unique_ptr<Callbacks> upgraded) {
  std::unique_ptr<Callbacks>& current = seldom().upgraded;
  if (!current) callbacks_->~Callbacks();
  current = std::move(upgraded);
  callbacks_ = current.get();
}

void ServerLoop::start() {
  Process& self = current_process();
  ServerStart& start = *starting();
  if (auto taken = start.take_name(self)) {
    start.fail(std::move(*taken));
    self.exit_later(ExitReason::normal());
    return;
  }
  GenServer::Init::Kind kind{};
  CallbackResult result;
  try {
    callbacks_ = start.make(place_of_callbacks(start.kind));
    start.make = nullptr;
    result = callbacks_->init(kind);
  } catch (const ProcessExit&) {
    fail_start(self, *self.exit_);
    throw;
  } catch (const ThrownHere&) {
  } catch (...) {
    fail_start(self, exit_cause(std::current_exception()));
    return;
  }
  switch (kind) {
    case GenServer::Init::Kind::ok:
      break;
    case GenServer::Init::Kind::ignore:
      start.fail({.code = StartError::Code::ignored});
      self.exit_later(ExitReason::normal());
      return;
    case GenServer::Init::Kind::stop:
    case GenServer::Init::Kind::error:
      fail_start(self, result.directive.reason, kind == GenServer::Init::Kind::error);
      return;
  }
  if (auto failed = start.confirm_name(self)) {
    start.fail(std::move(*failed));
    self.exit_later(ExitReason::shutdown("name_lost"));
    return;
  }
  const Duration hibernate_after = start.options.hibernate_after.value_or(infinity);
  start.succeed(self);
  if (hibernate_after != infinity) {
    seldom_->start.reset();
    seldom_->hibernate_after = hibernate_after;
  } else {
    seldom_.reset();
  }
  follow(self, result.directive);
}

void ServerLoop::fail_start(Process& self, ExitReason reason, bool quiet) {
  starting()->fail({.code = StartError::Code::failed, .reason = reason});
  self.exit_later(quiet ? ExitReason::normal() : std::move(reason));
}

Behaviour::LastWord ServerLoop::ended(Process& self, const ExitReason& reason) {
  ServerStart* start = starting();
  return start == nullptr ? LastWord{} : start->ended(self, reason);
}

void ServerLoop::handle(MessagePtr message) {
  Process& self = current_process();
  switch (message->kind) {
    case MessageKind::system:
      handle_system(self, std::move(message));
      return;
    case MessageKind::send:
      if (const auto* tick = message->as<IdleTick>()) {
        on_tick(self, tick->turn);
        return;
      }
      if (is_parents_exit(self, *message)) {
        remember(self, *message);
        finish(self, message->as<Exit>()->reason);
        return;
      }
      break;
    default:
      break;
  }
  if (seldom_) {
    seldom_->hibernating = false;
    ++seldom_->turn;
    seldom_->idle = infinity;
  }
  if (message->extra() != nullptr && message->extra()->expires <= self.runtime().clock().now()) {
    self.runtime().counters().expired_requests.fetch_add(1, std::memory_order_relaxed);
    self.runtime().fail(caller_of(self, *message),
                        CallError(CallError::Code::timeout, CallError::Execution::not_executed));
    settle(self, {});
    return;
  }
  if (debug() != nullptr) note_received(self, *message);
  if (message->kind != MessageKind::call) {
    run(self, *message, {});
    return;
  }
  Caller caller = caller_of(self, *message);
  caller.traced = debug() != nullptr;
  const Serving serving(self, caller, *message);
  run(self, *message, caller);
}

/// Only a trapping process gets one; it ends the server past handle_info.
bool ServerLoop::is_parents_exit(Process& self, Message& message) const {
  const Exit* exit = message.as<Exit>();
  return exit != nullptr && self.has_parent_ && exit->from == self.parent();
}

void ServerLoop::describe(CrashReport& crash) const {
  if (seldom_ && seldom_->last_message) {
    crash.last_message = seldom_->last_message->text;
    const Pid& client = seldom_->last_message->from;
    Runtime& runtime = current_process().runtime();
    if (client) {
      crash.client =
          to_string(client, runtime.node()) + (client.node != runtime.node() ? " is remote"
                                               : runtime.find(client)        ? " is alive"
                                                                             : " is dead");
    }
  }
  if (callbacks_ != nullptr) crash.state = state_text();
}

// ---- callbacks

void ServerLoop::run(Process& self, Message& message, const Caller& caller) {
  bool threw = false;
  CallbackResult result = call_back(self, message, caller, threw);
  if (threw) return;
  if (!seldom_ && result.fault == CallbackResult::Fault::none && result.directive.only_goes_on()) {
    if (result.reply) reply_message(caller, std::move(result.reply));
    return;
  }
  on_result(self, result, message, caller);
}

/// The result is made where the caller wants it: moving it would cost as much as a small callback.
inline CallbackResult ServerLoop::call_back(Process& self, Message& message, const Caller& caller,
                                            bool& threw) {
  try {
    return callbacks_->handle(message, caller);
  } catch (const ProcessExit&) {
    remember(self, message);
    throw;
  } catch (const ThrownHere&) {
  } catch (...) {
    ExitReason reason = exit_cause(std::current_exception());
    remember(self, message);
    finish(self, std::move(reason));
    threw = true;
  }
  return {};
}

void ServerLoop::on_result(Process& self, CallbackResult& result, Message& message,
                           const Caller& caller) {
  if (result.fault != CallbackResult::Fault::none) {
    on_fault(self, result, message, caller);
    return;
  }
  const bool stops = result.directive.act == Directive::Act::stop;
  if (stops) {
    // OTP's order: terminate, then the reply, then the exit.
    if (!result.directive.reason.is_clean()) remember(self, message);
    run_terminate(result.directive.reason);
  }
  std::optional<sys::Event> event;
  if (debug() != nullptr && debug()->wants_text()) {
    event = this->event(self, result.reply ? sys::Event::Kind::reply : sys::Event::Kind::state);
    event->peer = caller.pid;
    if (result.reply) event->message = callbacks_->message_text(*result.reply);
  }
  const bool replied = result.reply != nullptr || result.replied;
  if (result.reply) reply_message(caller, std::move(result.reply));
  if (debug() != nullptr) debug()->count(replied);
  if (event && (replied || !stops)) note(self, std::move(*event));
  if (stops) {
    self.exit_later(std::move(result.directive.reason));
  } else {
    follow(self, result.directive);
  }
}

/// The message is gone when the crash is reported.
void ServerLoop::remember(Process& self, Message& message) {
  if (!crash_wanted(self.runtime().log()) || callbacks_ == nullptr) return;
  auto last = std::make_unique<LastMessage>();
  last->from = message.from;
  try {
    last->text = callbacks_->message_text(message);
  } catch (...) {
    last->text = "format_status threw";
  }
  seldom().last_message = std::move(last);
}

std::string ServerLoop::state_text() const {
  try {
    return callbacks_->state_text();
  } catch (...) {
    return "format_status threw";
  }
}

void ServerLoop::on_fault(Process& self, CallbackResult& result, Message& message,
                          const Caller& caller) {
  using Fault = CallbackResult::Fault;
  if (result.fault == Fault::no_reply_taker) {
    remember(self, message);
    finish(self, ExitReason::term("{bad_return_value,noreply}"));
    return;
  }
  const std::string type = AnyMessage(&message).type_name();
  const std::string why = result.why ? *result.why : "";
  if (message.kind == MessageKind::send && result.fault == Fault::bad_message) {
    // As Elixir's default handle_info.
    self.runtime().log().error(LogModule::process,
                               "a server received an unexpected message in handle_info",
                               {{"server", callbacks_->type()},
                                {"pid", self.pid()},
                                {"message", callbacks_->message_text(message)}});
  } else {
    self.runtime().log().warning(
        LogModule::process,
        result.fault == Fault::undecodable ? "a message could not be decoded"
                                           : "a message is not one of this server's",
        {{"server", callbacks_->type()}, {"pid", self.pid()}, {"message", type}, {"why", why}});
  }
  if (message.kind == MessageKind::call) {
    self.forget_caller(caller.pid, caller.ref);
    self.runtime().fail(caller,
                        CallError(result.fault == Fault::undecodable ? CallError::Code::undecodable
                                                                     : CallError::Code::refused,
                                  CallError::Execution::not_executed, ExitReason::term("bad_call"),
                                  std::string(callbacks_->type()) + " does not take " + type +
                                      (why.empty() ? "" : ": " + why)));
  }
  Directive goes_on;
  follow(self, goes_on);
}

/// handle_continue, as often as it is asked for, before any message; then what the last one says.
void ServerLoop::follow(Process& self, Directive& directive) {
  while (directive.continue_with && !self.exit_) {
    MessagePtr next = std::move(directive.continue_with);
    if (debug() != nullptr) {
      sys::Event went_on = event(self, sys::Event::Kind::continued);
      went_on.message = callbacks_->message_text(*next);
      note(self, std::move(went_on));
    }
    CallbackResult result;
    try {
      result = callbacks_->handle_continue(*next);
    } catch (const ProcessExit&) {
      remember(self, *next);
      throw;
    } catch (const ThrownHere&) {
    } catch (...) {
      ExitReason reason = exit_cause(std::current_exception());
      remember(self, *next);
      finish(self, std::move(reason));
      return;
    }
    if (debug() != nullptr) debug()->count(false);
    if (result.fault != CallbackResult::Fault::none) {
      result.directive.act = Directive::Act::stop;
      result.directive.reason = ExitReason::term("bad_continue");
    }
    if (result.directive.act == Directive::Act::stop) {
      if (!result.directive.reason.is_clean()) remember(self, *next);
      finish(self, std::move(result.directive.reason));
      return;
    }
    if (debug() != nullptr) note(self, event(self, sys::Event::Kind::state));
    directive = std::move(result.directive);
  }
  if (!self.exit_) settle(self, directive);
}

void ServerLoop::settle(Process& self, const Directive& directive) {
  const bool timeout = directive.timeout != Directive::no_timeout;
  if (!seldom_ && !timeout && !directive.hibernate) return;
  Seldom& mine = seldom();
  mine.hibernate_at_end = false;
  if (timeout) {
    mine.idle = directive.timeout;
    arm(self);
  } else if (directive.hibernate) {
    hibernate(self);
  } else if (mine.hibernate_after != infinity) {
    mine.idle = mine.hibernate_after;
    mine.hibernate_at_end = true;
    arm(self);
  }
}

// ---- the end

void ServerLoop::finish(Process& self, ExitReason reason) {
  run_terminate(reason);
  self.exit_later(std::move(reason));
}

void ServerLoop::run_terminate(ExitReason& reason) {
  try {
    callbacks_->terminate(reason);
  } catch (const ProcessExit&) {
    throw;
  } catch (const ThrownHere&) {
  } catch (...) {
    reason = exit_cause(std::current_exception());
  }
}

}  // namespace coterie::detail
