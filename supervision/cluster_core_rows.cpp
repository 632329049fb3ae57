// Rows of the store: which are mine, which are orphans, and what each write's outcome means.

#include <algorithm>

#include "supervision/cluster_core.hpp"

namespace coterie::detail {

using Code = ChildError::Code;
using Level = act::Note::Level;

namespace {

constexpr Duration storage_retry_min = std::chrono::milliseconds(50);
constexpr Duration storage_retry_max = std::chrono::seconds(2);
constexpr std::size_t ghosts_max = 65'536;
constexpr std::size_t unreadable_max = 4'096;  // told of one by one; all are counted

}  // namespace

void ClusterCore::scanned(std::optional<FoundRows> page, Time now) {
  if (!page) {
    end_scan(false, now);
    return pump(now);
  }
  const std::string next = std::move(page->next);
  note_unreadable(*page);
  see(*page);
  for (auto& found : page->rows) judge(std::move(found));
  if (next.empty()) {
    end_scan(true, now);
  } else if (scan_wanted_ && active_) {
    // A newer view: what has been judged in the older one is to be judged again, at once.
    scanning_ = false;
  } else {
    actions_.emplace_back(act::Scan{next});
  }
  pump(now);
}

void ClusterCore::see(const FoundRows& page) {
  const auto seen = [this](const std::string& key) {
    const auto child = children_.find(key);
    if (child != children_.end()) child->second.seen = scans_;
  };
  // Whoever runs with a row that was damaged since goes on.
  for (const auto& [key, why] : page.unreadable) seen(key);
  for (const auto& found : page.rows) {
    scan_failed_ += found.row.state == SpecState::failed;
    scan_quarantined_ += found.row.state == SpecState::quarantined;
    if (found.row.owner_id == options_.node_id) seen(found.key);
  }
  scan_unreadable_ += page.unreadable.size();
}

void ClusterCore::end_scan(bool complete, Time now) {
  scanning_ = false;
  const Duration took = now - scan_begun_;
  const auto jitter = Duration(static_cast<Duration::rep>(
      random_.below(static_cast<std::uint64_t>(options_.sweep.count()) / 4 + 1)));
  // A sweep costs at most a twentieth of the time, however many rows there are.
  next_sweep_ = now + jitter +
                (complete ? std::max(options_.sweep, took * 20)
                          : std::min(options_.sweep, storage_retry_max));
  if (complete) {
    totals_.failed = scan_failed_;
    totals_.quarantined = scan_quarantined_;
    totals_.unreadable = scan_unreadable_;
    forget_lost_children();
  }
  if (reads_ == 0) erased_.clear();
}

void ClusterCore::rows_read(FoundRows found, Time now) {
  --reads_;
  note_unreadable(found);
  for (auto& row : found.rows) judge(std::move(row));
  if (reads_ == 0 && !scanning_) erased_.clear();
  pump(now);
}

void ClusterCore::note_unreadable(const FoundRows& found) {
  for (const auto& [key, why] : found.unreadable) {
    if (unreadable_.size() >= unreadable_max || !unreadable_.insert(key).second) continue;
    note(Level::error, "child not started: its row cannot be read", key, why);
  }
}

void ClusterCore::judge(FoundRow&& found) {
  // Read before it was deleted here: what is there now, a later sweep will see.
  if (erased_.contains(found.key) && !mutations_.adopt_during_erase) return;
  const auto child = children_.find(found.key);
  const bool own = found.row.owner_id == options_.node_id;
  if (child != children_.end()) {
    if (child->second.writing) return;  // the outcome of that write decides
    if (own && found.version > child->second.row.version) {
      child->second.row.version = found.version;
    }
    return;  // a row that is not mine any more: forget_lost_children
  }
  if (own) {
    if (ghosts_.contains(found.row.claim)) {
      // An insert of mine whose answer was lost took effect after the child had been deleted.
      return enqueue({found.key, found.version, std::nullopt, 0, false}, false);
    }
    // While draining it stays as it is, and becomes an orphan when this node has left.
    if (found.row.state != SpecState::wanted || draining_ || fenced_) return;
    const std::string key = found.key;
    Child& mine = add_child(key);
    mine.row = std::move(found);
    mine.settled = scans_;
    return queue_start(key, mine);
  }
  const bool newer = found.row.view > view_->number && !mutations_.judge_newer_rows;
  if (newer || in_view(found.row.owner_id)) return;
  judge_orphan(std::move(found));
}

void ClusterCore::judge_orphan(FoundRow&& found) {
  if (!active_ || draining_ || found.row.state != SpecState::wanted) return;
  const auto candidates = homes(found.row, false);
  const bool at_home = !candidates.empty() && candidates.front() == options_.node;
  if (found.row.owner_id != NodeId::none) {
    const ClusterChild& spec = found.row.child;
    if (spec.on_node_down == OnNodeDown::temporary || spec.restart == Restart::temporary) {
      if (at_home) enqueue({found.key, found.version, std::nullopt, 0, false}, false);
      return;
    }
    if (spec.on_node_down == OnNodeDown::wait) {
      if (found.row.owner == options_.node) claim(std::move(found));
      return;
    }
  }
  if (at_home) claim(std::move(found));
}

void ClusterCore::claim(FoundRow&& found) {
  const std::string key = found.key;
  Child& child = add_child(key);
  child.row = std::move(found);
  SpecRow& row = child.row.row;
  child.claimed_from = row.owner_id;
  row.owner = options_.node;
  row.owner_id = options_.node_id;
  const auto report = death_reports_.find(child.claimed_from);
  if (report != death_reports_.end() && report->second.contains(key) &&
      suspect(row, child.claimed_from)) {
    return quarantine(key, child);
  }
  write_row(key, child, false);
}

void ClusterCore::forget_lost_children() {
  std::vector<std::string> lost;
  for (const auto& [key, child] : children_) {
    // Only a scan that began after the row became ours can miss it.
    if (!child.writing && child.settled < scans_ && child.seen < scans_) lost.push_back(key);
  }
  for (const auto& key : lost) row_lost(key, std::nullopt);
}

void ClusterCore::enqueue(RowWrite write, bool urgent, RequestId request, std::string home) {
  (urgent ? urgent_ : bulk_).push_back({std::move(write), request, std::move(home)});
}

void ClusterCore::row_gone(const std::string& key) {
  if (scanning_ || reads_ > 0) erased_.insert(key);
}

void ClusterCore::write_row(const std::string& key, Child& child, bool urgent) {
  if (child.writing) {
    child.dirty = true;
    return;
  }
  child.writing = true;
  if (child.phase == Phase::deleting) {
    return enqueue({key, child.row.version, std::nullopt, 0, false}, true);
  }
  child.row.row.view = view_->number;
  child.row.row.claim = random_.next();
  const bool any = mutations_.claim_without_compare && child.claimed_from != NodeId::none;
  enqueue({key, child.row.version, pack_row(child.row.row), child.row.row.claim, any}, urgent);
}

void ClusterCore::wrote(std::vector<RowResult> results, Time now) {
  auto pending = std::exchange(committing_, {});
  const bool lost = std::ranges::any_of(
      results, [](const RowResult& r) { return r.outcome == RowResult::Outcome::lost; });
  if (lost) {
    const auto pause =
        std::min(storage_retry_max,
                 storage_retry_min * (Duration::rep{1} << std::min(storage_failures_, 6u)));
    storage_retry_at_ = now + pause / 2 +
                        Duration(static_cast<Duration::rep>(
                            random_.below(static_cast<std::uint64_t>(pause.count()) / 2 + 1)));
    ++storage_failures_;
  } else {
    storage_failures_ = 0;
    storage_retry_at_ = {};
  }
  for (std::size_t i = pending.size(); i-- > 0;) {
    if (i < results.size() && results[i].outcome != RowResult::Outcome::lost) continue;
    // Tried again until the answer is certain; the compare-and-set makes that harmless.
    const auto child = children_.find(pending[i].write.key);
    if (pending[i].write.version == 0 && child != children_.end()) {
      child->second.doubtful_insert = pending[i].write.claim;
    }
    urgent_.push_front(std::move(pending[i]));
  }
  for (std::size_t i = 0; i < pending.size() && i < results.size(); ++i) {
    if (results[i].outcome == RowResult::Outcome::lost) continue;  // moved from, above
    settle_write(pending[i], results[i]);
  }
  pump(now);
}

void ClusterCore::settle_write(Pending& pending, RowResult& result) {
  const RowWrite& write = pending.write;
  // A refusal that finds what was to be written: an earlier try took effect, its answer was lost.
  const bool done =
      result.outcome == RowResult::Outcome::committed ||
      (write.value ? result.found && result.found->row.claim == write.claim : !result.found);
  if (result.found && done) result.version = result.found->version;
  if (pending.request != 0) {
    if (!write.value && done) row_gone(write.key);
    if (write.value && done && pending.home == options_.node) adopt({write.key});
    if (write.value && done && !pending.home.empty() && pending.home != options_.node) {
      actions_.emplace_back(act::Adopt{pending.home, {write.key}});
    }
    if (done) {
      answer(pending.request, Pid{});
    } else {
      refuse(pending.request, Code::unavailable, "its row changed meanwhile");
    }
    return;
  }
  const auto child = children_.find(write.key);
  if (child == children_.end()) return;
  child->second.writing = false;
  if (done) {
    row_committed(write.key, child->second, result.version);
  } else {
    row_lost(write.key, std::move(result.found));
  }
}

void ClusterCore::row_committed(const std::string& key, Child& child, std::uint64_t version) {
  child.row.version = version;
  child.settled = scans_;
  if (std::exchange(child.dirty, false)) return write_row(key, child, true);
  switch (child.phase) {
    case Phase::writing:
      if (child.claimed_from != NodeId::none) ++totals_.claimed_total;
      if (child.doomed) return begin_delete(key, child);
      return queue_start(key, child);
    case Phase::deleting:
      row_gone(key);
      if (child.doubtful_insert != 0 && ghosts_.size() < ghosts_max) {
        ghosts_.insert(child.doubtful_insert);
      }
      return erase(key);
    case Phase::leaving:
      return leave(key, child);
    case Phase::queued:
    case Phase::starting:
    case Phase::running:
    case Phase::waiting:
    case Phase::stopping:
      return;  // what a finished probation or a suspicion changed is stored
  }
}

void ClusterCore::row_lost(const std::string& key, std::optional<FoundRow> found) {
  Child& child = children_.at(key);
  child.dirty = false;
  if (found) {
    // The row lives on, as another's: it is not ended, whoever asked for that.
    for (const RequestId request : std::exchange(child.terminations, {})) {
      refuse(request, Code::unavailable, "it is on another node");
    }
  }
  const bool insert = child.row.version == 0 && child.request != 0;
  if (insert) {
    const RequestId request = std::exchange(child.request, 0);
    if (child.doubtful_insert != 0 && ghosts_.size() < ghosts_max) {
      ghosts_.insert(child.doubtful_insert);
    }
    const FoundRow* there = found ? &*found : nullptr;
    if (there == nullptr) {
      refuse(request, Code::unavailable, "its row was deleted meanwhile");
    } else if (there->row.state == SpecState::failed) {
      refuse(request, Code::failed, "release_child gives it another chance",
             ExitReason::term(there->row.reason));
    } else if (there->row.state == SpecState::quarantined) {
      refuse(request, Code::quarantined, "release_child gives it another chance");
    } else if (there->row.owner_id != options_.node_id && in_view(there->row.owner_id)) {
      actions_.emplace_back(act::Resolve{request, key});
    } else {
      refuse(request, Code::starting, "it is about to run");
    }
    erase(key);
    if (found) judge(std::move(*found));
    return;
  }
  switch (child.phase) {
    case Phase::writing:
    case Phase::deleting:
    case Phase::leaving:
      return erase(key);  // another claimed it, or it was deleted
    case Phase::queued:
    case Phase::waiting:
    case Phase::running:
      return proceed(key, child, Then::erase);
    case Phase::starting:
      child.next = Then::erase;
      return;
    case Phase::stopping:
      child.then = Then::erase;
      return;
  }
}

bool ClusterCore::in_view(NodeId node) const {
  return node != NodeId::none && view_->find(node) != nullptr;
}

std::vector<std::string> ClusterCore::homes(const SpecRow& row, bool without_me) const {
  auto all = placement_.homes(*view_, options_.kind, row.child.key);
  if (without_me) std::erase(all, options_.node);
  auto untried = all;
  std::erase_if(untried, [&](const std::string& name) {
    return std::ranges::find(row.tried, name) != row.tried.end();
  });
  return untried.empty() ? all : untried;
}

}  // namespace coterie::detail
