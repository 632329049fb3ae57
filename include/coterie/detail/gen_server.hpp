#pragma once
// How a typed server becomes a behaviour that the runtime can run: one table of entries per message
// list, made at compile time. Included by <coterie/gen_server.hpp>.

#include <concepts>
#include <span>

#include <coterie/gen_server.hpp>

namespace coterie::detail {

/// What one callback of a server left behind.
struct CallbackResult {
  Directive directive;
  MessagePtr reply;
  std::unique_ptr<std::string> why;  // of a fault, if there is more to say
  bool replied = false;              // in place
  enum class Fault : std::uint8_t { none, bad_message, undecodable, no_reply_taker } fault{};
};

/// A behaviour built on GenServer whose users have message lists of their own: it takes its own
/// messages, calls included, before those lists are asked.
class OwnMessages {
 public:
  virtual ~OwnMessages() = default;
  /// False: it is none of its own.
  virtual bool take_own(Message& message, CallbackResult& result) = 0;
};

/// The part of a behaviour that knows the user's type. Made inside the new process.
class Callbacks {
 public:
  virtual ~Callbacks() = default;
  virtual CallbackResult init(GenServer::Init::Kind& kind) = 0;
  virtual CallbackResult handle(Message& message, const Caller& caller) = 0;
  virtual CallbackResult handle_continue(Message& message) = 0;
  virtual void terminate(const ExitReason& reason) = 0;
  virtual void hibernate() = 0;
  // What sys and crash reports ask for. Text goes through format_status.
  virtual std::string state_text() = 0;
  virtual std::string message_text(Message& message) = 0;
  virtual std::string state_term() = 0;
  /// With field names; nothing: it cannot be packed.
  virtual std::optional<Bytes> state_packed() = 0;
  /// Of the state or the server, whichever is of that type; else nullptr.
  virtual void* state(const std::type_info& type) = 0;
  virtual int version() const = 0;
  /// The server's type, as crash reports and traces show it.
  virtual std::string_view type() const noexcept = 0;
};

/// What the runtime must know of a server before it exists. `type` lives as long as the program.
struct ServerKind {
  std::string_view type;
  std::size_t bytes;  // of its callbacks
  std::size_t alignment;
};

/// Makes them in memory of the size and alignment that the ServerKind says.
using MakeCallbacks = std::move_only_function<Callbacks*(void* memory)>;

std::expected<Pid, StartError> start_server(const ServerKind& kind, MakeCallbacks make,
                                            StartOptions options, bool link);

template <class Server>
struct Entry {
  const MessageType* type;
  std::string_view name;
  CallbackResult (*run)(Server&, Message&, const Caller&);
  std::string (*text)(Server&, Message&);
};

inline CallbackResult done(GenServer::Next&& next) {
  CallbackResult result;
  result.directive = std::move(next.directive());
  return result;
}

/// The payload as M: moved from a local message, decoded from a packed one.
template <class M, class Run>
CallbackResult with_payload(Message& message, Run&& run) {
  if (M* value = message.as<M>()) return run(*value);
  if constexpr (Packable<M>) {
    if (auto* packed = message.as<Packed>()) {
      // Who names fields, a person at a command line above all, is told of a misspelt one.
      auto value = [&] {
        const GivesWay while_unpacking;
        return unpack<M>(packed->bytes, {.known_fields = message.named});
      }();
      if (value) return run(*value);
      CallbackResult result;
      result.fault = CallbackResult::Fault::undecodable;
      result.why = std::make_unique<std::string>(to_string(value.error()));
      return result;
    }
  }
  CallbackResult result;
  result.fault = CallbackResult::Fault::bad_message;
  return result;
}

/// OTP replies before it goes on, and after terminate when it stops.
template <class Reply>
void add_reply(CallbackResult& result, const Caller& caller, Reply value) {
  result.replied = result.directive.act == Directive::Act::go_on && !caller.traced &&
                   reply_in_place(caller, value);
  if (!result.replied) result.reply = make_message(MessageKind::reply, std::move(value));
}

template <class Server, class M, class Value>
CallbackResult finish_call(const Caller& caller, Value&& value) {
  using Reply = ReplyOf<M>;
  using V = std::decay_t<Value>;
  if constexpr (std::is_same_v<V, GenServer::Next>) {
    return done(std::move(value));
  } else if constexpr (
      requires { GenServer::Outcome<Reply>(std::move(value)).next(); } &&
      requires { value.next(); }) {
    GenServer::Outcome<Reply> outcome(std::move(value));
    auto result = done(std::move(outcome.next()));
    if (outcome.value()) {
      add_reply<Reply>(result, caller, std::move(*outcome.value()));
    } else if (outcome.error()) {
      result.reply = make_message(MessageKind::failed, std::move(*outcome.error()));
    }
    return result;
  } else if constexpr (std::is_same_v<V, GenServer::Failure>) {
    CallbackResult result;
    result.reply = make_message(MessageKind::failed, std::move(value.error));
    return result;
  } else if constexpr (std::is_constructible_v<Reply, Value&&>) {
    CallbackResult result;
    add_reply<Reply>(result, caller, Reply(std::forward<Value>(value)));
    return result;
  } else {
    handle_call_does_not_return_the_Reply_of_its_message<Server, M, V>();
    return {};
  }
}

/// What a handler gets of a message: it is const, unless the handler takes only what it can move.
template <class M, bool takes_const>
using Given = std::conditional_t<takes_const, const M&, M&&>;

template <class Server, class M>
CallbackResult run_call(Server& server, Message& message, const Caller& caller) {
  if constexpr (!Request<M>) {
    a_message_listed_in_Calls_has_no_Reply<Server, M>();
    return {};
  } else {
    return with_payload<M>(message, [&](M& value) -> CallbackResult {
      GenServer::From<M> from(caller);
      constexpr bool takes_const = requires(const M& m) { server.handle_call(m); }
      || requires(const M& m) { server.handle_call(m, from); };
      using G = Given<M, takes_const>;
      constexpr bool with_from = requires { server.handle_call(static_cast<G>(value), from); };
      constexpr bool plain = requires { server.handle_call(static_cast<G>(value)); };
      if constexpr (with_from) {
        if constexpr (std::is_void_v<decltype(server.handle_call(static_cast<G>(value), from))>) {
          server.handle_call(static_cast<G>(value), from);
          return {};
        } else {
          return finish_call<Server, M>(caller, server.handle_call(static_cast<G>(value), from));
        }
      } else if constexpr (plain) {
        if constexpr (!std::is_void_v<decltype(server.handle_call(static_cast<G>(value)))>) {
          auto result = finish_call<Server, M>(caller, server.handle_call(static_cast<G>(value)));
          if (!result.reply && !result.replied && result.directive.act == Directive::Act::go_on) {
            result.fault = CallbackResult::Fault::no_reply_taker;
          }
          return result;
        } else if constexpr (std::is_same_v<ReplyOf<M>, Nothing>) {
          server.handle_call(static_cast<G>(value));
          CallbackResult result;
          add_reply(result, caller, Nothing());
          return result;
        } else {
          handle_call_returns_nothing_but_its_message_has_a_Reply<Server, M>();
          return {};
        }
      } else if constexpr (
          requires { server.handle_call(value); } ||
          requires { server.handle_call(value, from); }) {
        a_handler_takes_its_message_by_reference_without_const<Server, M>();
        return {};
      } else {
        no_handle_call_for_a_message_listed_in_Calls<Server, M>();
        return {};
      }
    });
  }
}

/// A handler that returns nothing or Next.
template <class Server, class M, bool takes_const, class Run>
CallbackResult run_silent(Message& message, Run run) {
  return with_payload<M>(message, [&](M& payload) -> CallbackResult {
    using G = Given<M, takes_const>;
    using Returned = decltype(run(static_cast<G>(payload)));
    if constexpr (std::is_void_v<Returned>) {
      run(static_cast<G>(payload));
      return {};
    } else if constexpr (std::is_convertible_v<Returned, GenServer::Next>) {
      return done(GenServer::Next(run(static_cast<G>(payload))));
    } else {
      a_handler_without_reply_returns_neither_nothing_nor_Next<Server, M, Returned>();
      return {};
    }
  });
}

template <class Server, class M>
CallbackResult run_cast(Server& server, Message& message, const Caller&) {
  constexpr bool takes_const = requires(const M& m) { server.handle_cast(m); };
  if constexpr (takes_const || requires(M && m) { server.handle_cast(std::move(m)); }) {
    return run_silent<Server, M, takes_const>(
        message, [&]<class G>(G&& m) { return server.handle_cast(std::forward<G>(m)); });
  } else if constexpr (requires(M & m) { server.handle_cast(m); }) {
    a_handler_takes_its_message_by_reference_without_const<Server, M>();
    return {};
  } else {
    no_handle_cast_for_a_message_listed_in_Casts<Server, M>();
    return {};
  }
}

template <class Server, class M>
CallbackResult run_info(Server& server, Message& message, const Caller&) {
  constexpr bool takes_const = requires(const M& m) { server.handle_info(m); };
  if constexpr (takes_const || requires(M && m) { server.handle_info(std::move(m)); }) {
    return run_silent<Server, M, takes_const>(
        message, [&]<class G>(G&& m) { return server.handle_info(std::forward<G>(m)); });
  } else if constexpr (requires(M & m) { server.handle_info(m); }) {
    a_handler_takes_its_message_by_reference_without_const<Server, M>();
    return {};
  } else {
    no_handle_info_for_a_message_listed_in_Infos<Server, M>();
    return {};
  }
}

template <class Server, class M>
CallbackResult run_continue(Server& server, Message& message, const Caller&) {
  constexpr bool takes_const = requires(const M& m) { server.handle_continue(m); };
  if constexpr (takes_const || requires(M && m) { server.handle_continue(std::move(m)); }) {
    return run_silent<Server, M, takes_const>(
        message, [&]<class G>(G&& m) { return server.handle_continue(std::forward<G>(m)); });
  } else if constexpr (requires(M & m) { server.handle_continue(m); }) {
    a_handler_takes_its_message_by_reference_without_const<Server, M>();
    return {};
  } else {
    no_handle_continue_for_a_message_listed_in_Continues<Server, M>();
    return {};
  }
}

}  // namespace coterie::detail

#include <coterie/detail/server_callbacks.hpp>
