#pragma once
// The engine of a state machine, without the types of its states and events: postponed and inserted
// events, the three kinds of timeouts, the order in which all of it happens (gen_statem.erl).
// Included by <coterie/gen_statem.hpp>.

#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <coterie/gen_server.hpp>

namespace coterie::detail {

template <class Machine, class State, class Event>
void no_handle_event_for_this_state_and_event() = delete;
template <class Machine, class Event>
void no_handle_event_for_an_event_listed_in_Events() = delete;
template <class Machine, class Event>
void this_event_is_not_listed_in_Events_of() = delete;
template <class Machine, class State, class Event, class Returned>
void handle_event_returns_neither_nothing_nor_To_nor_the_Reply() = delete;
template <class Machine, class From, class Target>
void this_transition_is_not_listed_in_Transitions() = delete;
template <class Allowed, class Target>
void this_handler_may_only_go_to_the_states_in_its_To() = delete;
template <class Machine, class State>
void this_is_not_one_of_the_States_of() = delete;
template <class Machine, class State>
void a_state_enter_call_may_not_change_the_state() = delete;
template <class Machine>
void the_init_of_a_state_machine_returns_ok_with_its_first_state() = delete;
template <class Machine>
void a_state_machine_has_handle_event_in_place_of_other_handlers() = delete;

struct Step;

/// One event for the machine, with what is known of its type.
class StatemEvent {
 public:
  virtual ~StatemEvent() = default;
  virtual Step run(void* machine, std::size_t index, void* state) = 0;
  /// A copy that outlives the message.
  virtual std::unique_ptr<StatemEvent> keep() = 0;
};
using StatemEventPtr = std::unique_ptr<StatemEvent>;

struct TimeoutKey {
  enum class Kind : std::uint8_t { state, event, named };
  Kind kind = Kind::state;
  std::string name{};
  friend auto operator<=>(const TimeoutKey&, const TimeoutKey&) = default;
};

struct TimeoutAction {
  enum class Act : std::uint8_t { start, update, cancel };
  TimeoutKey key;
  Act act = Act::start;
  Duration after{};
  StatemEventPtr event;
};

/// A state, whatever its type.
using StatePtr = std::unique_ptr<void, void (*)(void*) noexcept>;
inline StatePtr no_state() {
  return {nullptr, [](void*) noexcept {}};
}

/// What a handler wants to happen: OTP's transition and its actions.
struct Step {
  enum class Kind : std::uint8_t { keep, next, repeat, stop };
  Kind kind = Kind::keep;
  bool postpones = false;
  bool hibernates = false;
  bool owes_reply = false;  // of a call whose handler neither replied nor could
  std::size_t next_index = 0;
  StatePtr next = no_state();
  ExitReason reason{};
  std::vector<TimeoutAction> timeouts{};
  std::vector<StatemEventPtr> events{};
};

/// The states that a handler may go to.
template <class... Ss>
struct Targets {};

/// The machine ends: an event of its own came in a state that does not take it.
Step bad_event(std::string_view event, std::string_view state);

/// A timer of the machine ran out; `serial` tells it from one that was cancelled since.
struct StatemTimer {
  TimeoutKey key;
  std::uint64_t serial = 0;
};
/// Runs the enter call of the first state, right after init.
struct StatemStart {};

class StatemCore {
 public:
  virtual ~StatemCore() = default;

 protected:
  StatemCore() = default;
  StatemCore(const StatemCore&) = delete;
  StatemCore& operator=(const StatemCore&) = delete;

  /// The first state is entered, and `actions` of init carried out.
  GenServer::Next begin(Step actions);
  /// One event from outside, and all that follows from it inside.
  GenServer::Next take(StatemEvent& event);
  /// An info that is on no list: a timer of the machine, or nothing of its.
  GenServer::Next take_unlisted(AnyMessage message);
  void set_state(StatePtr state, std::size_t index) noexcept {
    state_ = std::move(state);
    index_ = index;
  }
  std::size_t index() const noexcept { return index_; }
  void* state_address() const noexcept { return state_.get(); }

 private:
  virtual Step run_enter_call(std::size_t old_index) = 0;
  virtual void* statem() noexcept = 0;

  struct RunningTimer {
    Ref ref = Ref::none;  // none: a timeout of zero, in zeros_
    std::uint64_t serial = 0;
    StatemEventPtr event;
  };

  Step run(StatemEvent& event) { return event.run(statem(), index_, state_.get()); }
  bool follow(Step step, StatemEvent& event, StatemEventPtr owned);
  bool enter(std::size_t old_index, Step& step);
  void apply_timeouts(std::vector<TimeoutAction> actions);
  void cancel(const TimeoutKey& key);
  StatemEventPtr next_event();
  GenServer::Next run_queue(bool alive);

  StatePtr state_ = no_state();
  std::size_t index_ = 0;
  std::deque<StatemEventPtr> queue_;
  std::vector<StatemEventPtr> postponed_;
  std::map<TimeoutKey, RunningTimer> timers_;
  std::deque<TimeoutKey> zeros_;  // run after the queue, before the mailbox
  std::uint64_t serial_ = 0;
  bool hibernates_ = false;
  ExitReason reason_;
};

/// The type's name without its scopes.
template <class T>
constexpr std::string_view short_type_name() {
  std::string_view spelling = __PRETTY_FUNCTION__;
  const std::size_t begin = spelling.find("T = ") + 4;
  spelling = spelling.substr(begin, spelling.find_first_of(";]", begin) - begin);
  const std::size_t scope = spelling.rfind("::");
  return scope == std::string_view::npos ? spelling : spelling.substr(scope + 2);
}

}  // namespace coterie::detail
