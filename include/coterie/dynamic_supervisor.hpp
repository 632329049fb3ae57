#pragma once
// DynamicSupervisor: children that come and go, each on its own (one_for_one, no ids, no order).
// Elixir's DynamicSupervisor. One of cluster scope spans the cluster: every node whose
// configuration lists a kind runs an instance of the supervisor named as the kind, and ClusterChild
// says what is to run; see docs/supervision.md.
//
// Made for millions of children: a start and an end are O(1), and a child that is never restarted
// keeps nothing of its spec but how it is stopped. Where Elixir has extra_arguments, a function
// that makes the spec captures them.
//
//   DynamicSupervisor::start_link({.name = local("carts"), .max_children = 10'000});
//   DynamicSupervisor::start_child(local("carts"), child<Cart>("", {}, customer));
//   DynamicSupervisor::start_child(local("contracts"), ClusterChild{.key = id, .args =
//   pack(terms)});

#include <limits>
#include <vector>

#include <coterie/child_spec.hpp>
#include <coterie/cluster_child.hpp>
#include <coterie/supervisor.hpp>

namespace coterie {

namespace detail {
class DynamicSupervisorState;
}

struct DynamicSupervisorOptions {
  std::variant<std::monostate, LocalName, ViaName> name{};
  std::size_t max_children = std::numeric_limits<std::size_t>::max();
  std::size_t max_restarts = 3;
  Duration max_seconds = std::chrono::seconds(5);
  std::string label{};
};

class DynamicSupervisor final : public GenServer {
 public:
  static StartResult start_link(DynamicSupervisorOptions options = {});
  static StartResult start(DynamicSupervisorOptions options = {});
  /// The spec of a dynamic supervisor below a Supervisor.
  static ChildSpec child_spec(std::string id, DynamicSupervisorOptions options = {});

  /// O(1). Errors: max_children, ignored (nothing is kept), start_failed, already_started, bad_spec
  /// (no start, a negative shutdown, significant). Its id is not used, and only shown in reports.
  static ChildResult<Pid> start_child(const ServerRef& supervisor, ChildSpec spec);
  /// Waits until the child has ended.
  static ChildResult<void> terminate_child(const ServerRef& supervisor, const Pid& child);
  static ChildResult<std::vector<ChildInfo>> which_children(const ServerRef& supervisor);
  static ChildResult<ChildCount> count_children(const ServerRef& supervisor);

  /// Cluster scope. `supervisor` is an instance: local(name) on a node that hosts the kind, or
  /// at(name, node). The child starts where placement says. Tries again, until `timeout`, what
  /// certainly was not done and may be later. Two starts of one key: one wins, the other gets
  /// already_started with the pid.
  static ChildResult<Pid> start_child(const ServerRef& supervisor, ClusterChild child,
                                      Duration timeout = default_call_timeout);
  /// Stops the child wherever it is, and forgets its spec.
  static ChildResult<void> terminate_child(const ServerRef& supervisor, const std::string& key,
                                           Duration timeout = default_call_timeout);
  /// Gives a failed or quarantined child another chance.
  static ChildResult<void> release_child(const ServerRef& supervisor, const std::string& key,
                                         Duration timeout = default_call_timeout);

  struct StartChild {
    using Reply = ChildResult<Pid>;
    explicit StartChild(ChildSpec s) : spec(std::move(s)) {}
    mutable ChildSpec spec;  // the supervisor takes it out and keeps it
  };
  struct TerminateChild {
    using Reply = ChildResult<void>;
    static constexpr std::string_view type_name = "coterie.dynamic_supervisor.terminate_child";
    Pid child;
  };
  struct WhichChildren {
    using Reply = std::vector<ChildInfo>;
    static constexpr std::string_view type_name = "coterie.dynamic_supervisor.which_children";
  };
  struct CountChildren {
    using Reply = ChildCount;
    static constexpr std::string_view type_name = "coterie.dynamic_supervisor.count_children";
  };
  struct TryAgain {
    Pid child;  // as it was called before it failed
  };
  // Supervisor's questions too, as in Elixir.
  using Calls = Messages<StartChild, TerminateChild, WhichChildren, CountChildren,
                         Supervisor::WhichChildren, Supervisor::CountChildren>;
  using Casts = Messages<TryAgain>;
  using Infos = Messages<Exit, TryAgain>;

  explicit DynamicSupervisor(DynamicSupervisorOptions options);
  ~DynamicSupervisor();

  Init init();
  void terminate(const ExitReason& reason);
  ChildResult<Pid> handle_call(const StartChild& request);
  ChildResult<void> handle_call(const TerminateChild& request);
  std::vector<ChildInfo> handle_call(const WhichChildren& request);
  ChildCount handle_call(const CountChildren& request);
  std::vector<ChildInfo> handle_call(const Supervisor::WhichChildren&) {
    return handle_call(WhichChildren{});
  }
  ChildCount handle_call(const Supervisor::CountChildren&) { return handle_call(CountChildren{}); }
  Next handle_cast(const TryAgain& request);
  Next handle_info(const Exit& exit);
  Next handle_info(const TryAgain& request) { return handle_cast(request); }
  /// What sys and crash reports show: intensity, counts, some of the children.
  std::string format_status() const;

 private:
  std::unique_ptr<detail::DynamicSupervisorState> state_;
};

}  // namespace coterie
