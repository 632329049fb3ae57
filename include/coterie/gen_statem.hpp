#pragma once
// GenStatem: a server whose answer to an event depends on the state it is in. The counterpart of
// OTP's gen_statem, with states as types: what is known only in a state is a member of it, and
// there is one handler for each pair of state and event.
//
//   class Door final : public coterie::GenStatem<Door> {
//    public:
//     struct Locked { std::string entered; };
//     struct Open {};
//     using States = OneOf<Locked, Open>;                  // the first is where it starts
//
//     struct Button { char digit = '0'; };
//     struct IsOpen { using Reply = bool; };
//     struct Lock {};
//     using Casts = Messages<Button>;
//     using Calls = Messages<IsOpen>;
//     using Events = Messages<Lock>;                       // of its own: timeouts, next_event
//
//     explicit Door(std::string code) : code_(std::move(code)) {}
//
//     To<Open> handle_event(Locked& locked, const Button& button) {
//       locked.entered += button.digit;
//       if (locked.entered.size() < code_.size()) return keep_state();
//       if (std::exchange(locked.entered, {}) != code_) return keep_state();
//       return next_state(Open{}).state_timeout(10s, Lock{});
//     }
//     To<Locked> handle_event(Open&, const Lock&) { return next_state(Locked{}); }
//     To<> handle_event(Open&, const Button&) { return postpone(); }
//     bool handle_event(Open&, const IsOpen&) { return true; }
//     bool handle_event(const IsOpen&) { return false; }   // in every state without its own
//
//    private:
//     std::string code_;
//   };
//   auto door = GenServer::start_link<Door>({.name = local("door")}, "1234");
//   cast<Door>(local("door"), Door::Button{'1'});
//
// It is a GenServer (start, stop, call, cast, supervision, sys) whose handlers are handle_event.
// A handler returns nothing (the state stays), the reply of a call, or To<...>: keep_state(),
// repeat_state(), postpone(), stop(reason), next_state(S{}) for the states its To names, each with
// actions. A second state of the same type is the same state with other contents. A third parameter
// From<Request> lets a handler reply now or later, also from a later state.
// A call, cast or info that a state has no handler for does not compile; nor does a transition that
// `using Transitions = Paths<Path<Locked, Open>, ...>`, if there is such a list, does not have.
// An optional enter(S&) or enter(S&, OldState) runs at each entry into S (state enter calls); it
// returns nothing or To<>, and cannot postpone or insert events.
// An event is handled completely, with all that it inserted, before the mailbox is looked at.

#include <optional>
#include <type_traits>

#include <coterie/detail/statem_dispatch.hpp>

namespace coterie {

template <class Machine>
class GenStatem : public GenServer, protected detail::StatemCore {
  using Dispatch = detail::StatemDispatch<Machine>;

 public:
  template <class... Ss>
  using OneOf = detail::StateList<Ss...>;
  template <class From, class... Targets>
  using Path = detail::StatePath<From, Targets...>;
  template <class... Ps>
  using Paths = detail::StatePaths<Ps...>;

  // Default lists.
  using Events = Messages<>;
  using Continues = Messages<detail::StatemStart>;

  /// What comes next: the state stays, or one of Targets follows. With actions, as OTP's; of
  /// several of one kind the last one counts.
  template <class... Targets>
  class To : public detail::Step {
   public:
    using TargetList = detail::Targets<Targets...>;

    explicit To(Kind what = Kind::keep) { kind = what; }
    template <class... Less>
    To(To<Less...>&& less)  // NOLINT: one that goes to fewer states fits
        : Step(static_cast<detail::Step&&>(less)) {
      (..., allow<Less>());
    }
    /// Handle this event again after the next change of state.
    To&& postpone() && { return postpones = true, std::move(*this); }
    To&& hibernate() && { return hibernates = true, std::move(*this); }
    template <class R>
    To&& reply(const From<R>& to, ReplyOf<R> value) && {
      to.reply(std::move(value));
      return std::move(*this);
    }
    /// Handled next, before anything else; several in the order in which they are given.
    template <class E>
    To&& next_event(E event) && {
      events.push_back(Dispatch::own_event(std::move(event)));
      return std::move(*this);
    }

