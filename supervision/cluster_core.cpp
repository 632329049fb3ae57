#include "supervision/cluster_core.hpp"

#include <algorithm>

namespace coterie::detail {

using Code = ChildError::Code;

namespace {

constexpr std::size_t pending_requests_max = 16'384;
constexpr std::size_t death_reports_max = 16;

}  // namespace

ClusterCore::ClusterCore(ClusterOptions options, const Placement& placement, Random& random)
    : options_(std::move(options)),
      placement_(placement),
      random_(random),
      intensity_(options_.max_restarts, options_.max_seconds) {
  totals_.supervisor = options_.supervisor;
  totals_.node = options_.node;
}

void ClusterCore::view_installed(std::shared_ptr<const View> view, bool active, Time now) {
  if (view && view->number > view_->number) {
    bool lost = false;
    for (const auto& [name, member] : view_->members) {
      lost |= !member.draining && view->find(member.incarnation.id) == nullptr;
    }
    view_ = std::move(view);
    // The loss of nodes is one restart event, however many children they had; by itself it never
    // ends an instance, because stopping healthy children brings no node back.
    if (lost) intensity_.add(now);
    scan_wanted_ = true;
  }
  tick(active, now);
}

void ClusterCore::tick(bool active, Time now) {
  const bool was_active = std::exchange(active_, active && in_view(options_.node_id) && !fenced_);
  if (active_ && (!was_active || now >= next_sweep_)) scan_wanted_ = true;
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string key = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    const auto found = children_.find(key);
    if (found == children_.end()) continue;
    Child& child = found->second;
    if (child.phase == Phase::waiting && child.retry_at <= now) queue_start(key, child);
    if (child.phase == Phase::running && child.probation_end <= now) {
      child.probation_end = Time::max();
      child.row.row.tried.clear();
      child.row.row.suspect_in.clear();
      child.row.row.reason.clear();
      write_row(key, child, false);
    }
  }
  pump(now);
}

void ClusterCore::start_request(RequestId request, ClusterChild wanted, Time now) {
  const auto found = children_.find(wanted.key);
  if (found != children_.end()) {
    switch (found->second.phase) {
      case Phase::running:
        answer(request, std::unexpected(ChildError{Code::already_started, found->second.pid}));
        break;
      case Phase::writing:
      case Phase::queued:
      case Phase::starting:
      case Phase::waiting:
        refuse(request, Code::starting, "it is about to run");
        break;
      case Phase::deleting:
      case Phase::stopping:
      case Phase::leaving:
        refuse(request, Code::unavailable, "it is being stopped");
        break;
    }
    return;
  }
  if (draining_) return refuse(request, Code::unavailable, "this node is draining");
  if (!active_) return refuse(request, Code::unavailable, "this node holds no lease");
  if (children_.size() >= options_.max_children) return refuse(request, Code::max_children);
  if (urgent_.size() >= pending_requests_max) {
    return refuse(request, Code::unavailable, "too many requests wait for storage");
  }
  std::string key = wanted.key;
  Child& child = add_child(key);
  child.row.key = key;
  child.row.row.child = std::move(wanted);
  child.row.row.owner = options_.node;
  child.row.row.owner_id = options_.node_id;
  child.request = request;
  write_row(key, child, true);
  pump(now);
}

bool ClusterCore::terminate_request(RequestId request, const std::string& key, Time now) {
  const auto found = children_.find(key);
  if (found == children_.end()) return false;
  Child& child = found->second;
  switch (child.phase) {
    case Phase::writing:
    case Phase::starting:
      child.doomed = true;
      child.terminations.push_back(request);
      break;
    case Phase::queued:
    case Phase::waiting:
    case Phase::running:
      child.terminations.push_back(request);
      begin_delete(key, child);
      break;
    case Phase::deleting:
      child.terminations.push_back(request);
      break;
    case Phase::stopping:
      if (child.then == Then::remove) {
        child.terminations.push_back(request);
        break;
      }
      [[fallthrough]];
    case Phase::leaving:
      refuse(request, Code::unavailable, "it is moving");
      break;
  }
  pump(now);
  return true;
}

void ClusterCore::terminate_orphan(RequestId request, FoundRow row, Time now) {
  if (children_.contains(row.key)) {
    return refuse(request, Code::unavailable, "it has just been taken over");
  }
  enqueue({row.key, row.version, std::nullopt, 0, false}, true, request);
  pump(now);
}

void ClusterCore::release_request(RequestId request, FoundRow row, Time now) {
  if (row.row.state == SpecState::wanted) {
    return refuse(request, Code::not_found, "it is neither failed nor quarantined");
  }
  row.row.state = SpecState::wanted;
  row.row.owner.clear();
  row.row.owner_id = NodeId::none;
  row.row.tried.clear();
  row.row.suspect_in.clear();
  row.row.reason.clear();
  row.row.view = view_->number;
  row.row.claim = random_.next();
  const std::uint64_t claim = row.row.claim;
  const auto next = homes(row.row, false);
  enqueue({row.key, row.version, pack_row(row.row), claim, false}, true, request,
          next.empty() ? std::string() : next.front());
  pump(now);
}

void ClusterCore::node_died(NodeId node, const std::vector<std::string>& running, Time now) {
  if (death_reports_.contains(node)) return;
  death_order_.push_back(node);
  death_reports_[node].insert(running.begin(), running.end());
  if (death_order_.size() > death_reports_max) {
    death_reports_.erase(death_order_.front());
    death_order_.pop_front();
  }
  // The report may come after the claim.
  for (const auto& key : running) {
    const auto found = children_.find(key);
    if (found == children_.end() || found->second.claimed_from != node) continue;
    Child& child = found->second;
    if (suspect(child.row.row, node)) {
      quarantine(key, child);
    } else if (child.phase != Phase::deleting) {
      write_row(key, child, false);
    }
  }
  pump(now);
}

