#include "registry/store_agreement.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "registry/record_codec.hpp"

namespace coterie {
namespace {

const std::string prefix = "agreement/";

std::string row_key(std::string_view kind, std::string_view name, const Incarnation& incarnation) {
  std::string key = prefix;
  key.append(kind).append(1, '/').append(name).append(1, '/');
  return key + std::to_string(incarnation.counter) + '-' + to_string(incarnation.id);
}

const Record* find(const std::vector<Record>& records, std::string_view key) {
  auto record = std::ranges::find(records, key, &Record::key);
  return record == records.end() ? nullptr : &*record;
}

}  // namespace

std::string StoreAgreement::view_key() { return prefix + "view"; }
std::string StoreAgreement::lease_key(std::string_view name, const Incarnation& incarnation) {
  return row_key("lease", name, incarnation);
}
std::string StoreAgreement::evict_key(std::string_view name, const Incarnation& incarnation) {
  return row_key("evict", name, incarnation);
}
std::string StoreAgreement::join_key(std::string_view name, const Incarnation& incarnation) {
  return row_key("join", name, incarnation);
}

StoreAgreement::StoreAgreement(AgreementOptions options)
    : options_(std::move(options)),
      own_row_(lease_key(options_.self.name, options_.self.incarnation)),
      own_evict_(evict_key(options_.self.name, options_.self.incarnation)),
      own_request_(join_key(options_.self.name, options_.self.incarnation)) {}

std::vector<StoreAgreement::Action> StoreAgreement::step(Time now, const Event& event) {
  now_ = std::max(now_, now);
  actions_.clear();
  if (departed_) return {};
  check_state();
  std::visit([this](const auto& what) { on(what); }, event);
  if (started_ && !departed_) proceed();
  return std::exchange(actions_, {});
}

void StoreAgreement::on(const Start&) {
  started_ = true;
  actions_.push_back(ChangeState{state_, "reads the view"});
}

void StoreAgreement::on(const ConfirmDeath& death) {
  if (death.incarnation == options_.self.incarnation) return;
  if (std::ranges::find(dead_, death.incarnation) != dead_.end()) return;
  constexpr std::size_t remembered_max = 1024;
  if (dead_.size() == remembered_max) dead_.pop_front();
  dead_.push_back(death.incarnation);
}

// The lease ends before anybody may see this node gone: a renewal under way makes no new one.
void StoreAgreement::on(const Leave&) {
  if (std::exchange(leaving_, true)) return;
  end_lease();
  check_state();
}

void StoreAgreement::on(const Heard& heard) { heard_ = heard.members; }

void StoreAgreement::on(const Scanned& scanned) {
  if (operations_.erase(scanned.id) == 0) return;
  if (!scanned.records) {
    restart_waits();
    return;
  }
  const Time previous = std::exchange(last_answer_, now_);
  const bool gap = previous != Time::min() && now_ - previous > options_.timing.late_limit();
  const std::vector<Record>& records = *scanned.records;
  if (!learn_view(find(records, view_key())) || departed_) return;
  std::unordered_map<std::string_view, const Record*> by_key(records.size());
  for (const Record& record : records) by_key.emplace(record.key, &record);
  for (auto& [name, row] : rows_) {
    const auto found = by_key.find(row.key);
    const Record* const record = found != by_key.end() ? found->second : nullptr;
    learn_row(row.key, record != nullptr ? record->version : 0);
    learn_report(row, record != nullptr ? record->value : Bytes());
  }
  learn_requests(records);
  learn_connectivity(records);
  forget_removed();
  if (gap || late(scanned.started)) restart_waits();
}

void StoreAgreement::on(const Committed& committed) {
  auto operation = operations_.extract(committed.id);
  if (operation.empty()) return;
  // Somebody who cannot write now may have the same trouble as the store's other users, so nobody
  // is to be taken for silent.
  if (!committed.result || late(committed.started)) restart_waits();
  if (operation.mapped().kind == Operation::Kind::renew) {
    renewed(committed.started, committed.result);
  } else {
    changed(committed.started, committed.result);
  }
}

void StoreAgreement::renewed(Time started, const StorageResult<TransactionResult>& result) {
  const bool unknown = !result;
  if (unknown ? !options_.protections.confirmed_only : result->committed) {
    extend_lease((options_.protections.from_sending ? started : now_) + own_lease());
  } else if (!unknown && !leaving_) {
    read_wanted_ = true;
    if (!find(result->found, own_row_)) {
      not_in_view("its lease row is gone");
    } else {
      actions_.push_back(Notice{"renewals are refused: outside the largest connected group"});
    }
  }
}

void StoreAgreement::changed(Time started, const StorageResult<TransactionResult>& result) {
  const std::optional<View> proposed = std::exchange(proposed_, std::nullopt);
  const bool requested = std::exchange(requested_, false);
  if (!result) {  // may have happened, may still happen
    view_known_ = false;
    read_wanted_ = true;
  } else if (!result->committed) {
    contended_ = true;
    if (!learn_refusal(result->found)) {
      view_known_ = false;
      read_wanted_ = true;
    }
  } else if (!proposed) {
    read_wanted_ = !requested;
    if (requested) {
      asking_[own_request_] = {.request = {}, .version = 0, .since = now_};
      next_scan_ = now_ + options_.timing.interval / 4;  // others come too late as well, and ask
    }
  } else {
    const bool joined = !member_;
    install(*proposed, result->versions.at(0));
    if (joined && member_) extend_lease(started + own_lease());
  }
}

// Whether something newer than what the change was made from came to light.
bool StoreAgreement::learn_refusal(const std::vector<Record>& found) {
  const std::uint64_t before = view_version_;
  if (!learn_view(find(found, view_key()))) return false;
  bool news = view_version_ != before;
  if (departed_) return true;
  if (member_ && !find(found, own_row_)) {
    not_in_view("its lease row is gone");
    return true;
  }
  for (const auto& [name, row] : rows_) {
    if (const Record* record = find(found, row.key)) news |= learn_row(row.key, record->version);
  }
  return news;
}

// False if this is older than what is known, or cannot be used.
bool StoreAgreement::learn_view(const Record* record) {
  if (!record) {
    view_known_ = view_version_ == 0;
    if (!view_known_) actions_.push_back(Notice{"the view's record has vanished from the store"});
    return view_known_;
  }
  if (record->version < view_version_) return false;
  if (record->version == view_version_) {
    view_known_ = true;
    return true;
  }
  std::optional<View> view = decode_view(record->value);
  if (!view || view->number <= view_.number) {
    actions_.push_back(Notice{"the view's record in the store is damaged"});
    restart_waits();
    return false;
  }
  install(std::move(*view), record->version);
  return true;
}

// Whether the row's counter is news. A wait starts when the counter was *seen*, so now.
bool StoreAgreement::learn_row(const std::string& row, std::uint64_t version) {
  if (row == own_row_) return false;
  auto [watch, is_new] = watches_.try_emplace(row, Watch{.version = version, .since = now_});
  if (is_new) return true;
  if (watch->second.version == version) return false;
  watch->second.version = version;
  watch->second.since = now_;
  ++watch->second.changes;
  return true;
}

void StoreAgreement::forget_removed() {
  if (watches_.size() + 1 <= rows_.size() && outside_.empty()) return;  // all are of members
  std::set<std::string_view> rows;
  for (const auto& [name, row] : rows_) rows.insert(row.key);
  std::erase_if(watches_, [&](const auto& watch) { return !rows.contains(watch.first); });
  std::erase_if(outside_, [&](const auto& outside) { return !rows.contains(outside.first); });
}

void StoreAgreement::restart_waits() {
  if (!options_.protections.restart_wait) return;
  for (auto& [row, watch] : watches_) watch.since = now_;
  for (auto& [row, outside] : outside_) outside.since = now_;
}

bool StoreAgreement::late(Time started) const {
  return now_ - started > options_.timing.late_limit();
}

void StoreAgreement::install(View view, std::uint64_t version) {
  view_ = std::move(view);
  view_version_ = version;
  view_known_ = true;
  std::map<std::string, Row> before = std::exchange(rows_, {});
  for (const auto& [name, member] : view_.members) {
    Row row{.key = lease_key(name, member.incarnation)};
    const auto known = before.find(name);
    const bool same = known != before.end() && known->second.key == row.key;
    rows_.emplace_hint(rows_.end(), name, same ? std::move(known->second) : std::move(row));
  }
  reports_changed_ = true;
  if (!own_entry()) {
    if (member_) not_in_view("view " + std::to_string(view_.number) + " is without this node");
    return;
  }
  member_ = true;
  if (view_.number <= installed_) return;
  installed_ = view_.number;
  actions_.push_back(InstallView{std::make_shared<const View>(view_)});
}

void StoreAgreement::not_in_view(const std::string& why) {
  if (leaving_) return depart({.kind = Departure::Kind::left, .why = why});
  if (options_.protections.tombstones) {
    return depart({.kind = Departure::Kind::removed,
                   .counter = options_.self.incarnation.counter,
                   .why = why});
  }
  member_ = false;
  end_lease();
  enter(NodeState::joining, why);
}

Duration StoreAgreement::own_lease() const {
  const LeaseTiming& timing = options_.timing;
  return options_.protections.drift_margin ? timing.own_lease() : timing.length;
}

void StoreAgreement::extend_lease(Time end) {
  if (leaving_ || !member_ || end <= lease_end_) return;
  lease_end_ = end;
  actions_.push_back(SetLeaseEnd{end});
  check_state();
}

void StoreAgreement::end_lease() {
  if (lease_end_ == Time::min()) return;
  lease_end_ = Time::min();
  actions_.push_back(SetLeaseEnd{lease_end_});
}

void StoreAgreement::check_state() {
  if (!member_ || departed_) return;
  if (now_ < lease_end_) {
    enter(NodeState::active, "holds a lease");
  } else if (state_ == NodeState::active) {
    enter(NodeState::frozen, leaving_ ? "leaves" : "its lease has run out");
  }
}

void StoreAgreement::enter(NodeState state, std::string why) {
  if (state_ == state) return;
  state_ = state;
  actions_.push_back(ChangeState{state, std::move(why)});
}

void StoreAgreement::depart(Departure departure) {
  end_lease();
  if (asking_.contains(own_request_)) {
    // If that is lost, whoever is taken in and is not there is removed as any other.
    actions_.push_back(CommitStore{
        next_id_++, Transaction{.conditions = {}, .writes = {{own_request_, std::nullopt}}}});
  }
  departed_ = true;
  operations_.clear();
  const bool excluded = departure.kind == Departure::Kind::removed;
  actions_.push_back(Depart{departure});
  enter(excluded ? NodeState::excluded : NodeState::down, std::move(departure.why));
}

std::uint64_t StoreAgreement::issue(Operation::Kind kind) {
  operations_.emplace(next_id_, Operation{kind, now_});
  return next_id_++;
}

bool StoreAgreement::outstanding(Operation::Kind kind) const {
  return std::ranges::any_of(operations_,
                             [&](const auto& operation) { return operation.second.kind == kind; });
}

bool StoreAgreement::is_self(const Member& member) const {
  return member.incarnation == options_.self.incarnation && member.name == options_.self.name;
}

const Member* StoreAgreement::own_entry() const {
  const Member* member = view_.find(options_.self.name);
  return member && is_self(*member) ? member : nullptr;
}

}  // namespace coterie