    /// Cancelled by a change of state. A time of zero comes after all events that are inside
    /// already, and before the mailbox.
    template <class E>
    To&& state_timeout(Duration after, E event) && {
      return act(Key{Key::Kind::state}, Act::start, after, Dispatch::own_event(std::move(event)));
    }
    /// The one under way brings another event; if there is none, now.
    template <class E>
    To&& update_state_timeout(E event) && {
      return act(Key{Key::Kind::state}, Act::update, {}, Dispatch::own_event(std::move(event)));
    }
    To&& cancel_state_timeout() && { return act(Key{Key::Kind::state}, Act::cancel, {}, nullptr); }
    /// Cancelled by any event.
    template <class E>
    To&& timeout(Duration after, E event) && {
      return act(Key{Key::Kind::event}, Act::start, after, Dispatch::own_event(std::move(event)));
    }
    /// Cancelled by nothing but cancel_timeout and a new one of that name.
    template <class E>
    To&& timeout(std::string name, Duration after, E event) && {
      return act(Key{Key::Kind::named, std::move(name)}, Act::start, after,
                 Dispatch::own_event(std::move(event)));
    }
    template <class E>
    To&& update_timeout(std::string name, E event) && {
      return act(Key{Key::Kind::named, std::move(name)}, Act::update, {},
                 Dispatch::own_event(std::move(event)));
    }
    To&& cancel_timeout(std::string name) && {
      return act(Key{Key::Kind::named, std::move(name)}, Act::cancel, {}, nullptr);
    }

   private:
    using Key = detail::TimeoutKey;
    using Act = detail::TimeoutAction::Act;
    To&& act(Key key, Act what, Duration after, detail::StatemEventPtr event) {
      timeouts.push_back({std::move(key), what, after, std::move(event)});
      return std::move(*this);
    }
    template <class Less>
    static void allow() {
      if constexpr (!(std::is_same_v<Less, Targets> || ...)) {
        detail::this_handler_may_only_go_to_the_states_in_its_To<To, Less>();
      }
    }
  };

  /// Which state it was, for enter(S&, OldState).
  class OldState {
   public:
    explicit OldState(std::size_t index) noexcept : index_(index) {}
    template <class S>
    bool is() const noexcept {
      return index_ == Dispatch::template index_of<S>();
    }

   private:
    std::size_t index_;
  };

  static To<> keep_state() { return To<>(); }
  /// The state stays, and its enter call runs again.
  static To<> repeat_state() { return To<>(detail::Step::Kind::repeat); }
  static To<> postpone() { return To<>().postpone(); }
  /// Replies that were given are sent before terminate runs.
  static To<> stop(ExitReason reason) {
    To<> to(detail::Step::Kind::stop);
    to.reason = std::move(reason);
    return to;
  }
  template <class S>
  static To<S> next_state(S state) {
    To<S> to(detail::Step::Kind::next);
    to.next_index = Dispatch::template index_of<S>();
    to.next = detail::boxed_state(std::move(state));
    return to;
  }

  // For init: the first state, and what else is to be done.
  template <class S>
  Init ok(S first, To<> actions = To<>()) {
    set_state(detail::boxed_state(std::move(first)), Dispatch::template index_of<S>());
    first_actions_ = std::move(actions);
    return GenServer::ok().then_continue(detail::StatemStart{});
  }
  Init init() { return ok(typename detail::FirstOf<typename Machine::States>::type()); }

  template <class S>
  bool in_state() const noexcept {
    return index() == Dispatch::template index_of<S>();
  }
  std::string_view state_name() const {
    std::string_view name;
    Dispatch::with_state(
        index(), [&]<class S>(std::type_identity<S>) { name = detail::short_type_name<S>(); });
    return name;
  }
  /// What sys and crash reports show, unless the machine has its own.
  std::string format_status() const { return std::string(state_name()); }

  // ---- called by the server loop
  template <class E>
  Next handle_call(const E& event, From<E> from) {
    Dispatch::template check_covered<E>();
    typename Dispatch::template Borrowed<E> borrowed(event, from);
    return take(borrowed);
  }
  template <class E>
  Next handle_cast(const E& event) {
    Dispatch::template check_covered<E>();
    typename Dispatch::template Borrowed<E> borrowed(event, std::nullopt);
    return take(borrowed);
  }
  template <class E>
  Next handle_info(const E& event) {
    return handle_cast(event);
  }
  Next handle_info(AnyMessage message) { return take_unlisted(message); }
  Next handle_continue(const detail::StatemStart&) {
    Dispatch::check_events(typename Machine::Events{});
    using MachineInit = decltype(std::declval<Machine&>().init());
    if constexpr (!std::is_same_v<MachineInit, Init>) {
      detail::the_init_of_a_state_machine_returns_ok_with_its_first_state<Machine>();
    } else if constexpr (!requires(Machine & m, detail::StatemTimer t) { m.handle_info(t); }) {
      detail::a_state_machine_has_handle_event_in_place_of_other_handlers<Machine>();
    }
    return begin(std::move(first_actions_));
  }

 private:
  void* statem() noexcept override { return static_cast<void*>(static_cast<Machine*>(this)); }
  detail::Step run_enter_call(std::size_t old_index) override {
    return Dispatch::enter(static_cast<Machine&>(*this), index(), state_address(),
                           OldState(old_index));
  }

  To<> first_actions_;
};

}  // namespace coterie