void ClusterCore::adopt(std::vector<std::string> keys) {
  ++reads_;
  actions_.emplace_back(act::Read{std::move(keys)});
}

void ClusterCore::drain(Time deadline, Time now) {
  if (!draining_) {
    draining_ = true;
    for (const auto& [key, child] : children_) drain_queue_.push_back(key);
  }
  drain_deadline_ = deadline;
  drained_ = false;
  pump(now);
}

ClusterCore::Child& ClusterCore::add_child(const std::string& key) {
  const auto [child, added] = children_.try_emplace(key);
  in_phase_[static_cast<std::size_t>(child->second.phase)] += added;
  return child->second;
}

void ClusterCore::set_phase(Child& child, Phase phase) {
  --in_phase_[static_cast<std::size_t>(child.phase)];
  ++in_phase_[static_cast<std::size_t>(phase)];
  child.phase = phase;
}

void ClusterCore::pump(Time now) {
  while (active_ && !draining_ && starting_ < options_.starts_in_flight && !start_queue_.empty()) {
    const std::string key = std::move(start_queue_.front());
    start_queue_.pop_front();
    const auto found = children_.find(key);
    if (found == children_.end() || found->second.phase != Phase::queued) continue;
    set_phase(found->second, Phase::starting);
    ++starting_;
    actions_.emplace_back(act::Start{key, found->second.row.row.child.args});
  }
  if (draining_) pump_drain(now);
  if (committing_.empty() && now >= storage_retry_at_ && !(urgent_.empty() && bulk_.empty())) {
    act::Write write;
    while (write.writes.size() < options_.rows_per_commit && !(urgent_.empty() && bulk_.empty())) {
      auto& queue = urgent_.empty() ? bulk_ : urgent_;
      write.writes.push_back(queue.front().write);
      committing_.push_back(std::move(queue.front()));
      queue.pop_front();
    }
    actions_.emplace_back(std::move(write));
  }
  if (scan_wanted_ && !scanning_ && active_) {
    scan_wanted_ = false;
    scanning_ = true;
    next_sweep_ = Time::max();  // set again when this one is done
    scan_begun_ = now;
    scan_failed_ = scan_quarantined_ = scan_unreadable_ = 0;
    ++scans_;
    actions_.emplace_back(act::Scan{});
  }
}

void ClusterCore::pump_drain(Time now) {
  if (drained_) return;
  while (handovers_ < options_.handovers_in_flight && !drain_queue_.empty() &&
         now < drain_deadline_) {
    const std::string key = std::move(drain_queue_.front());
    drain_queue_.pop_front();
    const auto found = children_.find(key);
    if (found == children_.end()) continue;
    Child& child = found->second;
    // What is in between moves on its own: every path back to a start leads to a handover.
    const bool movable = child.phase == Phase::running || child.phase == Phase::queued ||
                         child.phase == Phase::waiting;
    if (!movable) continue;
    child.in_handover = true;
    ++handovers_;
    proceed(key, child, Then::hand_over);
  }
  if (children_.empty() || now >= drain_deadline_) {
    drained_ = true;
    actions_.emplace_back(act::Drained{children_.size()});
  }
}

std::vector<Action> ClusterCore::take() { return std::exchange(actions_, {}); }

Time ClusterCore::next_wake() const {
  Time wake = Time::max();
  if (!due_.empty()) wake = due_.begin()->first;
  if (active_) wake = std::min(wake, next_sweep_);
  if (committing_.empty() && !(urgent_.empty() && bulk_.empty())) {
    wake = std::min(wake, storage_retry_at_);
  }
  if (draining_ && !drained_) wake = std::min(wake, drain_deadline_);
  return wake;
}

ClusterStatus ClusterCore::status() const {
  ClusterStatus status = totals_;
  status.running = running_;
  status.starting = starting_;
  const auto in = [this](Phase phase) { return in_phase_[static_cast<std::size_t>(phase)]; };
  status.waiting = in(Phase::writing) + in(Phase::queued) + in(Phase::waiting);
  status.stopping = in(Phase::deleting) + in(Phase::stopping) + in(Phase::leaving);
  status.writes_pending = urgent_.size() + bulk_.size() + committing_.size();
  status.draining = draining_;
  status.active = active_;
  return status;
}

std::vector<ChildInfo> ClusterCore::children() const {
  std::vector<ChildInfo> rows;
  rows.reserve(children_.size());
  for (const auto& [key, child] : children_) {
    rows.push_back({key, child.pid ? ChildState::running : ChildState::restarting, child.pid,
                    ChildType::worker, child.row.row.child.restart});
  }
  return rows;
}

void ClusterCore::answer(RequestId request, ChildResult<Pid> result) {
  if (request != 0) actions_.emplace_back(act::Answer{request, std::move(result)});
}

void ClusterCore::refuse(RequestId request, ChildError::Code code, std::string detail,
                         ExitReason reason) {
  answer(request, std::unexpected(ChildError{code, {}, std::move(reason), std::move(detail)}));
}

void ClusterCore::note(act::Note::Level level, std::string text, const std::string& key,
                       std::string why) {
  actions_.emplace_back(act::Note{level, std::move(text), key, std::move(why)});
}

}  // namespace coterie::detail
