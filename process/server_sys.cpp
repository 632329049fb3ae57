// How a server answers sys: between two callbacks, in mailbox order, whatever its user's code is.

#include <utility>

#include "process/exit_cause.hpp"
#include "process/runtime.hpp"
#include "process/server_loop.hpp"

namespace coterie::detail {
namespace {

CallError refused(ExitReason reason, std::string detail) {
  return {CallError::Code::refused, CallError::Execution::not_executed, std::move(reason),
          std::move(detail)};
}

MessagePtr done() { return make_message(MessageKind::reply, Nothing{}); }

/// The first of `Requests` that the message holds or, from another node, decodes to.
template <class... Requests, class Serve>
bool dispatch(Message& message, const Serve& serve) {
  const auto try_one = [&]<class Request>(std::type_identity<Request>) {
    MessagePtr decoded;
    Request* request = message.as<Request>();
    if (request == nullptr) {
      decoded = decode_as<Request>(message);
      if (decoded) request = decoded->template as<Request>();
    }
    if (request != nullptr) serve(*request);
    return request != nullptr;
  };
  return (... || try_one(std::type_identity<Requests>{}));
}

std::string name_of(const Process& self, const Names* names) {
  if (names != nullptr && !names->name.empty()) return names->name;
  if (names != nullptr && !names->via_text.empty()) return names->via_text;
  return to_string(self.pid(), self.pid().node);
}

}  // namespace

void ServerLoop::handle_system(Process& self, MessagePtr message) {
  serve_system(self, *message);
  message.reset();
  if (suspended()) wait_suspended(self);
  restart_idle(self);
}

void ServerLoop::serve_system(Process& self, Message& message) {
  const Caller caller{message.from, message.ref(), message.named, self.pid()};
  self.note_caller(caller);  // should it end meanwhile, it is told
  const auto reply = [&](Answer answer) {
    reply_message(caller, answer ? std::move(*answer)
                                 : make_message(MessageKind::failed, std::move(answer.error())));
  };
  const auto serve_one = [&]<class Request>(Request& request) {
    reply(serve(self, request));
    if constexpr (std::is_same_v<Request, Terminate>) finish(self, std::move(request.reason));
  };
  if (!dispatch<GetState, ReplaceState, Suspend, Resume, GetStatus, SetTrace, SetLog, GetLog,
                SetStatistics, GetStatistics, Install, Remove, NoDebug, Terminate, ChangeCode>(
          message, serve_one)) {
    reply(std::unexpected(
        refused(ExitReason::term("unknown_system_msg"), "this server knows no such sys request")));
  }
  stop_idle_debug();
}

/// OTP's suspend_loop: user messages stay in the mailbox, within its bound.
void ServerLoop::wait_suspended(Process& self) {
  while (suspended() && !self.exit_) {
    const MessagePtr message = self.receive(
        [&](Message& next) {
          return next.kind == MessageKind::system || is_parents_exit(self, next);
        },
        infinity);
    if (!message) return;
    if (message->kind == MessageKind::system) {
      serve_system(self, *message);
    } else {
      finish(self, message->as<Exit>()->reason);
    }
  }
}

// ---- state

CallError ServerLoop::no_such_state(const std::type_info& wanted) const {
  return refused(ExitReason::term("bad_state_type"),
                 "the state of " + std::string(callbacks_->type()) + " is no " + demangled(wanted) +
                     ": declare state() in the server, or ask without a type");
}

ServerLoop::Answer ServerLoop::serve(Process&, GetState& request) {
  try {
    if (request.type != nullptr) {
      const void* state = callbacks_->state(*request.type);
      if (state == nullptr) return std::unexpected(no_such_state(*request.type));
      return request.copy(state);
    }
    return make_message(MessageKind::reply,
                        RawState{std::string(callbacks_->type()), callbacks_->version(),
                                 callbacks_->state_term(), callbacks_->state_packed()});
  } catch (const ProcessExit&) {
    throw;
  } catch (...) {
    const ExitReason why = exit_cause(std::current_exception());
    return std::unexpected(refused(
        ExitReason::term("{callback_failed,{gen_server,system_get_state}," + to_string(why) + "}"),
        "the state could not be copied: " + why.what()));
  }
}

ServerLoop::Answer ServerLoop::serve(Process&, ReplaceState& request) {
  void* state = callbacks_->state(*request.type);
  if (state == nullptr) return std::unexpected(no_such_state(*request.type));
  try {
    return request.change(state);
  } catch (const ProcessExit&) {
    throw;
  } catch (...) {
    const ExitReason why = exit_cause(std::current_exception());
    return std::unexpected(
        refused(ExitReason::term("{callback_failed,{gen_server,system_replace_state}," +
                                 to_string(why) + "}"),
                "the function threw, the state is as it was"));
  }
}

ServerLoop::Answer ServerLoop::serve(Process&, ChangeCode& request) {
  if (!suspended()) {
    return std::unexpected(refused(ExitReason::term("unknown_system_msg"),
                                   "only a suspended server changes its code: sys::suspend first"));
  }
  try {
    const std::optional<Bytes> old = callbacks_->state_packed();
    if (!old) {
      return std::unexpected(refused(ExitReason::term("bad_state_type"),
                                     "the state of " + std::string(callbacks_->type()) +
                                         " cannot be packed: declare a state() that can"));
    }
    replace_callbacks(request.make(callbacks_->version(), *old));
    return done();
  } catch (const ProcessExit&) {
    throw;
  } catch (const CodeChangeRefused& refusal) {
    return std::unexpected(refused(refusal.reason, "code_change refused, the old state goes on"));
  } catch (...) {
    const ExitReason why = exit_cause(std::current_exception());
    return std::unexpected(refused(ExitReason::term("{code_change_failed," + to_string(why) + "}"),
                                   "code_change threw, the old state goes on"));
  }
}

// ---- life

ServerLoop::Answer ServerLoop::serve(Process& self, Suspend&) {
  if (!suspended() && !self.may_park()) {
    return std::unexpected(CallError(
        CallError::Code::system_limit, CallError::Execution::not_executed,
        ExitReason::term("system_limit"), "the node's bound of parked fibers is reached"));
  }
  seldom().suspended = true;
  return done();
}

ServerLoop::Answer ServerLoop::serve(Process&, Resume&) {
  seldom().suspended = false;
  return done();
}

ServerLoop::Answer ServerLoop::serve(Process&, Terminate&) { return done(); }

ServerLoop::Answer ServerLoop::serve(Process& self, GetStatus&) {
  sys::Status status;
  status.pid = self.pid();
  status.name = name_of(self, self.names_if_any());
  status.server = callbacks_->type();
  status.version = callbacks_->version();
  status.running = suspended() ? sys::Running::suspended : sys::Running::running;
  status.parent = self.parent();
  if (self.ancestors_) {
    for (const Pid& ancestor : *self.ancestors_) {
      status.ancestors.push_back(to_string(ancestor, self.pid().node));
    }
  }
  if (debug() != nullptr) {
    status.debug = debug()->switched_on();
    status.log = debug()->log();
  }
  status.state = state_text();
  return make_message(MessageKind::reply, std::move(status));
}

// ---- debugging

ServerDebug& ServerLoop::debug(Process& self) {
  std::unique_ptr<ServerDebug>& mine = seldom().debug;
  if (!mine) mine = std::make_unique<ServerDebug>(self.runtime());
  return *mine;
}

ServerLoop::Answer ServerLoop::serve(Process& self, SetTrace& request) {
  debug(self).trace(request.on, request.printer);
  return done();
}
ServerLoop::Answer ServerLoop::serve(Process& self, SetLog& request) {
  debug(self).keep(request.events);
  return done();
}
ServerLoop::Answer ServerLoop::serve(Process&, GetLog&) {
  return make_message(MessageKind::reply,
                      debug() != nullptr ? debug()->log() : std::vector<std::string>());
}
ServerLoop::Answer ServerLoop::serve(Process& self, SetStatistics& request) {
  debug(self).keep_statistics(request.on, self.runtime().clock().wall());
  return done();
}
ServerLoop::Answer ServerLoop::serve(Process& self, GetStatistics&) {
  const sys::Statistics* counted = debug() != nullptr ? debug()->statistics() : nullptr;
  if (counted == nullptr) {
    return std::unexpected(refused(ExitReason::term("no_statistics"),
                                   "switch them on first: sys::statistics(server, true)"));
  }
  sys::Statistics statistics = *counted;
  statistics.current_time = self.runtime().clock().wall();
  return make_message(MessageKind::reply, std::move(statistics));
}
ServerLoop::Answer ServerLoop::serve(Process& self, Install& request) {
  debug(self).install(std::move(request.id), std::move(request.function));
  return done();
}
ServerLoop::Answer ServerLoop::serve(Process&, Remove& request) {
  if (debug() != nullptr) debug()->remove(request.id);
  return done();
}
ServerLoop::Answer ServerLoop::serve(Process&, NoDebug&) {
  if (debug() != nullptr) debug()->clear();
  return done();
}

// ---- events

sys::Event ServerLoop::event(Process& self, sys::Event::Kind kind) const {
  sys::Event event;
  event.kind = kind;
  event.pid = self.pid();
  event.server = name_of(self, self.names_if_any());
  if (kind == sys::Event::Kind::reply || kind == sys::Event::Kind::state) {
    event.state = state_text();
  }
  return event;
}

void ServerLoop::note_received(Process& self, Message& message) {
  debug()->count_received();
  if (!debug()->wants_text()) return;
  using What = sys::Event::Kind;
  const What what = message.kind == MessageKind::call   ? What::call
                    : message.kind == MessageKind::cast ? What::cast
                                                        : What::info;
  sys::Event received = event(self, what);
  received.peer = message.from;
  received.message = callbacks_->message_text(message);
  note(self, std::move(received));
}

void ServerLoop::note(Process&, sys::Event event) {
  if (debug()->wants_text()) debug()->handle(event);
  stop_idle_debug();
}

void ServerLoop::stop_idle_debug() noexcept {
  if (debug() != nullptr && debug()->idle()) seldom_->debug.reset();
}

}  // namespace coterie::detail
