#pragma once
// A server of the user's type behind the interface that the runtime's loop calls: one table for
// each message list. Included by <coterie/detail/gen_server.hpp>.

#include <coterie/gen_server.hpp>

namespace coterie::detail {

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

template <class List>
inline constexpr bool is_messages = false;
template <class... Ms>
inline constexpr bool is_messages<GenServer::Messages<Ms...>> = true;

template <class Server>
concept HasLists = requires {
  typename Server::Calls;
  typename Server::Casts;
  typename Server::Infos;
  typename Server::Continues;
};
template <class Server>
concept ListsMessages =
    is_messages<typename Server::Calls> && is_messages<typename Server::Casts> &&
    is_messages<typename Server::Infos> && is_messages<typename Server::Continues>;
template <class Server>
concept IsServer =
    std::is_convertible_v<Server*, GenServer*> && HasLists<Server> && ListsMessages<Server>;

/// Of two with one name a message from another node would always find the first.
template <class List>
inline constexpr bool names_differ = true;
template <class... Ms>
inline constexpr bool names_differ<GenServer::Messages<Ms...>> = [] {
  const std::array<std::string_view, sizeof...(Ms)> names{type_name_of<Ms>()...};
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!names[i].empty() && names[i] == names[j]) return false;
    }
  }
  return true;
}();

template <class Server>
class ServerCallbacks final : public Callbacks {
 public:
  template <class... Args>
  explicit ServerCallbacks(std::in_place_t, Args&&... args)
      : server_(std::forward<Args>(args)...) {}

  CallbackResult init(GenServer::Init::Kind& kind) override {
    kind = GenServer::Init::Kind::ok;
    const auto run = [this]() -> decltype(auto) { return server_.init(); };
    using Returned = decltype(run());
    if constexpr (std::is_void_v<Returned>) {
      run();
    } else if constexpr (std::is_convertible_v<Returned, GenServer::Init>) {
      GenServer::Init init = run();
      kind = init.kind();
      return done(std::move(init.next()));
    } else {
      init_returns_neither_nothing_nor_ok_ignore_stop_or_error<Server, Returned>();
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
        using Returned = decltype(server_.handle_info(AnyMessage(&message)));
        if constexpr (std::is_void_v<Returned>) {
          server_.handle_info(AnyMessage(&message));
          return {};
        } else if constexpr (std::is_convertible_v<Returned, GenServer::Next>) {
          return done(GenServer::Next(server_.handle_info(AnyMessage(&message))));
        } else {
          handle_info_of_AnyMessage_returns_neither_nothing_nor_Next<Server, Returned>();
        }
      }
    }
    return result;
  }

  CallbackResult handle_continue(Message& message) override {
    return dispatch(continues_, message, {});
  }

  void terminate(const ExitReason& reason) override { server_.terminate(reason); }
  void hibernate() override { server_.on_hibernate(); }

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
  std::string_view type() const noexcept override { return type_text<Server>(); }

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
  // Of an abstract class the compiler itself says best which member is missing.
  if constexpr (!std::is_convertible_v<Server*, GenServer*>) {
    the_server_does_not_derive_publicly_from_GenServer<Server>();
    return {};
  } else if constexpr (!HasLists<Server>) {
    a_list_of_the_server_is_not_public<Server>();
    return {};
  } else if constexpr (!ListsMessages<Server>) {
    a_list_of_the_server_is_no_Messages<Server, typename Server::Calls, typename Server::Casts,
                                        typename Server::Infos, typename Server::Continues>();
    return {};
  } else if constexpr (!names_differ<typename Server::Calls>) {
    two_messages_of_a_list_have_the_same_type_name<Server, typename Server::Calls>();
    return {};
  } else if constexpr (!names_differ<typename Server::Casts>) {
    two_messages_of_a_list_have_the_same_type_name<Server, typename Server::Casts>();
    return {};
  } else if constexpr (!std::is_abstract_v<Server> &&
                       !std::is_constructible_v<Server, std::decay_t<Args>...>) {
    no_constructor_of_the_server_takes_these_arguments<Server, std::decay_t<Args>...>();
    return {};
  } else {
    return [tuple = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)](
               void* memory) mutable {
      return std::apply(
          [memory](auto&... values) -> Callbacks* {
            return new (memory) ServerCallbacks<Server>(std::in_place, std::move(values)...);
          },
          tuple);
    };
  }
}

template <class Server>
constexpr ServerKind server_kind() {
  // Of what is no server make_callbacks() has the compiler say what is missing.
  if constexpr (std::is_abstract_v<Server> || !IsServer<Server>) {
    return {type_text<Server>(), 0, 1};
  } else {
    using Made = ServerCallbacks<Server>;
    return {type_text<Server>(), sizeof(Made), alignof(Made)};
  }
}

}  // namespace coterie::detail

namespace coterie {

template <class Server, class... Args>
std::expected<Pid, StartError> GenServer::start(StartOptions options, Args&&... args) {
  return detail::start_server(detail::server_kind<Server>(),
                              detail::make_callbacks<Server>(std::forward<Args>(args)...),
                              std::move(options), false);
}

template <class Server, class... Args>
std::expected<Pid, StartError> GenServer::start_link(StartOptions options, Args&&... args) {
  return detail::start_server(detail::server_kind<Server>(),
                              detail::make_callbacks<Server>(std::forward<Args>(args)...),
                              std::move(options), true);
}

}  // namespace coterie
