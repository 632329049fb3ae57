#pragma once
// What a local DynamicSupervisor keeps: one table by pid. A child that waits for its next try stays
// under the pid it had, as in Elixir. Lives in the supervisor's process.

#include <coterie/dynamic_supervisor.hpp>

#include <unordered_map>

#include "supervision/restart_intensity.hpp"

namespace coterie::detail {

class DynamicSupervisorState {
 public:
  explicit DynamicSupervisorState(DynamicSupervisorOptions options);

  void stop_all();
  ChildResult<Pid> start_child(const ChildSpec& spec);
  ChildResult<void> terminate_child(const Pid& pid);
  std::vector<ChildInfo> which_children() const;
  ChildCount count_children() const;
  /// False: the supervisor must exit with shutdown.
  bool child_exited(const Pid& pid, const ExitReason& reason);
  bool try_again(const Pid& pid);

 private:
  struct Child {
    std::unique_ptr<const ChildSpec> spec;
    bool restarting = false;
  };
  using Children = std::unordered_map<Pid, Child>;

  bool restart(Children::iterator child);

  DynamicSupervisorOptions options_;
  RestartIntensity intensity_;
  std::string name_;
  Children children_;
};

}  // namespace coterie::detail
