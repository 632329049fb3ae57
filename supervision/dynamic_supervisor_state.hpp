#pragma once
// What a local DynamicSupervisor keeps: one table by pid. A child that waits for its next try stays
// under the pid it had, as in Elixir. Lives in the supervisor's process.

#include <coterie/dynamic_supervisor.hpp>

#include "supervision/child_shutdown.hpp"
#include "supervision/dynamic_children.hpp"
#include "supervision/restart_intensity.hpp"

namespace coterie::detail {

class DynamicSupervisorState {
 public:
  explicit DynamicSupervisorState(DynamicSupervisorOptions options);

  /// Why it must not start, or nothing.
  std::optional<ExitReason> fault() const { return bad_period(options_.max_seconds); }

  void stop_all();
  ChildResult<Pid> start_child(ChildSpec&& spec);
  ChildResult<void> terminate_child(const Pid& pid);
  std::vector<ChildInfo> which_children(std::size_t most = SIZE_MAX) const;
  /// It runs, or waits for its next try.
  bool has(const Pid& pid) const { return children_.contains(pid); }
  std::size_t size() const noexcept { return children_.size(); }
  std::string status_text() const;
  ChildCount count_children() const;
  /// False: the supervisor must exit with shutdown.
  bool child_exited(const Pid& pid, const ExitReason& reason);
  bool try_again(const Pid& pid);

 private:
  Pid pid_of(const DynamicChild& child) const noexcept;
  bool restart(DynamicChild& child, bool ended);
  bool start_again(DynamicChild& child);
  void erase(DynamicChild& child);

  DynamicSupervisorOptions options_;
  RestartIntensity intensity_;
  std::string name_;
  DynamicChildren children_;
};

}  // namespace coterie::detail
