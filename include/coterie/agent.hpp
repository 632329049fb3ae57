#pragma once
// Agent: a process that keeps one value; functions that run inside it read and change that value.
// The counterpart of Elixir's Agent (lib/elixir/lib/agent.ex), built on GenServer and nothing more.
//
//   auto counts = Agent<std::map<std::string, int>>::start_link(
//       [] { return std::map<std::string, int>(); }, {.name = local("counts")}).value();
//   counts.update([](auto& map) { ++map["hits"]; });
//   int hits = counts.get([](const auto& map) { return map.at("hits"); }).value();
//   int last = counts.get_and_update([](auto& map) { return map["hits"]++; }).value();
//
// A function runs in the agent: while it runs nobody else is served, and what it captures by
// reference must outlive a caller that stopped to wait. An exception in it ends the agent. Work
// that takes long belongs into the caller: get() the value, compute, update(). Functions cannot
// travel: an agent of another node answers CallError::undecodable, not executed. State that other
// nodes use belongs into a GenServer (docs/choosing.md shows the move). An Agent is a value that
// names the process; it goes wherever a ServerRef goes.

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <coterie/gen_server.hpp>

namespace coterie {

struct ChildSpec;  // <coterie/child_spec.hpp>

namespace detail {

template <class State, class First>
void this_is_neither_the_first_state_of_this_Agent_nor_a_function_that_makes_it() = delete;
template <class State, class Function>
void this_function_does_not_take_the_state_of_this_Agent() = delete;
template <class State, class Function>
void this_function_neither_returns_the_new_state_of_this_Agent_nor_nothing() = delete;

template <class State, class Value>
inline constexpr bool is_reply_and = false;
template <class State, class Reply>
inline constexpr bool is_reply_and<State, std::pair<Reply, State>> = true;

/// The process of an Agent<State>.
template <class State>
class AgentServer final : public GenServer {
 public:
  using Function = std::move_only_function<MessagePtr(State&)>;
  /// A value of any type, on its way to who knows the type.
  struct Answer {
    explicit Answer(MessagePtr v) noexcept : value(std::move(v)) {}
    MessagePtr value;
  };
  struct Run {
    using Reply = Answer;
    explicit Run(Function f) noexcept : function(std::move(f)) {}
    mutable Function function;
  };
  struct Change {
    explicit Change(Function f) noexcept : function(std::move(f)) {}
    mutable Function function;
  };
  using Calls = Messages<Run>;
  using Casts = Messages<Change>;

  /// `first` is the state, or a function that makes it here, in the agent.
  template <class First>
  explicit AgentServer(First&& first) : state_(make(std::forward<First>(first))) {}

  State& state() { return state_; }
  Answer handle_call(const Run& run) { return Answer(run.function(state_)); }
  void handle_cast(const Change& change) { change.function(state_); }

 private:
  template <class First>
  static State make(First&& first) {
    if constexpr (std::is_invocable_r_v<State, First&> && !std::is_convertible_v<First, State>) {
      return first();
    } else if constexpr (std::is_constructible_v<State, First>) {
      return State(std::forward<First>(first));
    } else {
      this_is_neither_the_first_state_of_this_Agent_nor_a_function_that_makes_it<State, First>();
    }
  }
  State state_;
};

}  // namespace detail

template <class State>
class Agent {
 public:
  /// The server behind it, for supervisors: child<Agent<int>::Server>("hits", {}, 0).
  using Server = detail::AgentServer<State>;
  template <class T>
  using Result = std::expected<T, CallError>;

  /// `first` is the first state, or a function that is run in the agent and returns it.
  template <class First>
  static std::expected<Agent, StartError> start(First first, StartOptions options = {}) {
    return named(GenServer::start<Server>(std::move(options), std::move(first)));
  }
  /// The same, linked to the caller.
  template <class First>
  static std::expected<Agent, StartError> start_link(First first, StartOptions options = {}) {
    return named(GenServer::start_link<Server>(std::move(options), std::move(first)));
  }

