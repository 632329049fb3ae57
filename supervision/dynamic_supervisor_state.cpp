#include "supervision/dynamic_supervisor_state.hpp"

#include <algorithm>

#include "process/process.hpp"
#include "process/runtime.hpp"
#include "supervision/child_report.hpp"
#include "supervision/child_shutdown.hpp"
#include "supervision/start_failure.hpp"
#include "supervision/status_text.hpp"
#include "supervision/strategy.hpp"

namespace coterie::detail {

using Code = ChildError::Code;
using Context = SupervisorReport::Context;

DynamicSupervisorState::DynamicSupervisorState(DynamicSupervisorOptions options)
    : options_(std::move(options)),
      intensity_(options_.max_restarts, options_.max_seconds),
      name_(own_name()) {}

Pid DynamicSupervisorState::pid_of(const DynamicChild& child) const noexcept {
  return child.pid(current_process().runtime().node());
}

void DynamicSupervisorState::erase(DynamicChild& child) {
  const auto* extras = children_.extras(child);
  if (extras != nullptr && extras->pause != Ref::none) cancel_timer(extras->pause);
  children_.erase(child);
}

void DynamicSupervisorState::stop_all() {
  std::vector<Ending> endings;
  endings.reserve(children_.size());
  for (const DynamicChild& child : children_) {
    if (child.restarting) continue;
    endings.push_back({pid_of(child), children_.shutdown(child), child.restart, {}});
  }
  shut_down_all(endings);
  for (const auto& ending : endings) {
    if (!ending.wrong) continue;
    report_supervisor(name_, Context::shutdown_error, *ending.wrong,
                      children_.spec(*children_.find(ending.child)), ending.child);
  }
  children_.clear();
}

ChildResult<Pid> DynamicSupervisorState::start_child(ChildSpec&& spec) {
  if (!spec.start) {
    return std::unexpected(ChildError{Code::bad_spec, {}, {}, "no start function"});
  }
  if (children_.size() >= options_.max_children) {
    return std::unexpected(ChildError{Code::max_children, {}, {}, {}});
  }
  const StartResult started = run_start(spec.start);
  if (!started) {
    if (started.error().code != StartError::Code::ignored) {
      report_supervisor(name_, Context::start_error, start_reason(started.error()), spec, {});
    }
    return std::unexpected(start_failure(started.error()));
  }
  report_progress(name_, spec, *started);
  children_.add(*started, std::move(spec));
  return *started;
}

ChildResult<void> DynamicSupervisorState::terminate_child(const Pid& pid) {
  DynamicChild* child = children_.find(pid);
  if (child == nullptr) return std::unexpected(ChildError{Code::not_found, pid, {}, {}});
  if (!child->restarting) {
    const auto wrong = shut_down(pid, children_.shutdown(*child), child->restart);
    if (wrong)
      report_supervisor(name_, Context::shutdown_error, *wrong, children_.spec(*child), pid);
  }
  erase(*child);
  return {};
}

std::vector<ChildInfo> DynamicSupervisorState::which_children(std::size_t most) const {
  std::vector<ChildInfo> rows;
  rows.reserve(std::min(most, children_.size()));
  for (const DynamicChild& child : children_) {
    if (rows.size() == most) break;
    rows.push_back({{},
                    child.restarting ? ChildState::restarting : ChildState::running,
                    child.restarting ? Pid{} : pid_of(child),
                    child.type,
                    child.restart});
  }
  return rows;
}

std::string DynamicSupervisorState::status_text() const {
  // Counting goes through all of them: not for a look at a million.
  ChildCount count;
  count.specs = count.active = children_.size();
  if (children_.size() <= children_shown) count = count_children();
  return supervisor_text("dynamic", options_.max_restarts, options_.max_seconds, count,
                         which_children(children_shown));
}

ChildCount DynamicSupervisorState::count_children() const {
  ChildCount count;
  count.specs = children_.size();
  for (const DynamicChild& child : children_) {
    if (!child.restarting) ++count.active;
    ++(child.type == ChildType::supervisor ? count.supervisors : count.workers);
  }
  return count;
}

bool DynamicSupervisorState::child_exited(const Pid& pid, const ExitReason& reason) {
  DynamicChild* child = children_.find(pid);
  if (child == nullptr || child->restarting) return true;
  const ExitDecision decision = decide_exit(child->restart, reason);
  if (decision.report) {
    report_supervisor(name_, Context::child_terminated, reason, children_.spec(*child), pid);
  }
  if (decision.act == ExitDecision::Act::restart) return restart(*child, true);
  erase(*child);
  return true;
}

bool DynamicSupervisorState::try_again(const Pid& pid) {
  DynamicChild* child = children_.find(pid);
  if (child == nullptr || !child->restarting) return true;
  auto* extras = children_.extras(*child);
  if (extras == nullptr || extras->pause == Ref::none) return restart(*child, false);
  extras->pause = Ref::none;
  return start_again(*child);
}

/// Counts the restart and starts the child again, perhaps after a pause.
bool DynamicSupervisorState::restart(DynamicChild& child, bool ended) {
  Runtime& runtime = current_process().runtime();
  const Time now = runtime.clock().now();
  if (!intensity_.add(now)) {
    report_supervisor(name_, Context::shutdown, ExitReason::term("reached_max_restart_intensity"),
                      children_.spec(child), pid_of(child));
    erase(child);
    return false;
  }
  DynamicChild::Extras* extras = children_.extras(child);
  if (extras == nullptr || extras->backoff.min <= Duration::zero()) return start_again(child);
  const Duration pause = extras->pauses.pause(
      extras->backoff, ended ? std::optional(now - extras->started) : std::nullopt,
      runtime.random().next());
  child.restarting = true;
  extras->pause = send_after(pause, self(), DynamicSupervisor::TryAgain{pid_of(child)});
  return true;
}

bool DynamicSupervisorState::start_again(DynamicChild& child) {
  const Pid old = pid_of(child);
  const StartResult started = run_start(child.start);
  if (started) {
    report_progress(name_, children_.spec(child), *started);
    children_.rename(child, *started);
    child.restarting = false;
    if (auto* extras = children_.extras(child)) {
      extras->started = current_process().runtime().clock().now();
    }
  } else if (started.error().code == StartError::Code::ignored) {
    erase(child);
  } else {
    report_supervisor(name_, Context::start_error, start_reason(started.error()),
                      children_.spec(child), old);
    child.restarting = true;
    // Through the mailbox, so that requests which wait there are served between two tries.
    cast(self(), DynamicSupervisor::TryAgain{old});
  }
  return true;
}

}  // namespace coterie::detail
