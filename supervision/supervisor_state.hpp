#pragma once
// What a Supervisor keeps: its children in start order, and what it does with them. Lives in the
// supervisor's process and blocks it while a child starts or stops. The end of a child that is
// restarted alone is O(1), whatever the number of children and of restarts.

#include <coterie/supervisor.hpp>

#include <list>
#include <string_view>
#include <unordered_map>

#include "supervision/restart_backoff.hpp"
#include "supervision/restart_intensity.hpp"
#include "supervision/strategy.hpp"

namespace coterie::detail {

class SupervisorState {
 public:
  explicit SupervisorState(SupervisorOptions options);

  /// Starts all in order; the reason for which the supervisor must not start, or nothing.
  std::optional<ExitReason> start_all(std::vector<ChildSpec> specs);
  void stop_all();

  ChildResult<Pid> start_child(const ChildSpec& spec);
  ChildResult<Pid> restart_child(const std::string& id);
  ChildResult<void> delete_child(const std::string& id);
  ChildResult<void> terminate_child(const std::string& id);
  std::vector<ChildInfo> which_children(std::size_t most = SIZE_MAX) const;
  std::string status_text() const;
  ChildCount count_children() const;
  ChildResult<ChildSpec> get_childspec(const std::string& id) const;

  /// False: the supervisor must exit with shutdown.
  bool child_exited(const Pid& pid, const ExitReason& reason);
  bool try_again(const std::string& id);

 private:
  struct Child {
    explicit Child(ChildSpec s) : spec(std::move(s)) {}
    ChildSpec spec;
    Pid pid{};
    ChildState state = ChildState::stopped;
    Time started{};
    RestartBackoff backoff{};
    Ref pause = Ref::none;  // the timer of a restart that waits
  };
  using Children = std::list<Child>;
  using Place = Children::iterator;

  Place add(ChildSpec spec);
  void erase(Place child);
  Child* find(const std::string& id);
  StartResult start(Child& child);  // sets pid and state when it worked
  void stop(Child& child);
  void set_stopped(Child& child);
  static std::optional<ChildError> not_stopped(const Child* child, const std::string& id);
  template <class Start>
  void plan_restart(Place failed, const Start& start);
  bool restart(Place failed, std::optional<Duration> ran);
  bool start_again(Place failed);

  SupervisorOptions options_;
  RestartIntensity intensity_;
  std::string name_;  // for reports
  Children children_;
  std::unordered_map<std::string_view, Place> by_id_;
  std::unordered_map<Pid, Place> by_pid_;
};

}  // namespace coterie::detail
