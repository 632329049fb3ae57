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
  bool replied = false;  // in place
  enum class Fault : std::uint8_t { none, bad_message, undecodable, no_reply_taker } fault{};
  std::string why;
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
};

using MakeCallbacks = std::move_only_function<std::unique_ptr<Callbacks>()>;

/// `type` lives as long as the program.
std::expected<Pid, StartError> start_server(std::string_view type, MakeCallbacks make,
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
      auto value = unpack<M>(packed->bytes);
      if (value) return run(*value);
      CallbackResult result;
      result.fault = CallbackResult::Fault::undecodable;
      result.why = to_string(value.error());
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
  } else if constexpr (std::is_convertible_v<Value&&, Reply>) {
    CallbackResult result;
    add_reply<Reply>(result, caller, Reply(std::forward<Value>(value)));
    return result;
  } else {
    handle_call_does_not_return_the_Reply_of_its_message<Server, M, V>();
    return {};
  }
}

template <class Server, class M>
CallbackResult run_call(Server& server, Message& message, const Caller& caller) {
  if constexpr (!Request<M>) {
    a_message_listed_in_Calls_has_no_Reply<Server, M>();
    return {};
  } else {
    return with_payload<M>(message, [&](M& value) -> CallbackResult {
      [[maybe_unused]] const M& m = value;
      GenServer::From<M> from(caller);
      constexpr bool with_from = requires { server.handle_call(m, from); };
      constexpr bool plain = requires { server.handle_call(m); };
      if constexpr (with_from) {
        if constexpr (std::is_void_v<decltype(server.handle_call(m, from))>) {
          server.handle_call(m, from);
          return {};
        } else {
          return finish_call<Server, M>(caller, server.handle_call(m, from));
        }
      } else if constexpr (plain) {
        if constexpr (std::is_void_v<decltype(server.handle_call(m))>) {
          server.handle_call(m);
          CallbackResult result;
          add_reply(result, caller, ReplyOf<M>());
          return result;
        } else {
          auto result = finish_call<Server, M>(caller, server.handle_call(m));
          if (!result.reply && !result.replied && result.directive.act == Directive::Act::go_on) {
            result.fault = CallbackResult::Fault::no_reply_taker;
          }
          return result;
        }
      } else {
        no_handle_call_for_a_message_listed_in_Calls<Server, M>();
        return {};
      }
    });
  }
}

/// A handler that returns nothing or Next.
template <class Server, class M, class Run>
CallbackResult run_silent(Message& message, Run run) {
  return with_payload<M>(message, [&](const M& value) -> CallbackResult {
    using Returned = decltype(run(value));
    if constexpr (std::is_void_v<Returned>) {
      run(value);
      return {};
    } else if constexpr (std::is_convertible_v<Returned, GenServer::Next>) {
      return done(GenServer::Next(run(value)));
    } else {
      a_handler_without_reply_returns_neither_nothing_nor_Next<Server, M, Returned>();
      return {};
    }
  });
}

template <class Server, class M>
CallbackResult run_cast(Server& server, Message& message, const Caller&) {
  if constexpr (requires(const M& m) { server.handle_cast(m); }) {
    return run_silent<Server, M>(message, [&](const M& m) { return server.handle_cast(m); });
  } else {
    no_handle_cast_for_a_message_listed_in_Casts<Server, M>();
    return {};
  }
}

template <class Server, class M>
CallbackResult run_info(Server& server, Message& message, const Caller&) {
  if constexpr (requires(const M& m) { server.handle_info(m); }) {
    return run_silent<Server, M>(message, [&](const M& m) { return server.handle_info(m); });
  } else {
    no_handle_info_for_a_message_listed_in_Infos<Server, M>();
    return {};
  }
}

template <class Server, class M>
CallbackResult run_continue(Server& server, Message& message, const Caller&) {
  if constexpr (requires(const M& m) { server.handle_continue(m); }) {
    return run_silent<Server, M>(message, [&](const M& m) { return server.handle_continue(m); });
  } else {
    no_handle_continue_for_a_message_listed_in_Continues<Server, M>();
    return {};
  }
}

template <class Server, class... Ms>
constexpr auto call_table(GenServer::Messages<Ms...>) {
  return std::array<Entry<Server>, sizeof...(Ms)>{Entry<Server>{
      &message_type<Ms>, type_name_of<Ms>(), &run_call<Server, Ms>, &message_text<Server, Ms>}...};
}
template <class Server, class... Ms>
constexpr auto cast_table(GenServer::Messages<Ms...>) {
  return std::array<Entry<Server>, sizeof...(Ms)>{Entry<Server>{
      &message_type<Ms>, type_name_of<Ms>(), &run_cast<Server, Ms>, &message_text<Server, Ms>}...};
}
template <class Server, class... Ms>
constexpr auto info_table(GenServer::Messages<Ms...>) {
  return std::array<Entry<Server>, sizeof...(Ms)>{Entry<Server>{
      &message_type<Ms>, type_name_of<Ms>(), &run_info<Server, Ms>, &message_text<Server, Ms>}...};
}
template <class Server, class... Ms>
constexpr auto continue_table(GenServer::Messages<Ms...>) {
  return std::array<Entry<Server>, sizeof...(Ms)>{
      Entry<Server>{&message_type<Ms>, type_name_of<Ms>(), &run_continue<Server, Ms>,
                    &message_text<Server, Ms>}...};
}

template <class Server>
class ServerCallbacks final : public Callbacks {
 public:
  template <class... Args>
  explicit ServerCallbacks(std::in_place_t, Args&&... args)
      : server_(std::forward<Args>(args)...) {}

