#pragma once
// What a Supervisor keeps: its children in start order, and what it does with them. Lives in the
// supervisor's process and blocks it while a child starts or stops.

#include <coterie/supervisor.hpp>

#include "supervision/restart_intensity.hpp"
#include "supervision/strategy.hpp"

namespace coterie::detail {

class SupervisorState {
 public:
  SupervisorState(std::vector<ChildSpec> specs, SupervisorOptions options);

  /// Starts all in order; the reason for which the supervisor must not start, or nothing.
  std::optional<ExitReason> start_all();
  void stop_all();

  ChildResult<Pid> start_child(const ChildSpec& spec);
  ChildResult<Pid> restart_child(const std::string& id);
  ChildResult<void> delete_child(const std::string& id);
  ChildResult<void> terminate_child(const std::string& id);
  std::vector<ChildInfo> which_children() const;
  ChildCount count_children() const;
  ChildResult<ChildSpec> get_childspec(const std::string& id) const;

  /// False: the supervisor must exit with shutdown.
  bool child_exited(const Pid& pid, const ExitReason& reason);
  bool try_again(const std::string& id);

 private:
  struct Child {
    ChildSpec spec;
    Pid pid;
    ChildState state = ChildState::stopped;
  };

  std::size_t find(const std::string& id) const;  // children_.size(): none
  StartResult start(Child& child);                // sets pid and state when it worked
  void stop(Child& child);
  bool restart(std::size_t index);
  bool remove_ended(std::size_t index);
  void erase(std::size_t index) { children_.erase(children_.begin() + std::ptrdiff_t(index)); }

  SupervisorOptions options_;
  RestartIntensity intensity_;
  std::string name_;  // for reports
  std::vector<Child> children_;
};

}  // namespace coterie::detail
