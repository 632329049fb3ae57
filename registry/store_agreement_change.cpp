// What a member does on its own account: renew, read, and propose views.

#include <algorithm>
#include <utility>

#include "registry/record_codec.hpp"
#include "registry/store_agreement.hpp"

namespace coterie {

void StoreAgreement::proceed() {
  if (member_ && !leaving_ && now_ >= next_renewal_ && !outstanding(Operation::Kind::renew)) {
    send_renewal();
  }
  if ((read_wanted_ || now_ >= next_scan_) && !outstanding(Operation::Kind::scan)) send_scan();
  propose();
  if (!departed_) set_timer();
}

void StoreAgreement::send_renewal() {
  next_renewal_ = now_ + options_.timing.interval;
  Transaction renewal;
  if (options_.protections.row_present) renewal.conditions.push_back({own_row_, std::nullopt});
  renewal.conditions.push_back({own_evict_, 0});
  renewal.writes.push_back({own_row_, own_lease_row()});
  renewal.durable = false;  // a power cut ends every lease anyway
  actions_.push_back(CommitStore{issue(Operation::Kind::renew), std::move(renewal)});
}

void StoreAgreement::send_scan() {
  read_wanted_ = false;
  next_scan_ = now_ + options_.timing.interval;
  actions_.push_back(ScanStore{issue(Operation::Kind::scan), "agreement/"});
}

void StoreAgreement::propose() {
  const bool read = last_answer_ != Time::min();
  if (!read || !view_known_ || outstanding(Operation::Kind::change)) return;
  if (member_) {
    propose_change();
  } else if (leaving_) {
    depart({.kind = Departure::Kind::left, .why = "left before it was a member"});
  } else if (refused_to_join()) {
    return;
  } else if (its_turn_to_join()) {
    propose_join();
  } else if (!asking_.contains(own_request_)) {
    send_request();
  }
}

void StoreAgreement::propose_change() {
  const Member* own = own_entry();
  const auto goes = [&](const auto& entry) {
    return &entry.second == own ? leaving_ : removable(entry.second);
  };
  const bool drains = drain_wanted_ && !leaving_ && !own->draining;
  const bool none = !leaving_ && !somebody_ends();
  if (!drains && (none || std::ranges::none_of(view_.members, goes))) {
    if (!propose_eviction()) clear_requests();
    return;
  }
  View next = view_;
  ++next.number;
  Transaction transaction{.conditions = {view_condition(), {own_row_, std::nullopt}},
                          .writes = {{}}};
  for (const auto& entry : view_.members) {
    if (goes(entry)) remove(next, transaction, entry.second);
  }
  if (drains) next.members[own->name].draining = true;
  take_in(next, transaction);
  send_change(std::move(transaction), std::move(next));
}

// A member outside the largest connected group for too long is refused its renewals, so that its
// silence removes it as any other; one that is back inside in time gets them again.
bool StoreAgreement::propose_eviction() {
  if (evictions_.empty() && outside_.empty()) return false;
  if (!group_.contains(options_.self.name)) return false;
  for (const auto& [name, member] : view_.members) {
    const std::string key = evict_key(name, member.incarnation);
    const bool refused = evictions_.contains(key);
    const auto outside = outside_.find(rows_.at(name).key);
    const bool refuse =
        outside != outside_.end() && now_ - outside->second.since > options_.timing.partial_evict;
    if (refuse == refused || (refused && outside != outside_.end())) continue;
    Transaction transaction{.conditions = {view_condition(), {own_row_, std::nullopt}},
                            .writes = {{key, std::nullopt}}};
    if (refuse) transaction.writes[0].value = Bytes("refused");
    actions_.push_back(Notice{(refuse ? "refuses the renewals of " : "renewals again for ") + name +
                              ": largest connected group"});
    send_change(std::move(transaction), std::nullopt);
    return true;
  }
  return false;
}

/// Rows are renewed all the time, and what they say of others hardly ever changes.
void StoreAgreement::learn_report(Row& row, const Bytes& value) {
  if (row.value == value) return;
  row.value = value;
  std::optional<LeaseRow> read = decode_lease(value);
  std::optional<HeardReport> heard = read ? std::move(read->heard) : std::nullopt;
  if (heard == row.heard) return;
  row.heard = std::move(heard);
  reports_changed_ = true;
}

void StoreAgreement::learn_connectivity(const std::vector<Record>& records) {
  evictions_.clear();
  for (const Record& record : records) {
    if (record.key.starts_with("agreement/evict/")) evictions_.insert(record.key);
  }
  // While hundreds of links come up, each look at who hears whom finds much to search.
  const bool soon =
      group_.size() != view_.members.size() && now_ < group_at_ + options_.timing.length / 4;
  if (reports_changed_ && !soon) {
    reports_changed_ = false;
    group_at_ = now_;
    group_ = largest_connected_group(view_, options_.configured, [this](const Member& member) {
      const auto& heard = rows_.at(member.name).heard;
      return heard ? &*heard : nullptr;
    });
  }
  if (group_.size() == view_.members.size()) return outside_.clear();
  for (const auto& [name, row] : rows_) {
    if (group_.contains(name)) {
      outside_.erase(row.key);
      continue;
    }
    Outside& outside = outside_.try_emplace(row.key, Outside{now_}).first->second;
    // The links of a newcomer are told of after it is in: only what stays is worth a line.
    if (outside.told || now_ - outside.since < options_.timing.length) continue;
    outside.told = true;
    actions_.push_back(Notice{name + " is outside the largest connected group"});
  }
}

Bytes StoreAgreement::own_lease_row() const {
  LeaseRow row{.incarnation = options_.self.incarnation, .heard = std::nullopt};
  if (heard_) row.heard = report_of(view_, options_.self.name, *heard_);
  return encode_lease(row);
}

Transaction::Condition StoreAgreement::view_condition() const {
  if (!options_.protections.view_unchanged && view_version_ != 0) return {view_key(), std::nullopt};
  return {view_key(), view_version_};
}

void StoreAgreement::remove(View& next, Transaction& transaction, const Member& member) const {
  const std::string row = lease_key(member.name, member.incarnation);
  const bool by_silence = !is_self(member) && !confirmed_dead(member);
  if (by_silence && options_.protections.counter_unchanged) {
    transaction.conditions.push_back({row, watched_version(row)});
  }
  transaction.writes.push_back({row, std::nullopt});
  transaction.writes.push_back({evict_key(member.name, member.incarnation), std::nullopt});
  std::uint64_t& stone = next.tombstones[member.name];
  stone = std::max(stone, member.incarnation.counter);
  next.members.erase(member.name);
}

std::uint64_t StoreAgreement::watched_version(const std::string& row) const {
  const auto watch = watches_.find(row);
  return watch == watches_.end() ? 0 : watch->second.version;
}

bool StoreAgreement::confirmed_dead(const Member& member) const {
  if (member.name == options_.self.name && options_.predecessor_dead &&
      member.incarnation.counter < options_.self.incarnation.counter) {
    return true;
  }
  return std::ranges::find(dead_, member.incarnation) != dead_.end();
}

Duration StoreAgreement::silence_wait() const {
  const LeaseTiming& timing = options_.timing;
  if (!options_.protections.lease_waited_out) return timing.length / 4;
  return options_.protections.drift_margin ? timing.others_wait() : timing.length;
}

// Whether some other member may be removable: at each step of a cluster of hundreds nobody is.
bool StoreAgreement::somebody_ends() const {
  const Duration wait = silence_wait();
  return std::ranges::any_of(
             watches_, [&](const auto& watch) { return now_ - watch.second.since >= wait; }) ||
         std::ranges::any_of(
             dead_, [&](const Incarnation& dead) { return view_.find(dead.id) != nullptr; });
}

bool StoreAgreement::removable(const Member& member) const {
  if (is_self(member)) return false;
  if (confirmed_dead(member)) return true;
  const auto watch = watches_.find(rows_.at(member.name).key);
  if (watch == watches_.end()) return false;
  const LeaseTiming& timing = options_.timing;
  if (options_.protections.restart_wait) {
    // Without a recent answer of the store, silence may be the store's.
    if (now_ - last_answer_ > timing.late_limit()) return false;
    for (const auto& [id, operation] : operations_) {
      if (now_ - operation.issued > timing.late_limit()) return false;
    }
  }
  return now_ - watch->second.since >= silence_wait();
}

// A dead incarnation's last statements may still commit, so one change proves no life.
bool StoreAgreement::seen_alive(const Member& member) const {
  const auto watch = watches_.find(rows_.at(member.name).key);
  constexpr unsigned changes_of_the_living = 3;
  return watch != watches_.end() && watch->second.changes >= changes_of_the_living;
}

void StoreAgreement::send_change(Transaction transaction, std::optional<View> next) {
  if (next) {
    transaction.writes[0] = {view_key(), encode_view(*next)};
  }
  proposed_ = std::move(next);
  actions_.push_back(CommitStore{issue(Operation::Kind::change), std::move(transaction)});
}

void StoreAgreement::set_timer() {
  Time next = Time::max();
  auto sooner = [&](Time at) {
    if (at > now_) next = std::min(next, at);
  };
  if (member_ && !leaving_ && !outstanding(Operation::Kind::renew)) sooner(next_renewal_);
  if (!outstanding(Operation::Kind::scan)) sooner(next_scan_);
  if (state_ == NodeState::active) sooner(lease_end_);
  if (!outstanding(Operation::Kind::change)) {
    for (const auto& [row, watch] : watches_) sooner(watch.since + options_.timing.others_wait());
  }
  if (next == timer_ && timer_ > now_) return;
  timer_ = next;
  if (next != Time::max()) actions_.push_back(SetTimer{next});
}

}  // namespace coterie
