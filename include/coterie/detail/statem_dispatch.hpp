#pragma once
// Which handler of a machine takes an event in a state, chosen at compile time, and what its result
// means. Included by <coterie/gen_statem.hpp>.

#include <optional>
#include <stdexcept>
#include <type_traits>

#include <coterie/detail/statem.hpp>

namespace coterie::detail {

template <class... Ss>
struct StateList {
  static_assert(sizeof...(Ss) > 0, "a state machine has at least one state");
  template <class S>
  static constexpr bool contains = (std::is_same_v<S, Ss> || ...);
  template <class S>
  static constexpr std::size_t index() {
    std::size_t at = 0;
    static_cast<void>((... || (std::is_same_v<S, Ss> ? true : (++at, false))));
    return at;
  }
};
template <class... Ss>
struct FirstOf;
template <class S, class... Ss>
struct FirstOf<StateList<S, Ss...>> {
  using type = S;
};

template <class From, class... Targets>
struct StatePath {};
template <class... Paths>
struct StatePaths {};

template <class S, class T, class... Ts>
constexpr bool path_leads(StatePath<S, Ts...>) {
  return (std::is_same_v<T, Ts> || ...);
}
template <class S, class T, class Other>
constexpr bool path_leads(Other) {
  return false;
}
template <class S, class T, class... Ps>
constexpr bool paths_lead(StatePaths<Ps...>) {
  return std::is_same_v<S, T> || (path_leads<S, T>(Ps{}) || ...);
}

/// Who waits, if the event is a call.
template <class E>
struct FromOf {
  using type = std::nullptr_t;
};
template <Request E>
struct FromOf<E> {
  using type = GenServer::From<E>;
};
template <class E>
using MaybeFrom = std::optional<typename FromOf<E>::type>;

template <class S>
StatePtr boxed_state(S state) {
  return {new S(std::move(state)), [](void* old) noexcept { delete static_cast<S*>(old); }};
}

template <class Machine>
class StatemDispatch {
 public:
  template <class S>
  static std::size_t index_of() noexcept {
    if constexpr (!Machine::States::template contains<S>) {
      this_is_not_one_of_the_States_of<Machine, S>();
      return 0;
    } else {
      return Machine::States::template index<S>();
    }
  }

  /// Calls `run(std::type_identity<S>)` with the state S of that index.
  template <class F>
  static void with_state(std::size_t index, F&& run) {
    [&]<class... Ss>(StateList<Ss...>) {
      static_cast<void>(
          (... || (index == index_of<Ss>() ? (run(std::type_identity<Ss>{}), true) : false)));
    }(typename Machine::States{});
  }

  /// An event of its own, for timeouts and next_event.
  template <class E>
  static StatemEventPtr own_event(E event) {
    if constexpr (!Machine::Events::template contains<E>) {
      this_event_is_not_listed_in_Events_of<Machine, E>();
      return nullptr;
    } else {
      return std::make_unique<Owned<E>>(std::move(event), std::nullopt);
    }
  }

  /// An event of a message that the loop owns.
  template <class E>
  class Borrowed final : public StatemEvent {
   public:
    Borrowed(const E& event, MaybeFrom<E> from) : event_(event), from_(std::move(from)) {}
    Step run(void* machine, std::size_t index, void* state) override {
      return dispatch(*static_cast<Machine*>(machine), index, state, event_, from_);
    }
    StatemEventPtr keep() override {
      if constexpr (std::is_copy_constructible_v<E>) {
        return std::make_unique<Owned<E>>(E(event_), from_);
      } else {
        throw std::logic_error("an event that cannot be copied cannot be postponed: " +
                               std::string(short_type_name<E>()));
      }
    }

   private:
    const E& event_;
    MaybeFrom<E> from_;
  };

  /// Every state must take every call, cast and info.
  template <class E>
  static void check_covered() {
    []<class... Ss>(StateList<Ss...>) { (..., check_pair<Ss, E>()); }(typename Machine::States{});
  }
  template <class... Es>
  static void check_events(GenServer::Messages<Es...>) {
    (..., check_event<Es>(typename Machine::States{}));
  }

  static Step enter(Machine& machine, std::size_t index, void* address, const auto& old) {
    Step step;
    with_state(index, [&]<class S>(std::type_identity<S>) {
      S& state = *static_cast<S*>(address);
      if constexpr (requires { machine.enter(state, old); }) {
        step = entered<S>([&] { return machine.enter(state, old); });
      } else if constexpr (requires { machine.enter(state); }) {
        step = entered<S>([&] { return machine.enter(state); });
      }
    });
    return step;
  }

 private:
  template <class E>
  class Owned final : public StatemEvent {
   public:
    Owned(E event, MaybeFrom<E> from) : event_(std::move(event)), from_(std::move(from)) {}
    Step run(void* machine, std::size_t index, void* state) override {
      return dispatch(*static_cast<Machine*>(machine), index, state, event_, from_);
    }
    StatemEventPtr keep() override { return nullptr; }  // it is kept already

