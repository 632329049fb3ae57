#pragma once
// What a guardian decides, and nothing else: events in, actions out. No clock, process or file in
// it; the driver (node/guardian.hpp) feeds it and does what it says. Protocol: docs/failover.md,
// "Leases, gates, guardian".
//
//   GuardianCore core(policy);
//   for (;;) { for (auto& action : core.step(event)) do(action); sleep until core.next_tick(); }
//
// A child that is past its lease without having frozen is killed after `lease_grace` *of the
// guardian's own waking time*: each tick counts for at most two tick lengths. When the whole
// machine was paused, the child had no more chance to freeze than the guardian had to look, and
// still gets it; when only the child was stopped, the guardian's ticks are on time.

#include <optional>
#include <variant>
#include <vector>

#include <coterie/time.hpp>

#include "node/shared_page.hpp"

namespace coterie::guardian {

struct Policy {
  Duration lease_grace = std::chrono::milliseconds(200);
  Duration tick = std::chrono::milliseconds(20);        // while a child is past its lease
  Duration idle_tick = std::chrono::milliseconds(250);  // at most so long between two looks
  Duration backoff_min = std::chrono::seconds(1);       // before the first restart; then doubled
  Duration backoff_max = std::chrono::seconds(30);
  Duration healthy_after = std::chrono::seconds(60);  // a run this long starts the back-off anew
  Duration drain_max = std::chrono::seconds(30);      // the node's own bound for leaving
  Duration drain_grace = std::chrono::seconds(5);     // on top of it, before it is killed unasked
  bool respawn = false;                               // restart after deaths of other kinds too
};

/// How a child ended.
struct ExitStatus {
  int code = 0;    // when signal is 0
  int signal = 0;  // that killed it
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

// Events.
struct Begin {};
struct ChildStarted {};
struct StartFailed {};
struct ChildExited {
  ExitStatus status;          // known by waitpid only
  bool never_served = false;  // by its page: it never held a lease
};
struct Tick {
  PageSnapshot page;  // of the running child
};
struct StopSignal {};  // SIGTERM, SIGINT or SIGHUP
using Event = std::variant<Begin, ChildStarted, StartFailed, ChildExited, Tick, StopSignal>;

// Actions, to be done in order.
struct StartChild {
  friend bool operator==(const StartChild&, const StartChild&) = default;
};
struct AskChildToStop {
  friend bool operator==(const AskChildToStop&, const AskChildToStop&) = default;
};
struct KillChild {
  enum class Why : std::uint8_t { past_its_lease, drain_took_too_long };
  Why why = Why::past_its_lease;
  friend bool operator==(const KillChild&, const KillChild&) = default;
};
/// Tell the others, without delaying anything here.
struct ReportDeath {
  ExitStatus status;
  bool by_guardian = false;  // the kill was the guardian's own
  friend bool operator==(const ReportDeath&, const ReportDeath&) = default;
};
struct RestartLater {
  Duration after{};
  friend bool operator==(const RestartLater&, const RestartLater&) = default;
};
struct Exit {
  int code = 0;
  friend bool operator==(const Exit&, const Exit&) = default;
};
using Action = std::variant<StartChild, AskChildToStop, KillChild, ReportDeath, RestartLater, Exit>;

class GuardianCore {
 public:
  explicit GuardianCore(const Policy& policy) : policy_(policy) {}

  /// `now` never goes back from one call to the next.
  std::vector<Action> step(Time now, const Event& event);
  /// A Tick is due then; earlier ones do no harm. Time::max(): none until something happens.
  Time next_tick() const noexcept { return next_tick_; }

 private:
  enum class State : std::uint8_t { idle, starting, running, waiting, done };
  using Actions = std::vector<Action>;

  Actions child_exited(Time now, const ChildExited& exited);
  Actions start_failed(Time now);
  Actions tick(Time now, const PageSnapshot& page);
  Actions stop_signal(Time now);
  void restart_later(Time now, Actions& actions);
  bool past_its_lease(Time now, const PageSnapshot& page);

  const Policy policy_;
  State state_ = State::idle;
  Time started_{};
  Time last_tick_{};
  Time next_tick_ = Time::max();
  Time restart_at_ = Time::max();
  Time kill_at_ = Time::max();     // the drain's end
  std::optional<Time> stop_from_;  // when the first stop signal came
  Duration seen_past_lease_{};     // waking time for which the child was past its lease
  Duration backoff_{};             // before the latest restart
  bool served_ = false;            // some child has held a lease
  bool killed_ = false;            // this child, by this guardian
  bool killed_for_lease_ = false;
};

}  // namespace coterie::guardian
