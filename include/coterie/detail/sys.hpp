#pragma once
// The typed half of sys: what runs inside the server is made here, for its types; the rest is
// process/sys.cpp. Included by <coterie/sys.hpp>.

#include <memory>
#include <type_traits>
#include <utility>

#include <coterie/sys.hpp>

namespace coterie::detail {

template <class State>
void the_state_cannot_be_copied_out_of_its_server() = delete;
template <class State, class Function>
void the_function_does_not_map_a_state_to_a_state() = delete;
template <class NewServer>
void the_new_server_has_no_state_to_upgrade() = delete;
template <class NewServer, class Extra>
void code_change_does_not_take_these_arguments() = delete;
template <class NewServer, class State>
void the_new_server_cannot_be_made_from_its_state() = delete;

template <class State>
struct StateCopy {
  std::unique_ptr<State> value;
};
using CopyState = MessagePtr (*)(const void* state);
using ChangeState = std::move_only_function<MessagePtr(void* state)>;
using MakeUpgraded =
    std::move_only_function<std::unique_ptr<Callbacks>(int old_version, BytesView old_state)>;
using SysAnswer = std::expected<MessagePtr, CallError>;

/// code_change said no.
struct CodeChangeRefused {
  ExitReason reason;
};

SysAnswer copy_state(const ServerRef& server, const std::type_info& type, CopyState copy,
                     Duration timeout);
/// Of an answer that crossed from another node.
std::expected<Bytes, CallError> packed_state(Message& answer);
CallError not_that_state(const UnpackError& why);
SysAnswer replace_state(const ServerRef& server, const std::type_info& type, ChangeState change,
                        Duration timeout);
sys::Result<void> change_code(const ServerRef& server, MakeUpgraded make, Duration timeout);

template <class State>
MessagePtr copied(const void* state) {
  return make_message(MessageKind::reply,
                      StateCopy<State>{std::make_unique<State>(*static_cast<const State*>(state))});
}

template <class State, class F>
State replaced(const State& state, F& replace) {
  if constexpr (std::is_invocable_r_v<State, F&, const State&>) {
    return replace(state);
  } else if constexpr (std::is_invocable_v<F&, State&>) {
    State next(state);
    if constexpr (std::is_void_v<std::invoke_result_t<F&, State&>>) {
      replace(next);
      return next;
    } else {
      return replace(next);
    }
  } else {
    the_function_does_not_map_a_state_to_a_state<State, F>();
    return state;
  }
}

template <class NewServer, class State, class Extra>
auto changed(int version, BytesView old, const Extra& extra) {
  if constexpr (requires { NewServer::code_change(version, old, extra); }) {
    return NewServer::code_change(version, old, extra);
  } else if constexpr (requires { NewServer::code_change(version, old); }) {
    return NewServer::code_change(version, old);
  } else if constexpr (requires { &NewServer::code_change; }) {
    code_change_does_not_take_these_arguments<NewServer, Extra>();
    return State();
  } else {
    auto read = unpack<State>(old);
    if (!read) throw CodeChangeRefused{ExitReason::term(to_string(read.error()))};
    return std::move(*read);
  }
}

template <class NewServer, class Extra>
std::unique_ptr<Callbacks> upgraded(int version, BytesView old, const Extra& extra) {
  using State = typename StateOf<NewServer>::type;
  auto state = changed<NewServer, State>(version, old, extra);
  const auto make = [](State&& value) -> std::unique_ptr<Callbacks> {
    if constexpr (std::is_constructible_v<NewServer, State>) {
      return std::make_unique<ServerCallbacks<NewServer>>(std::in_place, std::move(value));
    } else if constexpr (std::is_default_constructible_v<NewServer>) {
      auto made = std::make_unique<ServerCallbacks<NewServer>>(std::in_place);
      *static_cast<State*>(made->state(typeid(State))) = std::move(value);
      return made;
    } else {
      the_new_server_cannot_be_made_from_its_state<NewServer, State>();
      return nullptr;
    }
  };
  if constexpr (std::is_convertible_v<decltype(state)&&, State>) {
    return make(std::move(state));
  } else {
    if (!state) throw CodeChangeRefused{std::move(state.error())};
    return make(std::move(*state));
  }
}

}  // namespace coterie::detail

namespace coterie::sys {

template <class T>
Result<StateOf<T>> get_state(const ServerRef& server, Duration timeout) {
  using State = StateOf<T>;
  if constexpr (!std::is_copy_constructible_v<State>) {
    detail::the_state_cannot_be_copied_out_of_its_server<State>();
    return std::unexpected(CallError(CallError::Code::refused, CallError::Execution::not_executed));
  } else {
    auto answer = detail::copy_state(server, typeid(State), &detail::copied<State>, timeout);
    if (!answer) return std::unexpected(std::move(answer.error()));
    if (auto* copy = (*answer)->template as<detail::StateCopy<State>>()) {
      return std::move(*copy->value);
    }
    auto packed = detail::packed_state(**answer);
    if (!packed) return std::unexpected(std::move(packed.error()));
    if constexpr (detail::Packable<State>) {
      auto state = unpack<State>(*packed);
      if (state) return std::move(*state);
      return std::unexpected(detail::not_that_state(state.error()));
    } else {
      return std::unexpected(detail::not_that_state({}));
    }
  }
}

template <class T, class F>
Result<StateOf<T>> replace_state(const ServerRef& server, F replace, Duration timeout) {
  using State = StateOf<T>;
  if constexpr (!std::is_copy_constructible_v<State>) {
    detail::the_state_cannot_be_copied_out_of_its_server<State>();
    return std::unexpected(CallError(CallError::Code::refused, CallError::Execution::not_executed));
  } else {
    auto answer = detail::replace_state(
        server, typeid(State),
        [replace = std::move(replace)](void* address) mutable {
          State& state = *static_cast<State*>(address);
          State next = detail::replaced(std::as_const(state), replace);
          auto copy = detail::copied<State>(&next);  // before anything changes
          state = std::move(next);
          return copy;
        },
        timeout);
    if (!answer) return std::unexpected(std::move(answer.error()));
    return std::move(*(*answer)->template as<detail::StateCopy<State>>()->value);
  }
}

template <class NewServer, class Extra>
Result<void> change_code(const ServerRef& server, Extra extra, Duration timeout) {
  if constexpr (!detail::HasState<NewServer>) {
    detail::the_new_server_has_no_state_to_upgrade<NewServer>();
    return {};
  } else {
    return detail::change_code(
        server,
        [extra = std::move(extra)](int version, BytesView old) {
          return detail::upgraded<NewServer>(version, old, extra);
        },
        timeout);
  }
}

}  // namespace coterie::sys
