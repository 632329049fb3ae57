#pragma once
// What a supervisor knows of a child: how to start it, when to start it again, how to stop it.
// Plain values. The words and defaults are OTP's (supervisor:child_spec(), Elixir's Supervisor).

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <coterie/detail/bad_result.hpp>
#include <coterie/gen_server.hpp>

namespace coterie {

/// When a child that ended is started again.
enum class Restart : std::uint8_t {
  permanent,  // always
  transient,  // unless it ended with normal, shutdown or {shutdown, Term}
  temporary,  // never; its spec goes with it
};
enum class ChildType : std::uint8_t { worker, supervisor };

/// How a child is stopped: `kill` at once, or `shutdown` and, after a wait, `kill`.
class Shutdown {
 public:
  static constexpr Shutdown brutal_kill() noexcept { return Shutdown(); }
  template <class Rep, class Period>
  constexpr Shutdown(std::chrono::duration<Rep, Period> wait) noexcept  // NOLINT: a Duration is one
      : brutal_(false), wait_(wait) {}

  constexpr bool is_brutal_kill() const noexcept { return brutal_; }
  constexpr Duration wait() const noexcept { return wait_; }
  friend bool operator==(const Shutdown&, const Shutdown&) = default;

 private:
  constexpr Shutdown() noexcept = default;
  bool brutal_ = true;
  Duration wait_{};
};

/// A pause before each restart: `min` before the first, twice as long before each that follows, up
/// to `max`. Not in OTP, and off unless `min` says otherwise: there a dependency that is away for a
/// moment uses up max_restarts in a moment. Every try counts against max_restarts all the same.
struct Backoff {
  Duration min{};  // zero: restart at once
  Duration max = std::chrono::seconds(30);
  /// Each pause is made longer or shorter at random by up to this part of itself, so that children
  /// that failed together do not come back together.
  double jitter = 0.2;
  /// A child that has run so long begins with `min` again.
  Duration reset_after = std::chrono::seconds(60);
};

using StartResult = std::expected<Pid, StartError>;

struct ChildSpec {
  std::string id{};
  /// Runs in the supervisor's process, which must become the child's parent: start_link, never
  /// start. StartError::ignored leaves the child stopped, its spec kept (unless temporary). An
  /// exception is a failed start.
  std::function<StartResult()> start{};
  Restart restart = Restart::permanent;
  std::optional<Shutdown> shutdown{};  // default: 5 s for a worker, infinity for a supervisor
  ChildType type = ChildType::worker;
  bool significant = false;  // see AutoShutdown
  Backoff backoff{};

  Shutdown effective_shutdown() const noexcept {
    if (shutdown) return *shutdown;
    return type == ChildType::supervisor ? Shutdown(infinity) : Shutdown(std::chrono::seconds(5));
  }
};

namespace detail {
template <class Server, class... Arguments>
void the_arguments_of_a_child_are_copied_for_each_start() = delete;
}  // namespace detail

/// The spec of a Server(args...); the arguments are copied for each start. What differs from the
/// defaults is changed in the spec: Supervisor::child_spec(child<Server>(...), {.restart = ...}).
template <class Server, class... Args>
ChildSpec child(std::string id, StartOptions options, Args... args) {
  if constexpr (!(std::is_copy_constructible_v<Args> && ...)) {
    detail::the_arguments_of_a_child_are_copied_for_each_start<Server, Args...>();
    return {};
  } else {
    ChildSpec spec;
    spec.id = std::move(id);
    if (options == StartOptions{}) {
      // What millions of dynamic children have: they keep nothing but their arguments.
      spec.start = [... args = std::move(args)] {
        return GenServer::start_link<Server>(StartOptions{}, args...);
      };
      return spec;
    }
    spec.start = [options = std::move(options), ... args = std::move(args)] {
      return GenServer::start_link<Server>(options, args...);
    };
    return spec;
  }
}

/// What Supervisor::child_spec changes in a spec.
struct ChildOverrides {
  std::optional<std::string> id{};
  std::optional<Restart> restart{};
  std::optional<Shutdown> shutdown{};
  std::optional<ChildType> type{};
  std::optional<bool> significant{};
  std::optional<Backoff> backoff{};
};

enum class ChildState : std::uint8_t { running, stopped, restarting };

/// One row of which_children.
struct ChildInfo {
  std::string id{};
  ChildState state = ChildState::stopped;
  Pid pid{};  // none unless running
  ChildType type = ChildType::worker;
  Restart restart = Restart::permanent;
};

struct ChildCount {
  std::uint64_t specs = 0;
  std::uint64_t active = 0;
  std::uint64_t supervisors = 0;
  std::uint64_t workers = 0;
};

/// Why a supervisor did not do what it was asked.
struct ChildError {
  enum class Code : std::uint8_t {
    already_present,  // the id exists, its child is stopped or about to be tried again
    already_started,  // the id exists and runs, or its name is taken: `pid`
    not_found,
    running,       // stop the child first
    restarting,    // it failed and is about to be tried again
    max_children,  // the supervisor's bound is reached
    ignored,       // init answered ignore()
    start_failed,  // `reason`
    bad_spec,      // `detail` says which part
    starting,      // cluster scope: the name exists but does not run yet; it will
    failed,        // cluster scope: given up after failures everywhere; `reason` is the last
    quarantined,   // cluster scope: it took two nodes down; an operator releases it
    unavailable,   // certainly not done: no supervisor, node frozen or draining, storage away
    unknown,       // the supervisor did not answer: it may have been done
  };
  Code code = Code::unknown;
  Pid pid{};
  ExitReason reason{};
  std::string detail{};  // for people
};
std::string_view to_string(ChildError::Code code) noexcept;
std::string_view to_string(Restart restart) noexcept;
std::string to_string(const ChildError& error);

template <class T>
using ChildResult = std::expected<T, ChildError>;

}  // namespace coterie

template <>
class std::bad_expected_access<coterie::ChildError>
    : public coterie::detail::BadResult<coterie::ChildError> {
 public:
  using BadResult::BadResult;
};