  /// A ChildSpec, for which <coterie/child_spec.hpp> is needed. `first` is copied for each start.
  template <class First, class Spec = ChildSpec>
  static Spec child_spec(std::string id, First first, StartOptions options = {}) {
    Spec spec;
    spec.id = std::move(id);
    spec.start = [first = std::move(first), options = std::move(options)] {
      return GenServer::start_link<Server>(options, first);
    };
    return spec;
  }

  /// An agent that runs already: its pid or its name.
  explicit Agent(ServerRef ref) : ref_(std::move(ref)) {}
  explicit Agent(RemoteName) = delete;  // functions cannot travel to another node

  operator const ServerRef&() const noexcept { return ref_; }  // NOLINT: one reference everywhere
  const ServerRef& ref() const noexcept { return ref_; }

  /// What `read(const State&)` returns.
  template <class F>
  auto get(F read, Duration timeout = default_call_timeout) const {
    if constexpr (!std::is_invocable_v<F&, const State&>) {
      detail::this_function_does_not_take_the_state_of_this_Agent<State, F>();
    } else {
      return run(
          [read = std::move(read)](State& state) mutable { return read(std::as_const(state)); },
          timeout);
    }
  }

  /// `change(State&)` changes the state, or returns the new one.
  template <class F>
  Result<Nothing> update(F change, Duration timeout = default_call_timeout) const {
    return run([apply = changer(std::move(change))](State& state) mutable { apply(state); },
               timeout);
  }

  /// `change(State&)` changes the state and returns what the caller gets; or returns both, as
  /// std::pair(reply, new state).
  template <class F>
  auto get_and_update(F change, Duration timeout = default_call_timeout) const {
    if constexpr (!std::is_invocable_v<F&, State&>) {
      detail::this_function_does_not_take_the_state_of_this_Agent<State, F>();
    } else if constexpr (detail::is_reply_and<State, std::invoke_result_t<F&, State&>>) {
      return run(
          [change = std::move(change)](State& state) mutable {
            auto [reply, next] = change(state);
            state = std::move(next);
            return std::move(reply);
          },
          timeout);
    } else {
      return run([change = std::move(change)](State& state) mutable { return change(state); },
                 timeout);
    }
  }

  /// As update, without waiting; never fails.
  template <class F>
  void cast(F change) const {
    coterie::cast(ref_, typename Server::Change([apply = changer(std::move(change))](
                                                    State& state) mutable -> detail::MessagePtr {
                    apply(state);
                    return nullptr;
                  }));
  }

  std::expected<void, CallError> stop(ExitReason reason = ExitReason::normal(),
                                      Duration timeout = infinity) const {
    return GenServer::stop(ref_, std::move(reason), timeout);
  }

 private:
  static std::expected<Agent, StartError> named(std::expected<Pid, StartError> pid) {
    if (!pid) return std::unexpected(std::move(pid.error()));
    return Agent(ServerRef(*pid));
  }

  template <class F>
  static auto changer(F change) {
    return [change = std::move(change)](State& state) mutable {
      if constexpr (!std::is_invocable_v<F&, State&>) {
        detail::this_function_does_not_take_the_state_of_this_Agent<State, F>();
      } else if constexpr (std::is_void_v<std::invoke_result_t<F&, State&>>) {
        change(state);
      } else if constexpr (std::is_convertible_v<std::invoke_result_t<F&, State&>, State>) {
        state = change(state);
      } else {
        detail::this_function_neither_returns_the_new_state_of_this_Agent_nor_nothing<State, F>();
      }
    };
  }

  template <class F>
  auto run(F function, Duration timeout) const {
    using Value = std::decay_t<std::invoke_result_t<F&, State&>>;
    using T = std::conditional_t<std::is_void_v<Value>, Nothing, Value>;
    auto answer =
        call(ref_, typename Server::Run([function = std::move(function)](State& state) mutable {
               if constexpr (std::is_void_v<Value>) {
                 function(state);
                 return detail::make_message(detail::MessageKind::reply, Nothing());
               } else {
                 return detail::make_message(detail::MessageKind::reply, Value(function(state)));
               }
             }),
             timeout);
    if (!answer) return Result<T>(std::unexpected(std::move(answer.error())));
    return Result<T>(std::move(*answer->value->template as<T>()));
  }

  ServerRef ref_;
};

}  // namespace coterie
