#pragma once
// What a server shows of itself: its state, by state(), and its text, through format_status.
// Compiled into the table of each server type; costs nothing until sys or a crash report asks.

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <coterie/pack.hpp>
#include <coterie/process.hpp>

namespace coterie {
class GenServer;
}

namespace coterie::detail {

template <class Server>
void state_of_a_server_does_not_return_a_reference() = delete;
template <class Server, class Value>
void format_status_returns_what_has_no_text() = delete;

// Spelt "... [with T = shop::Cart]".
template <class T>
consteval const char* spell_type() {
  return __PRETTY_FUNCTION__;
}
/// The type's name with its namespaces, as the compiler spells it.
template <class T>
consteval std::string_view type_text() {
  const std::string_view spelling = spell_type<T>();
  const std::size_t begin = spelling.find("T = ") + 4;
  return spelling.substr(begin, spelling.rfind(']') - begin);
}

template <class Server>
concept HasState = requires(Server& server) {
  requires std::is_lvalue_reference_v<decltype(server.state())>;
};

template <class T>
struct StateOf {
  using type = T;
};
template <HasState T>
requires std::is_base_of_v<GenServer, T>
struct StateOf<T> {
  using Returned = decltype(std::declval<T&>().state());
  using type = std::remove_cvref_t<Returned>;
};

template <class T>
std::string value_text(const T& value) {
  if constexpr (Packable<T>) {
    return to_term(value);
  } else if constexpr (requires { std::string(to_string(value)); }) {
    return std::string(to_string(value));
  } else {
    return std::string(type_text<T>());
  }
}

/// Text as it is, other values as terms.
template <class Server, class T>
std::string shown(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return std::string(std::string_view(value));
  } else if constexpr (Packable<T> || requires { std::string(to_string(value)); }) {
    return value_text(value);
  } else {
    format_status_returns_what_has_no_text<Server, T>();
    return {};
  }
}

template <class Server>
std::string state_text(Server& server) {
  if constexpr (HasState<Server>) {
    const auto& state = server.state();
    if constexpr (requires { server.format_status(state); }) {
      return shown<Server>(server.format_status(state));
    } else {
      return value_text(state);
    }
  } else if constexpr (requires { server.format_status(); }) {
    return shown<Server>(server.format_status());
  } else {
    return std::string(type_text<Server>());
  }
}

template <class Server, class M>
std::string value_shown(Server& server, const M& value) {
  if constexpr (requires { server.format_status(value); }) {
    return shown<Server>(server.format_status(value));
  } else {
    return value_text(value);
  }
}

/// A message of a listed type, from here or packed from another node.
template <class Server, class M>
std::string message_text(Server& server, Message& message) {
  if (M* value = message.as<M>()) return value_shown(server, *value);
  if constexpr (Packable<M>) {
    if (auto* packed = message.as<Packed>()) {
      if (auto value = unpack<M>(packed->bytes)) return value_shown(server, *value);
    }
  }
  return AnyMessage(&message).to_text();
}

template <class Server>
void* state_address(Server& server, const std::type_info& type) {
  if constexpr (HasState<Server>) {
    if (type == typeid(typename StateOf<Server>::type)) return &server.state();
  } else if constexpr (requires { server.state(); }) {
    state_of_a_server_does_not_return_a_reference<Server>();
  }
  return type == typeid(Server) ? &server : nullptr;
}

template <class Server>
constexpr int version_of() {
  if constexpr (requires { int{Server::version}; }) {
    return Server::version;
  } else {
    return 0;
  }
}

}  // namespace coterie::detail
