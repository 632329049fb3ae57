#pragma once
// Supervisor: a process whose children it starts in order, restarts when they fail, and stops in
// reverse order. OTP's supervisor, built on GenServer; see docs/supervision.md.
//
//   Supervisor::start_link({child<Cache>("cache", {.name = local("cache")}),
//                           child<Server>("server", {.name = local("server")}, 8080)},
//                          {.strategy = Strategy::rest_for_one});
//
// The functions below run in the caller and wait without end, as OTP's do; the supervisor answers
// one request at a time, and a child's start or shutdown blocks it.

#include <concepts>
#include <span>
#include <type_traits>
#include <vector>

#include <coterie/child_spec.hpp>

namespace coterie {

namespace detail {
class SupervisorState;
}

enum class Strategy : std::uint8_t {
  one_for_one,   // only the child that failed
  one_for_all,   // all: the others are stopped first
  rest_for_one,  // it and those started after it
};

/// When the end of significant children ends the supervisor (with reason shutdown).
enum class AutoShutdown : std::uint8_t { never, any_significant, all_significant };

struct SupervisorOptions {
  std::variant<std::monostate, LocalName, ViaName> name{};
  Strategy strategy = Strategy::one_for_one;
  /// More than max_restarts within max_seconds: it stops its children and exits with shutdown.
  std::size_t max_restarts = 3;
  Duration max_seconds = std::chrono::seconds(5);
  AutoShutdown auto_shutdown = AutoShutdown::never;
  std::string label{};
};

/// A supervisor's init: makes its children's specs, in the supervisor's own process, each time that
/// it starts. For what cannot be copied or must be made anew.
template <class F>
concept SupervisorInit = std::is_invocable_r_v<std::vector<ChildSpec>, F&>;

class Supervisor final : public GenServer {
 public:
  /// Starts the children in order. If one fails, those started are stopped in reverse and the
  /// reason is {shutdown,{failed_to_start_child,Id,Reason}}.
  static StartResult start_link(std::vector<ChildSpec> children, SupervisorOptions options = {});
  template <SupervisorInit Init>
  static StartResult start_link(Init init, SupervisorOptions options = {}) {
    return start_with(std::move(init), std::move(options), true);
  }
  /// The root of a tree: linked to nobody.
  static StartResult start(std::vector<ChildSpec> children, SupervisorOptions options = {});
  template <SupervisorInit Init>
  static StartResult start(Init init, SupervisorOptions options = {}) {
    return start_with(std::move(init), std::move(options), false);
  }
  /// The spec of a supervisor below another one.
  static ChildSpec child_spec(std::string id, std::vector<ChildSpec> children,
                              SupervisorOptions options = {});
  template <SupervisorInit Init>
  static ChildSpec child_spec(std::string id, Init init, SupervisorOptions options = {}) {
    return spec_with(std::move(id), std::move(init), std::move(options));
  }

  /// Elixir's child_spec/2: the spec with some of it changed.
  ///   Supervisor::child_spec(child<Cache>("cache", {}), {.restart = Restart::temporary})
  static ChildSpec child_spec(ChildSpec spec, ChildOverrides overrides);

  /// Functions cannot travel, so start_child works on this node only.
  static ChildResult<Pid> start_child(const ServerRef& supervisor, ChildSpec spec);
  static ChildResult<Pid> restart_child(const ServerRef& supervisor, const std::string& id);
  /// Of a stopped child.
  static ChildResult<void> delete_child(const ServerRef& supervisor, const std::string& id);
  /// Stops the child and keeps its spec, unless it is temporary.
  static ChildResult<void> terminate_child(const ServerRef& supervisor, const std::string& id);
  static ChildResult<std::vector<ChildInfo>> which_children(const ServerRef& supervisor);
  static ChildResult<ChildCount> count_children(const ServerRef& supervisor);
  /// That of a running temporary child has no start function any more: nothing will call it.
  static ChildResult<ChildSpec> get_childspec(const ServerRef& supervisor, const std::string& id);
  /// Nothing, or the first fault: a duplicate id, no start, a negative shutdown, a significant
  /// child that may not be one.
  static std::optional<ChildError> check_childspecs(std::span<const ChildSpec> specs,
                                                    AutoShutdown auto_shutdown);

  // The protocol. Not aggregates where they carry functions: those never leave the node.
  struct StartChild {
    using Reply = ChildResult<Pid>;
    explicit StartChild(ChildSpec s) : spec(std::move(s)) {}
    ChildSpec spec;
  };
  struct GetChildspec {
    using Reply = ChildResult<ChildSpec>;
    explicit GetChildspec(std::string i) : id(std::move(i)) {}
    std::string id;
  };
  struct RestartChild {
    using Reply = ChildResult<Pid>;
    static constexpr std::string_view type_name = "coterie.supervisor.restart_child";
    std::string id;
  };
  struct DeleteChild {
    using Reply = ChildResult<void>;
    static constexpr std::string_view type_name = "coterie.supervisor.delete_child";
    std::string id;
  };
  struct TerminateChild {
    using Reply = ChildResult<void>;
    static constexpr std::string_view type_name = "coterie.supervisor.terminate_child";
    std::string id;
  };
  struct WhichChildren {
    using Reply = std::vector<ChildInfo>;
    static constexpr std::string_view type_name = "coterie.supervisor.which_children";
  };
  struct CountChildren {
    using Reply = ChildCount;
    static constexpr std::string_view type_name = "coterie.supervisor.count_children";
  };
  struct TryAgain {
    std::string id;
  };
  using Calls = Messages<StartChild, GetChildspec, RestartChild, DeleteChild, TerminateChild,
                         WhichChildren, CountChildren>;
  using Casts = Messages<TryAgain>;
  using Infos = Messages<Exit, TryAgain>;
  using MakeChildren = std::function<std::vector<ChildSpec>()>;

  Supervisor(MakeChildren children, SupervisorOptions options);
  ~Supervisor();

  Init init();
  void terminate(const ExitReason& reason);
  ChildResult<Pid> handle_call(const StartChild& request);
  ChildResult<ChildSpec> handle_call(const GetChildspec& request);
  ChildResult<Pid> handle_call(const RestartChild& request);
  ChildResult<void> handle_call(const DeleteChild& request);
  ChildResult<void> handle_call(const TerminateChild& request);
  std::vector<ChildInfo> handle_call(const WhichChildren& request);
  ChildCount handle_call(const CountChildren& request);
  Next handle_cast(const TryAgain& request);
  Next handle_info(const Exit& exit);
  Next handle_info(const TryAgain& request) { return handle_cast(request); }
  /// What sys and crash reports show: strategy, intensity, counts, the first children.
  std::string format_status() const;

 private:
  static StartResult start_with(MakeChildren init, SupervisorOptions options, bool link);
  static ChildSpec spec_with(std::string id, MakeChildren init, SupervisorOptions options);

  MakeChildren children_;
  std::unique_ptr<detail::SupervisorState> state_;
};

}  // namespace coterie
