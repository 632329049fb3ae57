#pragma once
// Children for tests of supervisors on virtual time, and what a test asks of a supervisor.

#include <coterie/supervisor.hpp>

#include <algorithm>
#include <memory>

namespace coterie::test {

using Ids = std::vector<std::string>;

inline StartResult sleeper() {
  return spawn_link([] { sleep(infinity); });
}
inline StartResult deaf() {
  return spawn_link([] { sleep(infinity); }, {.trap_exit = true});
}
inline StartResult ignored() {
  return std::unexpected(StartError{StartError::Code::ignored, {}, {}, {}});
}
inline ChildSpec spec_of(std::string id, std::function<StartResult()> start,
                         ChildOverrides overrides = {}) {
  ChildSpec spec;
  spec.id = std::move(id);
  spec.start = std::move(start);
  return Supervisor::child_spec(std::move(spec), std::move(overrides));
}
/// Starts the first time, and fails as often as it says after that.
inline std::function<StartResult()> fails_again(int times) {
  return [times, starts = std::make_shared<int>(0)]() -> StartResult {
    if (const int start = (*starts)++; start == 0 || start > times) return sleeper();
    return std::unexpected(StartError{StartError::Code::failed, {}, ExitReason::term("no"), {}});
  };
}

/// The ids of its children, with what is to be said of those that do not run.
inline Ids ids(const Pid& supervisor) {
  Ids found;
  const auto rows = Supervisor::which_children(supervisor).value();
  for (const ChildInfo& row : rows) {
    found.push_back(row.id + (row.state == ChildState::running      ? ""
                              : row.state == ChildState::restarting ? " restarting"
                                                                    : " stopped"));
  }
  return found;
}
inline Pid child_of(const Pid& supervisor, const std::string& id) {
  const auto rows = Supervisor::which_children(supervisor).value();
  const auto found = std::ranges::find(rows, id, &ChildInfo::id);
  return found == rows.end() ? Pid{} : found->pid;
}
/// Sends the exit signal and waits for the end; its reason.
inline ExitReason end(const Pid& pid, ExitReason reason) {
  const Ref ref = monitor(pid);
  exit(pid, std::move(reason));
  return receive_down(ref, std::chrono::seconds(60))->reason;
}

}  // namespace coterie::test