  CallbackResult init(GenServer::Init::Kind& kind) override {
    kind = GenServer::Init::Kind::ok;
    if constexpr (requires { server_.init(); }) {
      if constexpr (std::is_void_v<decltype(server_.init())>) {
        server_.init();
      } else {
        GenServer::Init init = server_.init();
        kind = init.kind();
        return done(std::move(init.next()));
      }
    }
    return {};
  }

  CallbackResult handle(Message& message, const Caller& caller) override {
    if constexpr (std::is_base_of_v<OwnMessages, Server>) {
      CallbackResult own;
      if (static_cast<OwnMessages&>(server_).take_own(message, own)) return own;
    }
    switch (message.kind) {
      case MessageKind::call:
        return dispatch(calls_, message, caller);
      case MessageKind::cast:
        return dispatch(casts_, message, caller);
      default:
        break;
    }
    auto result = dispatch(infos_, message, caller);
    if constexpr (requires { server_.handle_info(AnyMessage(&message)); }) {
      if (result.fault == CallbackResult::Fault::bad_message) {
        if constexpr (std::is_void_v<decltype(server_.handle_info(AnyMessage(&message)))>) {
          server_.handle_info(AnyMessage(&message));
          return {};
        } else {
          return done(server_.handle_info(AnyMessage(&message)));
        }
      }
    }
    return result;
  }

  CallbackResult handle_continue(Message& message) override {
    return dispatch(continues_, message, {});
  }

  void terminate(const ExitReason& reason) override {
    if constexpr (requires { server_.terminate(reason); }) server_.terminate(reason);
  }

  void hibernate() override {
    if constexpr (requires { server_.on_hibernate(); }) server_.on_hibernate();
  }

  std::string state_text() override { return detail::state_text(server_); }

  std::string state_term() override {
    if constexpr (HasState<Server>) {
      return value_text(std::as_const(server_.state()));
    } else {
      return detail::state_text(server_);
    }
  }

  std::optional<Bytes> state_packed() override {
    if constexpr (HasState<Server>) {
      if constexpr (Packable<typename StateOf<Server>::type>) {
        return pack(std::as_const(server_.state()), Form::named);
      }
    }
    return std::nullopt;
  }

  void* state(const std::type_info& type) override { return state_address(server_, type); }
  int version() const override { return version_of<Server>(); }

  std::string message_text(Message& message) override {
    const auto listed = [&](const auto& table) -> std::optional<std::string> {
      const auto* entry = find(table, message);
      return entry ? std::optional(entry->text(server_, message)) : std::nullopt;
    };
    if (message.kind == MessageKind::reply) return reply_text(message, typename Server::Calls{});
    if (auto text = message.kind == MessageKind::call   ? listed(calls_)
                    : message.kind == MessageKind::cast ? listed(casts_)
                                                        : listed(infos_)) {
      return std::move(*text);
    }
    if (auto text = listed(continues_)) return std::move(*text);
    return AnyMessage(&message).to_text();
  }

 private:
  template <class... Ms>
  std::string reply_text(Message& message, GenServer::Messages<Ms...>) {
    std::string text;
    const bool known = (... || show_reply<Ms>(message, text));
    return known ? text : AnyMessage(&message).to_text();
  }

  template <class M>
  bool show_reply(Message& message, std::string& text) {
    if constexpr (Request<M>) {
      const auto* reply = message.as<ReplyOf<M>>();
      if (reply != nullptr) text = value_shown(server_, *reply);
      return reply != nullptr;
    }
    return false;
  }

  template <class Table>
  static const typename Table::value_type* find(const Table& table, Message& message) {
    const Packed* packed = message.as<Packed>();
    for (const auto& entry : table) {
      if (packed != nullptr ? packed->type == entry.name && !entry.name.empty()
                            : message.type == entry.type) {
        return &entry;
      }
    }
    return nullptr;
  }

  template <class Table>
  CallbackResult dispatch(const Table& table, Message& message, const Caller& caller) {
    if (const auto* entry = find(table, message)) return entry->run(server_, message, caller);
    CallbackResult result;
    result.fault = CallbackResult::Fault::bad_message;
    return result;
  }

  static constexpr auto calls_ = call_table<Server>(typename Server::Calls{});
  static constexpr auto casts_ = cast_table<Server>(typename Server::Casts{});
  static constexpr auto infos_ = info_table<Server>(typename Server::Infos{});
  static constexpr auto continues_ = continue_table<Server>(typename Server::Continues{});

  Server server_;
};

template <class Server, class... Args>
MakeCallbacks make_callbacks(Args&&... args) {
  if constexpr (!std::is_constructible_v<Server, std::decay_t<Args>...>) {
    no_constructor_of_the_server_takes_these_arguments<Server, std::decay_t<Args>...>();
    return {};
  } else {
    return [tuple = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable {
      return std::apply(
          [](auto&... values) -> std::unique_ptr<Callbacks> {
            return std::make_unique<ServerCallbacks<Server>>(std::in_place, std::move(values)...);
          },
          tuple);
    };
  }
}

}  // namespace coterie::detail

namespace coterie {

template <class Server, class... Args>
std::expected<Pid, StartError> GenServer::start(StartOptions options, Args&&... args) {
  return detail::start_server(detail::type_text<Server>(),
                              detail::make_callbacks<Server>(std::forward<Args>(args)...),
                              std::move(options), false);
}

template <class Server, class... Args>
std::expected<Pid, StartError> GenServer::start_link(StartOptions options, Args&&... args) {
  return detail::start_server(detail::type_text<Server>(),
                              detail::make_callbacks<Server>(std::forward<Args>(args)...),
                              std::move(options), true);
}

}  // namespace coterie
