#include "registry/store_names.hpp"

#include <algorithm>
#include <utility>

namespace coterie {

std::string StoreNames::row_key(std::string_view name) {
  return std::string("names/row/").append(name);
}
std::string StoreNames::view_key() { return "names/view"; }
std::string StoreNames::session_key(std::string_view node) {
  return std::string("names/session/").append(node);
}

StoreNames::StoreNames(NamesOptions options)
    : options_(std::move(options)), session_key_(session_key(options_.node)) {}

std::vector<StoreNames::Action> StoreNames::step(Time now, const Event& event) {
  now_ = std::max(now_, now);
  actions_.clear();
  std::visit([this](const auto& what) { on(what); }, event);
  if (!stopped_) proceed();
  return std::exchange(actions_, {});
}

void StoreNames::on(const Installed& installed) {
  if (stopped_ || (view_ && installed.view->number <= view_->number)) return;
  if (!view_) next_sweep_ = after(now_, options_.sweep_every);
  view_ = installed.view;
  members_.clear();
  for (const auto& [name, member] : view_->members) members_.insert(member.incarnation.id);
  prepared_ = false;
  auto due = [this](auto& later) {
    std::vector<std::string> keys;
    while (!later.empty() && later.begin()->first <= view_->number) {
      std::ranges::move(later.begin()->second, std::back_inserter(keys));
      later.erase(later.begin());
    }
    return keys;
  };
  for (std::string& key : due(waiting_)) ready_.push_back(std::move(key));
  for (auto& [number, requests] : lookups_later_) {
    if (number > view_->number) break;
    for (auto& [key, waiting] : requests) {
      std::ranges::move(waiting, std::back_inserter(lookups_[key]));
    }
  }
  lookups_later_.erase(lookups_later_.begin(), lookups_later_.upper_bound(view_->number));
}

void StoreNames::on(const Reserve& reserve) {
  asked_[reserve.request] = {reserve.name, Asked::What::reserve};
  if (stopped_) return fail(reserve.request, unavailable(stopped_why_));
  if (reserve.name.size() > row_key_bytes_max) {
    return fail(reserve.request, {.code = NameError::Code::failed,
                                  .holder = {},
                                  .message = "the name is longer than " +
                                             std::to_string(row_key_bytes_max) + " bytes"});
  }
  add(reserve.name,
      {.kind = Operation::Kind::reserve,
       .request = reserve.request,
       .registration = reserve.request,
       .serial = reserve.serial},
      reserve.deadline);
}

void StoreNames::on(const Confirm& confirm) {
  asked_[confirm.request] = {confirm.name, Asked::What::confirm};
  if (stopped_) return fail(confirm.request, unavailable(stopped_why_));
  add(confirm.name,
      {.kind = Operation::Kind::confirm,
       .request = confirm.request,
       .registration = confirm.registration},
      confirm.deadline);
}

void StoreNames::on(const Release& release) {
  if (stopped_) return;
  add(release.name, {.kind = Operation::Kind::release, .registration = release.registration},
      Time::max());
}

void StoreNames::on(const Withdraw& withdraw) {
  if (stopped_) return;
  if (asked_.contains(withdraw.request)) return give_up(withdraw.request, {});
  // Answered already: whoever asked ended before it took the answer.
  if (options_.protections.ended_freed) on(Release{withdraw.name, withdraw.request});
}

void StoreNames::on(const Lookup& lookup) {
  asked_[lookup.request] = {lookup.name, Asked::What::lookup};
  if (stopped_) return fail(lookup.request, unavailable(stopped_why_));
  if (lookup.name.size() > row_key_bytes_max) {
    return fail(lookup.request, {.code = NameError::Code::not_found, .holder = {}, .message = {}});
  }
  deadlines_.emplace(lookup.deadline, lookup.request);
  lookups_[lookup.name].push_back(lookup.request);
}

void StoreNames::on(const Stop& stop) {
  if (std::exchange(stopped_, true)) return;
  stopped_why_ = stop.why;
  while (!asked_.empty()) fail(asked_.begin()->first, unavailable(stop.why));
  names_.clear();
  ready_.clear();
  waiting_.clear();
  abandoned_.clear();
  lookups_.clear();
  fetching_.clear();
  lookups_later_.clear();
  deadlines_ = {};
  changes_pending_ = 0;
}

void StoreNames::on(const Fetched& fetched) {
  if (stopped_) return;
  if (fetched.id == session_read_ && session_read_ != 0) {
    session_read_ = 0;
    if (!fetched.records || fetched.records->size() != 2) {
      retry_at_ = now_ + options_.retry_after;
      return;
    }
    read_session_ = false;
    auto record = [&](std::size_t index) {
      const auto& found = (*fetched.records)[index];
      return found ? &*found : nullptr;
    };
    learn_view_record(record(0));
    learn_session_record(record(1));
  } else if (fetched.id == fetch_ && fetch_ != 0) {
    fetch_ = 0;
    const std::vector<std::string> keys = std::exchange(fetch_keys_, {});
    if (!fetched.records || fetched.records->size() != keys.size()) {
      retry_at_ = now_ + options_.retry_after;
      for (auto& [key, requests] : fetching_) {
        std::ranges::move(requests, std::back_inserter(lookups_[key]));
      }
    } else {
      for (std::size_t i = 0; i < keys.size(); ++i) found(keys[i], (*fetched.records)[i]);
    }
    fetching_.clear();
  }
}

void StoreNames::found(const std::string& key, const std::optional<Record>& record) {
  std::vector<Request> requests = std::exchange(fetching_[key], {});
  std::erase_if(requests, [this](Request request) { return !asked_.contains(request); });
  NameResult<Location> result =
      std::unexpected(NameError{.code = NameError::Code::not_found, .holder = {}, .message = {}});
  if (record) {
    const std::optional<NameRow> row = decode_name(record->value, record->version);
    if (!row) {
      result = std::unexpected(unavailable("the record " + key + " is damaged"));
    } else if (options_.protections.newer_row_waits && row->epoch.view > view_->number) {
      std::ranges::move(requests, std::back_inserter(lookups_later_[row->epoch.view][key]));
      wait_for_view(row->epoch.view);
      return;
    } else if (row->confirmed && owner_in_view(*row)) {
      result = Location{.pid = {row->incarnation.id, row->serial}, .epoch = row->epoch};
    }
  }
  for (const Request request : requests) {
    asked_.erase(request);
    actions_.push_back(Found{request, result});
  }
}

void StoreNames::proceed() {
  expire();
  if (now_ >= retry_at_) {
    if (usable()) {
      prepare();
      send_batch();
      begin_sweep();
      send_sweep();
    }
    if (view_) send_fetch();
  }
  set_timer();
}

bool StoreNames::usable() const {
  const Member* self = view_ ? view_->find(options_.node) : nullptr;
  return self && self->incarnation == options_.incarnation;
}

bool StoreNames::sweeps() const {
  return usable() && view_->members.begin()->first == options_.node;
}

void StoreNames::expire() {
  while (!deadlines_.empty() && deadlines_.top().first <= now_) {
    const Request request = deadlines_.top().second;
    deadlines_.pop();
    give_up(request, "the store did not answer in time");
  }
}

void StoreNames::send_fetch() {
  if (fetch_ != 0 || lookups_.empty()) return;
  while (!lookups_.empty() && fetch_keys_.size() < options_.batch_max) {
    auto lookup = lookups_.extract(lookups_.begin());
    std::erase_if(lookup.mapped(), [this](Request request) { return !asked_.contains(request); });
    if (lookup.mapped().empty()) continue;
    fetch_keys_.push_back(lookup.key());
    fetching_.insert(std::move(lookup));
  }
  if (fetch_keys_.empty()) return;
  fetch_ = next_id_++;
  actions_.push_back(FetchStore{fetch_, fetch_keys_});
}

void StoreNames::set_timer() {
  // Deadlines of what has been answered need no timer.
  while (!deadlines_.empty() && !asked_.contains(deadlines_.top().second)) deadlines_.pop();
  Time next = deadlines_.empty() ? Time::max() : deadlines_.top().first;
  if (retry_at_ > now_) next = std::min(next, retry_at_);
  if (next_sweep_ > now_ && sweeps()) next = std::min(next, next_sweep_);
  if (next == timer_ && timer_ > now_) return;
  timer_ = next;
  if (next != Time::max()) actions_.push_back(SetTimer{next});
}

void StoreNames::wait_for_view(std::uint64_t number) {
  if (!view_ || number > view_->number) actions_.push_back(ReadView{});
}

NameError StoreNames::unavailable(std::string why) const {
  return {.code = NameError::Code::unavailable, .holder = {}, .message = std::move(why)};
}

void StoreNames::fail(Request request, NameError error) {
  const auto asked = asked_.extract(request);
  if (asked.empty()) return;
  switch (asked.mapped().what) {
    case Asked::What::reserve:
      actions_.push_back(Reserved{request, std::unexpected(std::move(error))});
      break;
    case Asked::What::confirm:
      actions_.push_back(Confirmed{request, std::unexpected(std::move(error)), {}});
      break;
    case Asked::What::lookup:
      actions_.push_back(Found{request, std::unexpected(std::move(error))});
      break;
  }
}

bool StoreNames::owner_in_view(const NameRow& row) const {
  return members_.contains(row.incarnation.id);
}

}  // namespace coterie
