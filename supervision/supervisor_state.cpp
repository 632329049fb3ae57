#include "supervision/supervisor_state.hpp"

#include <algorithm>

#include "process/process.hpp"
#include "process/runtime.hpp"
#include "supervision/child_report.hpp"
#include "supervision/child_shutdown.hpp"
#include "supervision/start_failure.hpp"

namespace coterie::detail {

using Code = ChildError::Code;
using Context = SupervisorReport::Context;

SupervisorState::SupervisorState(std::vector<ChildSpec> specs, SupervisorOptions options)
    : options_(std::move(options)),
      intensity_(options_.max_restarts, options_.max_seconds),
      name_(own_name()) {
  children_.reserve(specs.size());
  for (auto& spec : specs) children_.push_back({std::move(spec), {}, ChildState::stopped});
}

std::optional<ExitReason> SupervisorState::start_all() {
  std::vector<ChildSpec> specs;
  for (const auto& child : children_) specs.push_back(child.spec);
  if (const auto fault = Supervisor::check_childspecs(specs, options_.auto_shutdown)) {
    return ExitReason::term("{bad_child_spec," + fault->detail + "}");
  }
  for (std::size_t i = 0; i < children_.size();) {
    const auto started = start(children_[i]);
    if (!started && started.error().code != StartError::Code::ignored) {
      const ExitReason reason = start_reason(started.error());
      const std::string id = children_[i].spec.id;
      report_supervisor(name_, Context::start_error, reason, children_[i].spec, {});
      stop_all();
      return ExitReason::shutdown("{failed_to_start_child," + id + "," + to_string(reason) + "}");
    }
    if (!started && children_[i].spec.restart == Restart::temporary) {
      erase(i);
    } else {
      ++i;
    }
  }
  return std::nullopt;
}

void SupervisorState::stop_all() {
  for (auto child = children_.rbegin(); child != children_.rend(); ++child) stop(*child);
}

StartResult SupervisorState::start(Child& child) {
  StartResult started = child.spec.start();
  if (started) {
    child.pid = *started;
    child.state = ChildState::running;
    report_progress(name_, child.spec, child.pid);
  } else if (started.error().code == StartError::Code::ignored) {
    child.pid = {};
    child.state = ChildState::stopped;
  }
  return started;
}

void SupervisorState::stop(Child& child) {
  if (child.state == ChildState::running) {
    const auto wrong = shut_down(child.pid, child.spec.effective_shutdown(), child.spec.restart);
    if (wrong) report_supervisor(name_, Context::shutdown_error, *wrong, child.spec, child.pid);
  }
  child.pid = {};
  child.state = ChildState::stopped;
}

bool SupervisorState::child_exited(const Pid& pid, const ExitReason& reason) {
  const auto found = std::ranges::find(children_, pid, &Child::pid);
  // Whoever else links to a supervisor does not end it; its parent does, before this is called.
  if (!pid || found == children_.end()) return true;
  const auto index = static_cast<std::size_t>(found - children_.begin());
  const ExitDecision decision = decide_exit(found->spec.restart, reason);
  if (decision.report) {
    report_supervisor(name_, Context::child_terminated, reason, found->spec, pid);
  }
  found->pid = {};
  found->state = ChildState::stopped;
  if (decision.act == ExitDecision::Act::restart) return restart(index);

  const bool significant = found->spec.significant;
  if (decision.act == ExitDecision::Act::remove) erase(index);
  const auto running = std::ranges::count_if(children_, [](const Child& child) {
    return child.spec.significant && child.state != ChildState::stopped;
  });
  return !decide_auto_shutdown(options_.auto_shutdown, significant,
                               static_cast<std::size_t>(running));
}

bool SupervisorState::try_again(const std::string& id) {
  const std::size_t index = find(id);
  // Deleted, or started by hand meanwhile: nothing is owed any more.
  if (index == children_.size() || children_[index].state != ChildState::restarting) return true;
  return restart(index);
}

bool SupervisorState::restart(std::size_t failed) {
  if (!intensity_.add(current_process().runtime().clock().now())) {
    report_supervisor(name_, Context::child_terminated,
                      ExitReason::term("reached_max_restart_intensity"), children_[failed].spec,
                      {});
    children_[failed].state = ChildState::stopped;
    return false;
  }
  std::vector<ChildView> views;
  for (const auto& child : children_) {
    views.push_back({child.spec.restart, child.state == ChildState::running});
  }
  const RestartPlan plan = decide_restart(options_.strategy, views, failed);
  for (const std::size_t index : plan.stop) stop(children_[index]);

  for (const std::size_t index : plan.start) {
    Child& child = children_[index];
    const auto started = start(child);
    if (started || started.error().code == StartError::Code::ignored) continue;
    report_supervisor(name_, Context::start_error, start_reason(started.error()), child.spec, {});
    child.pid = {};
    child.state = ChildState::restarting;
    // Through the mailbox, so that requests which wait there are served between two tries.
    cast(self(), Supervisor::TryAgain{child.spec.id});
    break;
  }
  for (auto index = plan.remove.rbegin(); index != plan.remove.rend(); ++index) erase(*index);
  return true;
}

std::size_t SupervisorState::find(const std::string& id) const {
  const auto found =
      std::ranges::find_if(children_, [&](const Child& child) { return child.spec.id == id; });
  return static_cast<std::size_t>(found - children_.begin());
}

ChildResult<Pid> SupervisorState::start_child(const ChildSpec& spec) {
  const std::size_t index = find(spec.id);
  if (index != children_.size()) {
    const Child& there = children_[index];
    if (there.state == ChildState::running) {
      return std::unexpected(ChildError{Code::already_started, there.pid, {}, {}});
    }
    return std::unexpected(ChildError{Code::already_present, {}, {}, {}});
  }
  if (auto fault = Supervisor::check_childspecs({&spec, 1}, options_.auto_shutdown)) {
    return std::unexpected(std::move(*fault));
  }
  Child child{spec, {}, ChildState::stopped};
  const auto started = start(child);
  const bool ignored = !started && started.error().code == StartError::Code::ignored;
  if (started || (ignored && spec.restart != Restart::temporary)) {
    children_.push_back(std::move(child));
  }
  if (started) return *started;
  if (!ignored) {
    report_supervisor(name_, Context::start_error, start_reason(started.error()), spec, {});
  }
  return std::unexpected(start_failure(started.error()));
}

ChildResult<Pid> SupervisorState::restart_child(const std::string& id) {
  const std::size_t index = find(id);
  if (index == children_.size()) return std::unexpected(ChildError{Code::not_found, {}, {}, id});
  Child& child = children_[index];
  if (child.state == ChildState::running) {
    return std::unexpected(ChildError{Code::running, child.pid, {}, id});
  }
  if (child.state == ChildState::restarting) {
    return std::unexpected(ChildError{Code::restarting, {}, {}, id});
  }
  const auto started = start(child);
  if (started) return *started;
  return std::unexpected(start_failure(started.error()));
}

ChildResult<void> SupervisorState::delete_child(const std::string& id) {
  const std::size_t index = find(id);
  if (index == children_.size()) return std::unexpected(ChildError{Code::not_found, {}, {}, id});
  const Child& child = children_[index];
  if (child.state == ChildState::running) {
    return std::unexpected(ChildError{Code::running, child.pid, {}, id});
  }
  if (child.state == ChildState::restarting) {
    return std::unexpected(ChildError{Code::restarting, {}, {}, id});
  }
  erase(index);
  return {};
}

ChildResult<void> SupervisorState::terminate_child(const std::string& id) {
  const std::size_t index = find(id);
  if (index == children_.size()) return std::unexpected(ChildError{Code::not_found, {}, {}, id});
  stop(children_[index]);
  if (children_[index].spec.restart == Restart::temporary) erase(index);
  return {};
}

std::vector<ChildInfo> SupervisorState::which_children() const {
  std::vector<ChildInfo> rows;
  for (const auto& child : children_) {
    rows.push_back({child.spec.id, child.state, child.pid, child.spec.type, child.spec.restart});
  }
  return rows;
}

ChildCount SupervisorState::count_children() const {
  ChildCount count;
  count.specs = children_.size();
  for (const auto& child : children_) {
    if (child.state == ChildState::running) ++count.active;
    ++(child.spec.type == ChildType::supervisor ? count.supervisors : count.workers);
  }
  return count;
}

ChildResult<ChildSpec> SupervisorState::get_childspec(const std::string& id) const {
  const std::size_t index = find(id);
  if (index == children_.size()) return std::unexpected(ChildError{Code::not_found, {}, {}, id});
  return children_[index].spec;
}

}  // namespace coterie::detail
