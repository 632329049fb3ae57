#pragma once
// What a local DynamicSupervisor keeps: one table by pid. A child that waits for its next try stays
// under the pid it had, as in Elixir. Lives in the supervisor's process. Made for millions: about
// 100 bytes for a child.

#include <coterie/dynamic_supervisor.hpp>

#include <unordered_map>

#include "supervision/child_shutdown.hpp"
#include "supervision/restart_backoff.hpp"
#include "supervision/restart_intensity.hpp"

namespace coterie::detail {

class DynamicSupervisorState {
 public:
  explicit DynamicSupervisorState(DynamicSupervisorOptions options);

  void stop_all();
  ChildResult<Pid> start_child(const ChildSpec& spec);
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
  /// What few children have.
  struct Extras {
    std::string id;
    Backoff backoff;
    RestartBackoff pauses;
    Time started{};
    Ref pause = Ref::none;  // the timer of a restart that waits
  };
  struct Child {
    explicit Child(const ChildSpec& spec);
    ChildSpec spec() const;              // for reports
    std::function<StartResult()> start;  // none of a temporary child: it is never called again
    Shutdown shutdown;
    Restart restart;
    ChildType type;
    bool restarting = false;
    std::unique_ptr<Extras> extras;
  };
  using Children = std::unordered_map<Pid, Child>;

  bool restart(Children::iterator child, bool ended);
  bool start_again(Children::iterator child);
  void erase(Children::iterator child);

  DynamicSupervisorOptions options_;
  RestartIntensity intensity_;
  std::string name_;
  Children children_;
};

}  // namespace coterie::detail
