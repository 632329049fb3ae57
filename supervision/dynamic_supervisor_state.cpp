#include "supervision/dynamic_supervisor_state.hpp"

#include "process/process.hpp"
#include "process/runtime.hpp"
#include "supervision/child_report.hpp"
#include "supervision/child_shutdown.hpp"
#include "supervision/start_failure.hpp"
#include "supervision/strategy.hpp"

namespace coterie::detail {

using Code = ChildError::Code;
using Context = SupervisorReport::Context;

DynamicSupervisorState::DynamicSupervisorState(DynamicSupervisorOptions options)
    : options_(std::move(options)),
      intensity_(options_.max_restarts, options_.max_seconds),
      name_(own_name()) {}

void DynamicSupervisorState::stop_all() {
  std::vector<Ending> endings;
  endings.reserve(children_.size());
  for (const auto& [pid, child] : children_) {
    if (!child.restarting) {
      endings.push_back({pid, child.spec->effective_shutdown(), child.spec->restart, {}});
    }
  }
  shut_down_all(endings);
  for (const auto& ending : endings) {
    if (!ending.wrong) continue;
    const ChildSpec& spec = *children_.at(ending.child).spec;
    report_supervisor(name_, Context::shutdown_error, *ending.wrong, spec, ending.child);
  }
  children_.clear();
}

ChildResult<Pid> DynamicSupervisorState::start_child(const ChildSpec& spec) {
  if (!spec.start) {
    return std::unexpected(ChildError{Code::bad_spec, {}, {}, "no start function"});
  }
  if (children_.size() >= options_.max_children) {
    return std::unexpected(ChildError{Code::max_children, {}, {}, {}});
  }
  const StartResult started = spec.start();
  if (!started) {
    if (started.error().code != StartError::Code::ignored) {
      report_supervisor(name_, Context::start_error, start_reason(started.error()), spec, {});
    }
    return std::unexpected(start_failure(started.error()));
  }
  children_.emplace(*started, Child{std::make_unique<const ChildSpec>(spec), false});
  report_progress(name_, spec, *started);
  return *started;
}

ChildResult<void> DynamicSupervisorState::terminate_child(const Pid& pid) {
  const auto child = children_.find(pid);
  if (child == children_.end()) return std::unexpected(ChildError{Code::not_found, pid, {}, {}});
  if (!child->second.restarting) {
    const ChildSpec& spec = *child->second.spec;
    const auto wrong = shut_down(pid, spec.effective_shutdown(), spec.restart);
    if (wrong) report_supervisor(name_, Context::shutdown_error, *wrong, spec, pid);
  }
  children_.erase(pid);
  return {};
}

std::vector<ChildInfo> DynamicSupervisorState::which_children() const {
  std::vector<ChildInfo> rows;
  rows.reserve(children_.size());
  for (const auto& [pid, child] : children_) {
    rows.push_back({{},
                    child.restarting ? ChildState::restarting : ChildState::running,
                    child.restarting ? Pid{} : pid,
                    child.spec->type,
                    child.spec->restart});
  }
  return rows;
}

ChildCount DynamicSupervisorState::count_children() const {
  ChildCount count;
  count.specs = children_.size();
  for (const auto& [pid, child] : children_) {
    if (!child.restarting) ++count.active;
    ++(child.spec->type == ChildType::supervisor ? count.supervisors : count.workers);
  }
  return count;
}

bool DynamicSupervisorState::child_exited(const Pid& pid, const ExitReason& reason) {
  const auto child = children_.find(pid);
  if (child == children_.end() || child->second.restarting) return true;
  const ChildSpec& spec = *child->second.spec;
  const ExitDecision decision = decide_exit(spec.restart, reason);
  if (decision.report) report_supervisor(name_, Context::child_terminated, reason, spec, pid);
  if (decision.act == ExitDecision::Act::restart) return restart(child);
  children_.erase(child);
  return true;
}

bool DynamicSupervisorState::try_again(const Pid& pid) {
  const auto child = children_.find(pid);
  if (child == children_.end() || !child->second.restarting) return true;
  return restart(child);
}

bool DynamicSupervisorState::restart(Children::iterator child) {
  const Pid old = child->first;
  const ChildSpec& spec = *child->second.spec;
  if (!intensity_.add(current_process().runtime().clock().now())) {
    report_supervisor(name_, Context::child_terminated,
                      ExitReason::term("reached_max_restart_intensity"), spec, old);
    children_.erase(child);
    return false;
  }
  const StartResult started = spec.start();
  if (started) {
    report_progress(name_, spec, *started);
    auto moved = children_.extract(child);
    moved.key() = *started;
    moved.mapped().restarting = false;
    children_.insert(std::move(moved));
  } else if (started.error().code == StartError::Code::ignored) {
    children_.erase(child);
  } else {
    report_supervisor(name_, Context::start_error, start_reason(started.error()), spec, old);
    child->second.restarting = true;
    // Through the mailbox, so that requests which wait there are served between two tries.
    cast(self(), DynamicSupervisor::TryAgain{old});
  }
  return true;
}

}  // namespace coterie::detail
