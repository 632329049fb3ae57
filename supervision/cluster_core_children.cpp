// Children of this instance: from a claimed row to a running process, and out again.

#include <algorithm>

#include "supervision/cluster_core.hpp"
#include "supervision/start_failure.hpp"
#include "supervision/strategy.hpp"

namespace coterie::detail {

using Code = ChildError::Code;
using Level = act::Note::Level;

namespace {

constexpr Duration wait_min = std::chrono::milliseconds(5);
constexpr Duration wait_max = std::chrono::seconds(1);
constexpr Duration retry_min = std::chrono::milliseconds(100);

bool is_fenced(const ExitReason& reason) {
  return reason.kind() == ExitReason::Kind::shutdown && reason.term() == "fenced";
}

}  // namespace

void ClusterCore::queue_start(const std::string& key, Child& child) {
  set_phase(child, Phase::queued);
  if (child.next) return proceed(key, child, *child.next);
  if (draining_) return proceed(key, child, Then::hand_over);
  start_queue_.push_back(key);
}

void ClusterCore::started(const std::string& key, Pid pid, Time now) {
  --starting_;
  Child& child = children_.at(key);
  set_pid(child, pid);
  set_phase(child, Phase::running);
  child.failures = child.waits = 0;
  ++totals_.started_total;
  if (child.request != 0) answer(std::exchange(child.request, 0), pid);
  const SpecRow& row = child.row.row;
  if (!row.tried.empty() || !row.suspect_in.empty()) {
    child.probation_end = now + options_.probation;
    wake_child(key, child.probation_end);
  }
  if (child.next) {
    proceed(key, child, *child.next);
  } else if (child.doomed) {
    begin_delete(key, child);
  } else if (draining_) {
    proceed(key, child, Then::hand_over);
  }
  pump(now);
}

void ClusterCore::start_failed(const std::string& key, const StartError& error, Time now) {
  --starting_;
  Child& child = children_.at(key);
  // What takes too long while this node holds no lease is held, as all its names are.
  const bool held = !active_ && error.reason == ExitReason::term("timeout");
  const bool undecided =
      held || error.code == StartError::Code::unavailable ||
      error.code == StartError::Code::already_started ||
      (error.code == StartError::Code::failed &&
       (error.reason.term() == data_unavailable_term || is_fenced(error.reason)));
  set_phase(child, Phase::waiting);
  if (child.next) {
    proceed(key, child, *child.next);
  } else if (child.request != 0) {
    // Nobody was told that it exists: it must not exist when the caller hears that it failed.
    child.failure = start_failure(error);
    if (undecided && error.code == StartError::Code::failed) {
      child.failure->code = Code::unavailable;
    }
    begin_delete(key, child);
  } else if (child.doomed || error.code == StartError::Code::ignored) {
    begin_delete(key, child);
  } else if (draining_) {
    proceed(key, child, Then::hand_over);
  } else if (undecided) {
    // Its name is still held, or its past cannot be read: wait, however long, start nothing empty.
    totals_.last_error = key + ": " + to_string(error);
    retry_later(key, child, wait_min, child.waits++, now);
  } else {
    const std::string why = to_string(start_reason(error));
    ++totals_.start_failures_total;
    totals_.last_error = key + ": " + why;
    note(Level::error, "start_error", key, why);
    if (++child.failures >= options_.local_tries) {
      give_up_here(key, child, why);
    } else {
      retry_later(key, child, retry_min, child.failures - 1, now);
    }
  }
  pump(now);
}

void ClusterCore::retry_later(const std::string& key, Child& child, Duration base, unsigned count,
                              Time now) {
  const Duration cap = base == wait_min ? wait_max : wait_max * 5;
  const Duration pause = std::min(cap, base * (Duration::rep{1} << std::min(count, 10u)));
  const auto jitter = random_.below(static_cast<std::uint64_t>(pause.count()) / 2 + 1);
  set_phase(child, Phase::waiting);
  child.retry_at = now + pause / 2 + Duration(static_cast<Duration::rep>(jitter));
  wake_child(key, child.retry_at);
}

void ClusterCore::give_up_here(const std::string& key, Child& child, std::string reason) {
  SpecRow& row = child.row.row;
  row.tried.push_back(options_.node);
  row.reason = std::move(reason);
  auto left = placement_.homes(*view_, options_.kind, key);
  std::erase_if(left, [&](const std::string& name) {
    return std::ranges::find(row.tried, name) != row.tried.end();
  });
  set_phase(child, Phase::leaving);
  if (left.empty()) {
    row.state = SpecState::failed;
    row.owner.clear();
    row.owner_id = NodeId::none;
    note(Level::error, "child failed on every node", key, row.reason);
  } else {
    row.owner = child.next_owner = left.front();
    row.owner_id = view_->find(left.front())->incarnation.id;
    note(Level::warning, "child gives up here, next " + left.front(), key, row.reason);
  }
  write_row(key, child, false);
}

void ClusterCore::exited(const std::string& key, const ExitReason& reason, Time now) {
  const auto found = children_.find(key);
  if (found == children_.end()) return;
  Child& child = found->second;
  set_pid(child, {});
  switch (child.phase) {
    case Phase::running:
      crashed(key, child, reason, now);
      break;
    case Phase::stopping:
      stopped(key, child);
      break;
    default:
      break;
  }
  pump(now);
}

void ClusterCore::crashed(const std::string& key, Child& child, const ExitReason& reason,
                          Time now) {
  if (is_fenced(reason)) {
    // This node is out. Its rows stay as they are: the others take them from here.
    fenced_ = true;
    active_ = false;
    return erase(key);
  }
  const ExitDecision decision = decide_exit(child.row.row.child.restart, reason);
  if (decision.report) note(Level::warning, "child_terminated", key, to_string(reason));
  if (decision.act != ExitDecision::Act::restart) return begin_delete(key, child);
  if (draining_) return proceed(key, child, Then::hand_over);

  std::erase_if(child.crashes, [&](Time at) { return now - at > options_.max_seconds; });
  child.crashes.push_back(now);
  if (child.crashes.size() > options_.max_restarts) {
    // One child that keeps failing is its own trouble, not that of the others here.
    for (const Time at : child.crashes) intensity_.forget(at);
    child.crashes.clear();
    return give_up_here(key, child, "reached_max_restart_intensity: " + to_string(reason));
  }
  if (!intensity_.add(now)) {
    note(Level::error, "reached_max_restart_intensity", key, to_string(reason));
    actions_.emplace_back(act::Escalate{key});
  }
  ++totals_.restarts_total;
  queue_start(key, child);
}

void ClusterCore::begin_delete(const std::string& key, Child& child) {
  // First the process, then the row: as long as there is a row, no other node starts that name.
  if (child.pid) return begin_stop(key, child, Then::remove);
  set_phase(child, Phase::deleting);
  write_row(key, child, true);
}

void ClusterCore::begin_stop(const std::string& key, Child& child, Then then) {
  set_phase(child, Phase::stopping);
  child.then = then;
  actions_.emplace_back(act::Stop{key});
}

void ClusterCore::proceed(const std::string& key, Child& child, Then then) {
  child.next.reset();
  if (child.pid) return begin_stop(key, child, then);
  set_phase(child, Phase::stopping);
  child.then = then;
  stopped(key, child);
}

void ClusterCore::stopped(const std::string& key, Child& child) {
  switch (child.then) {
    case Then::erase:
      return erase(key);
    case Then::remove:
      return begin_delete(key, child);
    case Then::hand_over:
      return hand_over(key, child);
    case Then::quarantine:
      return quarantine(key, child);
  }
}

void ClusterCore::hand_over(const std::string& key, Child& child) {
  const auto next = homes(child.row.row, true);
  // Nobody else can host it: its row stays ours and becomes an orphan when this node is gone.
  if (next.empty()) return erase(key);
  set_phase(child, Phase::leaving);
  child.next_owner = next.front();
  child.row.row.owner = next.front();
  child.row.row.owner_id = view_->find(next.front())->incarnation.id;
  write_row(key, child, true);
}

void ClusterCore::quarantine(const std::string& key, Child& child) {
  switch (child.phase) {
    case Phase::deleting:
    case Phase::leaving:
      return;
    case Phase::starting:
      child.next = Then::quarantine;
      return;
    case Phase::running:
      return begin_stop(key, child, Then::quarantine);
    default:
      break;
  }
  if (child.pid) {
    child.then = Then::quarantine;
    return;
  }
  set_phase(child, Phase::leaving);
  SpecRow& row = child.row.row;
  row.state = SpecState::quarantined;
  row.owner.clear();
  row.owner_id = NodeId::none;
  row.reason = "it was running when " + std::to_string(row.suspect_in.size()) + " nodes crashed";
  note(Level::error, "child quarantined", key, row.reason);
  write_row(key, child, true);
}

bool ClusterCore::suspect(SpecRow& row, NodeId node) const {
  if (std::ranges::find(row.suspect_in, node) == row.suspect_in.end()) {
    row.suspect_in.push_back(node);
  }
  return row.suspect_in.size() >= options_.quarantine_deaths;
}

void ClusterCore::leave(const std::string& key, Child& child) {
  row_gone(key);
  if (!child.next_owner.empty()) {
    ++totals_.handed_over_total;
    actions_.emplace_back(act::Adopt{child.next_owner, {key}});
  }
  erase(key);
}

void ClusterCore::erase(const std::string& key) {
  const auto found = children_.find(key);
  Child& child = found->second;
  const bool moved = child.phase == Phase::leaving;
  for (const RequestId request : child.terminations) {
    if (moved) {
      refuse(request, Code::unavailable, "it moved meanwhile");
    } else {
      answer(request, Pid{});
    }
  }
  if (child.request != 0) {
    answer(child.request, std::unexpected(child.failure.value_or(
                              ChildError{Code::starting, {}, {}, "it moved meanwhile"})));
  }
  if (child.in_handover) --handovers_;
  set_pid(child, {});
  --in_phase_[static_cast<std::size_t>(child.phase)];
  children_.erase(found);
}

void ClusterCore::set_pid(Child& child, Pid pid) {
  running_ += static_cast<bool>(pid);
  running_ -= static_cast<bool>(child.pid);
  child.pid = pid;
}

}  // namespace coterie::detail