   private:
    E event_;
    MaybeFrom<E> from_;
  };

  template <class S, class E>
  static constexpr bool own_from = requires(Machine& m, S& s, const E& e, GenServer::From<E> f) {
    m.handle_event(s, e, f);
  };
  template <class S, class E>
  static constexpr bool own_plain = requires(Machine& m, S& s, const E& e) {
    m.handle_event(s, e);
  };
  template <class E>
  static constexpr bool common_from = requires(Machine& m, const E& e, GenServer::From<E> f) {
    m.handle_event(e, f);
  };
  template <class E>
  static constexpr bool common_plain = requires(Machine& m, const E& e) {
    m.handle_event(e);
  };

  template <class S, class E>
  static constexpr bool handles() {
    if constexpr (own_plain<S, E> || common_plain<E>) return true;
    if constexpr (Request<E>) return own_from<S, E> || common_from<E>;
    return false;
  }
  template <class S, class E>
  static void check_pair() {
    if constexpr (!handles<S, E>()) no_handle_event_for_this_state_and_event<Machine, S, E>();
  }
  template <class E, class... Ss>
  static void check_event(StateList<Ss...>) {
    if constexpr (!(handles<Ss, E>() || ...)) {
      no_handle_event_for_an_event_listed_in_Events<Machine, E>();
    }
  }

  template <class E>
  static Step dispatch(Machine& machine, std::size_t index, void* state, const E& event,
                       const MaybeFrom<E>& from) {
    Step step;
    with_state(index, [&]<class S>(std::type_identity<S>) {
      step = handle<S>(machine, *static_cast<S*>(state), event, from);
    });
    return step;
  }

  template <class S, class E>
  static Step handle(Machine& m, S& state, const E& event, const MaybeFrom<E>& from) {
    if constexpr (Request<E>) {
      if constexpr (own_from<S, E>) {
        if (from) return with_from<S, E>([&] { return m.handle_event(state, event, *from); });
      }
      if constexpr (own_plain<S, E>) {
        return plain<S, E>([&] { return m.handle_event(state, event); }, from);
      } else if constexpr (!own_from<S, E> && common_from<E>) {
        if (from) return with_from<S, E>([&] { return m.handle_event(event, *from); });
      }
    } else if constexpr (own_plain<S, E>) {
      return plain<S, E>([&] { return m.handle_event(state, event); }, from);
    }
    if constexpr (!own_plain<S, E> && common_plain<E>) {
      return plain<S, E>([&] { return m.handle_event(event); }, from);
    } else {
      return bad_event(short_type_name<E>(), short_type_name<S>());
    }
  }

  template <class S, class E, class Run>
  static Step with_from(Run run) {
    using Returned = decltype(run());
    if constexpr (std::is_void_v<Returned>) {
      run();
      return {};
    } else if constexpr (std::is_base_of_v<Step, Returned>) {
      return checked<S>(run());
    } else {
      handle_event_returns_neither_nothing_nor_To_nor_the_Reply<Machine, S, E, Returned>();
      return {};
    }
  }
  template <class S, class E, class Run>
  static Step plain(Run run, const MaybeFrom<E>& from) {
    using Returned = decltype(run());
    Step step;
    if constexpr (std::is_void_v<Returned>) {
      run();
      if constexpr (Request<E>) {
        if constexpr (std::is_same_v<ReplyOf<E>, Nothing>) {
          if (from) from->reply(Nothing{});
        } else {
          step.owes_reply = from.has_value();
        }
      }
    } else if constexpr (std::is_base_of_v<Step, Returned>) {
      step = checked<S>(run());
      step.owes_reply = from.has_value();
    } else if constexpr (returns_reply<E, Returned>()) {
      ReplyOf<E> value = run();
      if (from) from->reply(std::move(value));
    } else {
      handle_event_returns_neither_nothing_nor_To_nor_the_Reply<Machine, S, E, Returned>();
    }
    return step;
  }
  template <class E, class Returned>
  static constexpr bool returns_reply() {
    if constexpr (Request<E>) return std::is_convertible_v<Returned, ReplyOf<E>>;
    return false;
  }

  template <class S, class Run>
  static Step entered(Run run) {
    using Returned = decltype(run());
    if constexpr (std::is_void_v<Returned>) {
      run();
      return {};
    } else if constexpr (std::is_same_v<typename Returned::TargetList, Targets<>>) {
      return run();
    } else {
      a_state_enter_call_may_not_change_the_state<Machine, S>();
      return {};
    }
  }

  template <class S, class Returned>
  static Step checked(Returned to) {
    if constexpr (requires { typename Machine::Transitions; }) {
      []<class... Ts>(Targets<Ts...>) {
        (..., check_listed<S, Ts>());
      }(typename Returned::TargetList{});
    }
    return to;
  }
  template <class S, class T>
  static void check_listed() {
    if constexpr (!paths_lead<S, T>(typename Machine::Transitions{})) {
      this_transition_is_not_listed_in_Transitions<Machine, S, T>();
    }
  }
};

}  // namespace coterie::detail
