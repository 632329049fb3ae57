#include "supervision/supervisor_state.hpp"

#include <algorithm>
#include <utility>

#include "process/process.hpp"
#include "process/runtime.hpp"
#include "supervision/child_report.hpp"
#include "supervision/child_shutdown.hpp"
#include "supervision/start_failure.hpp"
#include "supervision/status_text.hpp"

namespace coterie::detail {

using Code = ChildError::Code;
using Context = SupervisorReport::Context;

SupervisorState::SupervisorState(SupervisorOptions options)
    : options_(std::move(options)),
      intensity_(options_.max_restarts, options_.max_seconds),
      name_(own_name()) {}

// ---- the children

SupervisorState::Place SupervisorState::add(ChildSpec spec) {
  children_.emplace_back(std::move(spec));
  const Place added = std::prev(children_.end());
  by_id_.emplace(added->spec.id, added);
  return added;
}

void SupervisorState::erase(Place child) {
  set_stopped(*child);
  by_id_.erase(child->spec.id);
  children_.erase(child);
}

SupervisorState::Child* SupervisorState::find(const std::string& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

void SupervisorState::set_stopped(Child& child) {
  if (child.pid) by_pid_.erase(child.pid);
  if (child.pause != Ref::none) cancel_timer(std::exchange(child.pause, Ref::none));
  child.pid = {};
  child.state = ChildState::stopped;
}

StartResult SupervisorState::start(Child& child) {
  StartResult started = run_start(child.spec.start);
  if (started) {
    child.pid = *started;
    child.state = ChildState::running;
    child.started = current_process().runtime().clock().now();
    by_pid_.insert_or_assign(child.pid, by_id_.at(child.spec.id));
    // It is never started again: what the function holds, arguments above all, is given back.
    if (child.spec.restart == Restart::temporary) child.spec.start = nullptr;
    report_progress(name_, child.spec, child.pid);
  } else if (started.error().code == StartError::Code::ignored) {
    set_stopped(child);
  }
  return started;
}

void SupervisorState::stop(Child& child) {
  if (child.state == ChildState::running) {
    const auto wrong = shut_down(child.pid, child.spec.effective_shutdown(), child.spec.restart);
    if (wrong) report_supervisor(name_, Context::shutdown_error, *wrong, child.spec, child.pid);
  }
  set_stopped(child);
}

std::optional<ExitReason> SupervisorState::start_all(std::vector<ChildSpec> specs) {
  if (auto reason = bad_period(options_.max_seconds)) return reason;
  if (const auto fault = Supervisor::check_childspecs(specs, options_.auto_shutdown)) {
    return ExitReason::term("{bad_child_spec," + fault->detail + "}");
  }
  for (ChildSpec& spec : specs) {
    const Place child = add(std::move(spec));
    const auto started = start(*child);
    if (started) continue;
    if (started.error().code != StartError::Code::ignored) {
      const ExitReason reason = start_reason(started.error());
      const std::string id = child->spec.id;
      report_supervisor(name_, Context::start_error, reason, child->spec, {});
      stop_all();
      return ExitReason::shutdown("{failed_to_start_child," + id + "," + to_string(reason) + "}");
    }
    if (child->spec.restart == Restart::temporary) erase(child);
  }
  return std::nullopt;
}

void SupervisorState::stop_all() {
  for (auto child = children_.rbegin(); child != children_.rend(); ++child) stop(*child);
}

// ---- a child has ended

bool SupervisorState::child_exited(const Pid& pid, const ExitReason& reason) {
  const auto found = by_pid_.find(pid);
  // Whoever else links to a supervisor does not end it; its parent does, before this is called.
  if (found == by_pid_.end()) return true;
  const Place child = found->second;
  const ExitDecision decision = decide_exit(child->spec.restart, reason);
  if (decision.report) {
    report_supervisor(name_, Context::child_terminated, reason, child->spec, pid);
  }
  const Duration ran = current_process().runtime().clock().now() - child->started;
  set_stopped(*child);
  if (decision.act == ExitDecision::Act::restart) return restart(child, ran);

  const bool significant = child->spec.significant;
  if (decision.act == ExitDecision::Act::remove) erase(child);
  if (!significant) return true;
  const auto running = std::ranges::count_if(children_, [](const Child& other) {
    return other.spec.significant && other.state != ChildState::stopped;
  });
  return !decide_auto_shutdown(options_.auto_shutdown, true, static_cast<std::size_t>(running));
}

/// Stops and removes whom the strategy says, then calls `start` for those that start, in order,
/// while it returns true.
template <class Start>
void SupervisorState::plan_restart(Place failed, const Start& start) {
  if (options_.strategy == Strategy::one_for_one) {
    start(failed);
    return;
  }
  std::vector<Place> places;
  std::vector<ChildView> views;
  std::size_t index = 0;
  for (Place child = children_.begin(); child != children_.end(); ++child) {
    if (child == failed) index = places.size();
    places.push_back(child);
    views.push_back({child->spec.restart, child->state == ChildState::running});
  }
  const RestartPlan plan = decide_restart(options_.strategy, views, index);
  for (const std::size_t i : plan.stop) stop(*places[i]);
  for (const std::size_t i : plan.remove) erase(places[i]);
  for (const std::size_t i : plan.start) {
    if (!start(places[i])) return;
  }
}

bool SupervisorState::try_again(const std::string& id) {
  Child* child = find(id);
  // Deleted, or started by hand meanwhile: nothing is owed any more.
  if (child == nullptr || child->state != ChildState::restarting) return true;
  const Place place = by_id_.at(child->spec.id);
  if (child->pause == Ref::none) return restart(place, std::nullopt);
  child->pause = Ref::none;
  return start_again(place);
}

/// Counts the restart, stops whom the strategy says, and starts them, perhaps after a pause.
bool SupervisorState::restart(Place failed, std::optional<Duration> ran) {
  Runtime& runtime = current_process().runtime();
  if (!intensity_.add(runtime.clock().now())) {
    report_supervisor(name_, Context::shutdown, ExitReason::term("reached_max_restart_intensity"),
                      failed->spec, {});
    set_stopped(*failed);
    return false;
  }
  const Backoff& backoff = failed->spec.backoff;
  if (backoff.min <= Duration::zero()) return start_again(failed);
  // The siblings that go with it are stopped now: they do not run without it.
  plan_restart(failed, [](Place) { return false; });
  failed->state = ChildState::restarting;
  const Duration pause = failed->backoff.pause(backoff, ran, runtime.random().next());
  failed->pause = send_after(pause, self(), Supervisor::TryAgain{failed->spec.id});
  return true;
}

bool SupervisorState::start_again(Place failed) {
  plan_restart(failed, [this](Place child) {
    const auto started = start(*child);
    if (started || started.error().code == StartError::Code::ignored) return true;
    report_supervisor(name_, Context::start_error, start_reason(started.error()), child->spec, {});
    set_stopped(*child);
    child->state = ChildState::restarting;
    // Through the mailbox, so that requests which wait there are served between two tries.
    cast(self(), Supervisor::TryAgain{child->spec.id});
    return false;
  });
  return true;
}

// ---- requests

ChildResult<Pid> SupervisorState::start_child(const ChildSpec& spec) {
  if (auto fault = Supervisor::check_childspecs({&spec, 1}, options_.auto_shutdown)) {
    return std::unexpected(std::move(*fault));
  }
  if (const Child* there = find(spec.id)) {
    const bool running = there->state == ChildState::running;
    return std::unexpected(ChildError{running ? Code::already_started : Code::already_present,
                                      there->pid,
                                      {},
                                      there->state == ChildState::restarting ? "restarting" : ""});
  }
  const Place child = add(spec);
  const auto started = start(*child);
  if (started) return *started;
  const bool ignored = started.error().code == StartError::Code::ignored;
  if (!ignored) {
    report_supervisor(name_, Context::start_error, start_reason(started.error()), spec, {});
  }
  if (!ignored || spec.restart == Restart::temporary) erase(child);
  return std::unexpected(start_failure(started.error()));
}

ChildResult<Pid> SupervisorState::restart_child(const std::string& id) {
  Child* child = find(id);
  if (auto refusal = not_stopped(child, id)) return std::unexpected(std::move(*refusal));
  const auto started = start(*child);
  if (started) return *started;
  return std::unexpected(start_failure(started.error()));
}

ChildResult<void> SupervisorState::delete_child(const std::string& id) {
  const Child* child = find(id);
  if (auto refusal = not_stopped(child, id)) return std::unexpected(std::move(*refusal));
  erase(by_id_.at(child->spec.id));
  return {};
}

ChildResult<void> SupervisorState::terminate_child(const std::string& id) {
  Child* child = find(id);
  if (child == nullptr) return std::unexpected(ChildError{Code::not_found, {}, {}, id});
  stop(*child);
  if (child->spec.restart == Restart::temporary) erase(by_id_.at(child->spec.id));
  return {};
}

std::optional<ChildError> SupervisorState::not_stopped(const Child* child, const std::string& id) {
  if (child == nullptr) return ChildError{Code::not_found, {}, {}, id};
  switch (child->state) {
    case ChildState::running:
      return ChildError{Code::running, child->pid, {}, id};
    case ChildState::restarting:
      return ChildError{Code::restarting, {}, {}, id};
    case ChildState::stopped:
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<ChildInfo> SupervisorState::which_children(std::size_t most) const {
  std::vector<ChildInfo> rows;
  for (const auto& child : children_) {
    if (rows.size() == most) break;
    rows.push_back({child.spec.id, child.state, child.pid, child.spec.type, child.spec.restart});
  }
  return rows;
}

std::string SupervisorState::status_text() const {
  const std::string_view strategy = options_.strategy == Strategy::one_for_one   ? "one_for_one"
                                    : options_.strategy == Strategy::one_for_all ? "one_for_all"
                                                                                 : "rest_for_one";
  return supervisor_text(strategy, options_.max_restarts, options_.max_seconds, count_children(),
                         which_children(children_shown));
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
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::unexpected(ChildError{Code::not_found, {}, {}, id});
  return found->second->spec;
}

}  // namespace coterie::detail
