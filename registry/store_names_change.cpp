// How names are taken, confirmed and given back: preparation of the session, batches, judgement.

#include <algorithm>
#include <utility>

#include "registry/store_names.hpp"

namespace coterie {
namespace {

const Record* find(const std::vector<Record>& records, std::string_view key) {
  auto record = std::ranges::find(records, key, &Record::key);
  return record == records.end() ? nullptr : &*record;
}

}  // namespace

void StoreNames::add(const std::string& key, Operation operation, Time deadline) {
  if (operation.request != 0) deadlines_.emplace(deadline, operation.request);
  Name& name = names_[key];
  name.operations.push_back(operation);
  ++changes_pending_;
  if (!name.queued) ready(key, name);
}

void StoreNames::ready(const std::string& key, Name& name) {
  name.queued = true;
  name.in_flight = false;
  ready_.push_back(key);
}

void StoreNames::finish(const std::string& key, Name& name) {
  name.operations.pop_front();
  --changes_pending_;
  name.queued = name.in_flight = false;
  name.version = 0;  // the next one judges the row for itself
  if (!name.operations.empty()) {
    ready(key, name);
  } else if (!name.held) {
    names_.erase(key);
  }
}

// What is not under way is given back by a release in its place; it finds out whether the row is
// there. What is under way does so when its answer comes.
void StoreNames::give_up(Request request, const std::string& why) {
  const auto asked = asked_.find(request);
  if (asked == asked_.end()) return;
  const std::string key = asked->second.name;
  const bool changes = asked->second.what != Asked::What::lookup;
  if (why.empty()) {
    asked_.erase(asked);
  } else {
    fail(request, unavailable(why));
  }
  const auto name = names_.find(key);
  if (!changes || name == names_.end()) return;
  for (Operation& operation : name->second.operations) {
    if (operation.request != request) continue;
    operation.request = 0;
    const bool under_way = name->second.in_flight && &operation == &name->second.operations.front();
    if (operation.kind == Operation::Kind::reserve && !under_way) {
      operation.kind = Operation::Kind::release;
    }
  }
}

// --- the session ---

void StoreNames::prepare() {
  if (prepared_ || preparing_ != 0 || batch_ != 0 || sweep_ != 0 || session_read_ != 0) return;
  if (read_session_) {
    session_read_ = next_id_++;
    actions_.push_back(FetchStore{session_read_, {view_key(), session_key_}});
    return;
  }
  const NameProtections& rules = options_.protections;
  if (view_number_ > view_->number && rules.view_record) return;  // until that view is installed
  const bool raise = view_number_ < view_->number;
  if (!raise && !(void_lost_ && rules.session_fence)) {
    prepared_ = true;
    return;
  }
  NameRow session;
  session.node = options_.node;
  session.incarnation = options_.incarnation;
  Transaction transaction{
      .conditions = {{view_key(), view_version_}, {session_key_, session_version_}},
      .writes = {{session_key_, encode_name(session)}}};
  preparing_number_ = view_number_;
  if (raise) {
    preparing_number_ = view_->number;
    transaction.writes.push_back(
        {view_key(), RecordWriter().number(1).number(view_->number).take()});
  }
  preparing_ = next_id_++;
  actions_.push_back(CommitStore{preparing_, {std::move(transaction)}});
}

void StoreNames::prepared(const StorageResult<std::vector<TransactionResult>>& results) {
  if (!results || results->size() != 1) return unknown_outcome();
  const TransactionResult& result = results->front();
  if (!result.committed) {
    learn_view_record(find(result.found, view_key()));
    learn_session_record(find(result.found, session_key_));
    return;
  }
  session_version_ = result.versions.at(0);
  if (preparing_number_ != view_number_) {
    view_number_ = preparing_number_;
    view_version_ = result.versions.at(1);
  }
  void_lost_ = false;
  prepared_ = view_number_ == view_->number;
}

void StoreNames::learn_view_record(const Record* record) {
  const std::uint64_t version = record ? record->version : 0;
  if (version == view_version_ && version != 0) return;
  view_version_ = version;
  view_number_ = 0;
  if (record) {
    RecordReader in(record->value);
    in.number();
    view_number_ = in.number();
  }
  if (view_number_ != view_->number) prepared_ = false;
  wait_for_view(view_number_);
}

void StoreNames::learn_session_record(const Record* record) {
  const std::uint64_t version = record ? record->version : 0;
  if (version == session_version_ && version != 0) return;
  session_version_ = version;
  prepared_ = false;
  void_lost_ = true;
  if (!record) return;
  const std::optional<NameRow> session = decode_name(record->value, record->version);
  if (session && session->incarnation.counter > options_.incarnation.counter) {
    on(Stop{"a newer incarnation of this node registers names"});
  }
}

void StoreNames::unknown_outcome() {
  prepared_ = false;
  read_session_ = true;
  void_lost_ = true;
  retry_at_ = now_ + options_.retry_after;
}

// --- batches ---

void StoreNames::send_batch() {
  if (!prepared_ || batch_ != 0 || preparing_ != 0 || sweep_ != 0 || ready_.empty()) return;
  std::vector<Transaction> transactions;
  while (!ready_.empty() && transactions.size() < options_.batch_max) {
    std::string key = std::move(ready_.front());
    ready_.pop_front();
    Name& name = names_.at(key);
    Operation& operation = name.operations.front();
    if (operation.kind == Operation::Kind::confirm &&
        !(name.held && name.held->registration == operation.registration)) {
      judge_confirm(key, name, nullptr);
      continue;
    }
    transactions.push_back(change(key, name, operation));
    name.in_flight = true;
    batch_keys_.push_back(std::move(key));
  }
  if (transactions.empty()) return;
  batch_ = next_id_++;
  actions_.push_back(CommitStore{batch_, std::move(transactions)});
}

void StoreNames::begin_sweep() {
  if (now_ < next_sweep_ || !sweeps() || sweep_scan_ != 0 || !abandoned_.empty()) return;
  next_sweep_ = after(now_, options_.sweep_every);
  sweep_scan_ = next_id_++;
  actions_.push_back(ScanStore{sweep_scan_, "names/row/"});
}

void StoreNames::on(const Scanned& scanned) {
  if (stopped_ || sweep_scan_ == 0 || scanned.id != sweep_scan_) return;
  sweep_scan_ = 0;
  if (!scanned.records) return;  // the next sweep will do
  for (const Record& record : *scanned.records) {
    const std::optional<NameRow> row = decode_name(record.value, record.version);
    if (!row || owner_in_view(*row) || row->epoch.view > view_->number) continue;
    abandoned_.emplace_back(record.key, record.version);
  }
}

// Only when nobody waits for anything else. A row goes only as it was read, so a deletion that
// takes effect late deletes nothing newer.
void StoreNames::send_sweep() {
  if (!prepared_ || batch_ != 0 || preparing_ != 0 || sweep_ != 0 || abandoned_.empty()) return;
  std::vector<Transaction> deletions;
  while (!abandoned_.empty() && deletions.size() < options_.batch_max) {
    auto& [key, version] = abandoned_.front();
    deletions.push_back({.conditions = {{key, version}}, .writes = {{key, std::nullopt}}});
    abandoned_.pop_front();
  }
  sweep_ = next_id_++;
  actions_.push_back(CommitStore{sweep_, std::move(deletions)});
}

Transaction StoreNames::change(const std::string& key, Name& name, Operation& operation) const {
  const NameProtections& rules = options_.protections;
  const bool holds = name.held && name.held->registration == operation.registration;
  Transaction transaction;
  auto& conditions = transaction.conditions;
  if (rules.session_fence) conditions.push_back({session_key_, session_version_});
  NameRow row;
  row.node = options_.node;
  row.incarnation = options_.incarnation;
  row.registration = operation.registration;
  switch (operation.kind) {
    case Operation::Kind::reserve:
      operation.asked_in = view_->number;
      row.serial = operation.serial;
      row.epoch.view = view_->number;
      if (rules.view_record) conditions.push_back({view_key(), view_version_});
      if (rules.row_unchanged) conditions.push_back({key, name.version});
      transaction.writes.push_back({key, encode_name(row)});
      break;
    case Operation::Kind::confirm:
      row.serial = name.held->serial;
      row.epoch = name.held->epoch;
      row.confirmed = true;
      conditions.push_back({key, name.held->version});
      transaction.writes.push_back({key, encode_name(row)});
      break;
    case Operation::Kind::release:
      conditions.push_back({key, holds ? name.held->version : 0});
      if (holds) transaction.writes.push_back({key, std::nullopt});
      break;
  }
  return transaction;
}

void StoreNames::on(const Committed& committed) {
  if (stopped_) return;
  if (committed.id == preparing_ && preparing_ != 0) {
    preparing_ = 0;
    prepared(committed.results);
  } else if (committed.id == sweep_ && sweep_ != 0) {
    sweep_ = 0;
    if (!committed.results) abandoned_.clear();
  } else if (committed.id == batch_ && batch_ != 0) {
    batch_ = 0;
    changed(std::exchange(batch_keys_, {}), committed.results);
  }
}

void StoreNames::changed(const std::vector<std::string>& keys,
                         const StorageResult<std::vector<TransactionResult>>& results) {
  const bool known = results && results->size() == keys.size();
  if (!known) unknown_outcome();
  for (std::size_t i = 0; i < keys.size() && !stopped_; ++i) {
    Name& name = names_.at(keys[i]);
    name.in_flight = false;
    Operation& operation = name.operations.front();
    if (known && (*results)[i].committed) {
      accepted(keys[i], name, (*results)[i]);
    } else if (known) {
      refused(keys[i], name, (*results)[i]);
    } else {
      if (operation.kind == Operation::Kind::reserve && operation.request == 0) {
        operation.kind = Operation::Kind::release;
      }
      ready(keys[i], name);
    }
  }
}

void StoreNames::accepted(const std::string& key, Name& name, const TransactionResult& result) {
  Operation& operation = name.operations.front();
  switch (operation.kind) {
    case Operation::Kind::reserve: {
      const std::uint64_t version = result.versions.at(0);
      if (operation.asked_in != view_->number && options_.protections.ok_in_view) {
        // An ok counts only in the view in which it was asked for: ask again, by the same id.
        name.version = 0;
        return ready(key, name);
      }
      NameRow row{.node = options_.node,
                  .incarnation = options_.incarnation,
                  .serial = operation.serial,
                  .registration = operation.registration,
                  .epoch = {operation.asked_in, version}};
      return reserved(key, name, row, version);
    }
    case Operation::Kind::confirm:
      name.held->version = result.versions.at(0);
      return confirmed(key, name);
    case Operation::Kind::release:
      if (name.held && name.held->registration == operation.registration) name.held.reset();
      return finish(key, name);
  }
}

void StoreNames::refused(const std::string& key, Name& name, const TransactionResult& result) {
  Operation& operation = name.operations.front();
  const NameProtections& rules = options_.protections;
  if (rules.session_fence) learn_session_record(find(result.found, session_key_));
  if (stopped_) return;
  if (operation.kind == Operation::Kind::reserve && rules.view_record) {
    learn_view_record(find(result.found, view_key()));
    // Whether the name is free is to be judged in the newest view.
    if (view_number_ > view_->number && operation.request != 0) return ready(key, name);
  }
  const Record* record = find(result.found, key);
  switch (operation.kind) {
    case Operation::Kind::reserve:
      return judge_reserve(key, name, record);
    case Operation::Kind::confirm:
      return judge_confirm(key, name, record);
    case Operation::Kind::release:
      return judge_release(key, name, record);
  }
}

// --- judgement of a row that is not as expected ---

void StoreNames::judge_reserve(const std::string& key, Name& name, const Record* record) {
  Operation& operation = name.operations.front();
  if (operation.request == 0) {  // given up meanwhile
    operation.kind = Operation::Kind::release;
    return judge_release(key, name, record);
  }
  if (!record) {
    name.version = 0;
    return ready(key, name);
  }
  const std::optional<NameRow> row = decode_name(record->value, record->version);
  const NameProtections& rules = options_.protections;
  if (!row) {
    fail(operation.request, unavailable("the record " + key + " is damaged"));
    return finish(key, name);
  }
  if (own(*row) && row->registration == operation.registration) {
    return reserved(key, name, *row, record->version);
  }
  if (row->epoch.view > view_->number && rules.newer_row_waits) {
    waiting_[row->epoch.view].push_back(key);
    return wait_for_view(row->epoch.view);
  }
  const bool taken = own(*row) ? rules.own_id_taken : owner_in_view(*row) && rules.owner_in_view;
  if (!taken) {
    name.version = record->version;
    return ready(key, name);
  }

  fail(operation.request, {.code = NameError::Code::taken,
                           .holder = {row->incarnation.id, row->serial},
                           .message = {}});
  if (own(*row) && !(name.held && name.held->registration == row->registration)) {
    // All changes of a name pass here in order, so nobody on this node knows of that one.
    actions_.push_back(Notice{"gives back " + key + ": registered here, held by nobody"});
    name.operations.push_back(
        {.kind = Operation::Kind::release, .registration = row->registration});
    ++changes_pending_;
  }
  finish(key, name);
}

void StoreNames::reserved(const std::string& key, Name& name, const NameRow& row,
                          std::uint64_t version) {
  Operation& operation = name.operations.front();
  name.held = Held{.registration = row.registration,
                   .serial = row.serial,
                   .version = version,
                   .epoch = row.epoch,
                   .confirmed = row.confirmed};
  if (asked_.erase(operation.request) != 0) {
    actions_.push_back(Reserved{operation.request, Registration{row.registration, row.epoch}});
  } else if (options_.protections.withdrawn_freed) {
    operation.kind = Operation::Kind::release;
    return ready(key, name);
  } else {
    name.held.reset();
  }
  finish(key, name);
}

void StoreNames::confirmed(const std::string& key, Name& name) {
  const Request request = name.operations.front().request;
  name.held->confirmed = true;
  if (asked_.erase(request) != 0) {
    const Pid holder{options_.incarnation.id, name.held->serial};
    actions_.push_back(Confirmed{request, {}, {.pid = holder, .epoch = name.held->epoch}});
  }
  finish(key, name);
}

void StoreNames::judge_confirm(const std::string& key, Name& name, const Record* record) {
  const Operation& operation = name.operations.front();
  const std::optional<NameRow> row =
      record ? decode_name(record->value, record->version) : std::nullopt;
  const bool holds = name.held && name.held->registration == operation.registration;
  if (holds && record && record->version == name.held->version) return ready(key, name);
  if (holds && row && own(*row) && row->registration == operation.registration) {
    name.held->version = record->version;
    return row->confirmed ? confirmed(key, name) : ready(key, name);
  }
  if (holds) name.held.reset();
  fail(operation.request,
       {.code = NameError::Code::not_found, .holder = {}, .message = "the registration is gone"});
  finish(key, name);
}

void StoreNames::judge_release(const std::string& key, Name& name, const Record* record) {
  const Operation& operation = name.operations.front();
  const std::optional<NameRow> row =
      record ? decode_name(record->value, record->version) : std::nullopt;
  if (row && own(*row) && row->registration == operation.registration) {
    name.held = Held{.registration = row->registration,
                     .serial = row->serial,
                     .version = record->version,
                     .epoch = row->epoch,
                     .confirmed = row->confirmed};
    return ready(key, name);
  }
  if (name.held && name.held->registration == operation.registration) name.held.reset();
  finish(key, name);
}

}  // namespace coterie
