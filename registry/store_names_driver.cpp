#include "registry/store_names_driver.hpp"

#include <unordered_set>
#include <utility>

namespace coterie {

StoreNamesDriver::StoreNamesDriver(Options options, Records& records, const Clock& clock,
                                   Executor& executor, std::function<void()> newer_view,
                                   std::function<void(std::string_view)> notice)
    : core_(std::move(options.names)),
      records_(records),
      clock_(clock),
      newer_view_(std::move(newer_view)),
      notice_(std::move(notice)),
      cache_(options.cache_max),
      logic_(executor.make_strand("names")),
      store_(executor.make_strand("names store")) {}

StoreNamesDriver::~StoreNamesDriver() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  store_.reset();
  logic_.reset();
}

void StoreNamesDriver::view_installed(std::shared_ptr<const View> view) {
  to_logic([this, view = std::move(view)] {
    std::unordered_set<NodeId> members;
    for (const auto& [name, member] : view->members) members.insert(member.incarnation.id);
    cache_.forget_nodes([&](NodeId node) { return !members.contains(node); });
    step(StoreNames::Installed{view});
  });
}

void StoreNamesDriver::stop(std::string why) {
  to_logic([this, why = std::move(why)] { step(StoreNames::Stop{why}); });
}

StoreNamesDriver::Request StoreNamesDriver::reserve(std::string_view registry, std::string_view key,
                                                    Pid owner, Time deadline,
                                                    ReserveCallback callback) {
  const Request request = next_request_.fetch_add(1);
  ++changes_posted_;
  to_logic([this, request, name = StoreNames::row_key(registry, key), owner, deadline,
            callback = std::move(callback)]() mutable {
    reserving_.emplace(request, std::move(callback));
    step(StoreNames::Reserve{request, name, owner.serial, deadline});
    --changes_posted_;
  });
  return request;
}

void StoreNamesDriver::confirm(std::string_view registry, std::string_view key,
                               const Registration& registration, Time deadline,
                               ConfirmCallback callback) {
  const Request request = next_request_.fetch_add(1);
  ++changes_posted_;
  to_logic([this, request, name = StoreNames::row_key(registry, key), registration, deadline,
            callback = std::move(callback)]() mutable {
    confirming_.emplace(request, ConfirmWaiting{name, std::move(callback)});
    step(StoreNames::Confirm{request, name, registration.id, deadline});
    --changes_posted_;
  });
}

void StoreNamesDriver::release(std::string_view registry, std::string_view key,
                               const Registration& registration) {
  ++changes_posted_;
  std::string name = StoreNames::row_key(registry, key);
  cache_.forget(name, registration.epoch);
  to_logic([this, name = std::move(name), registration] {
    step(StoreNames::Release{name, registration.id});
    --changes_posted_;
    cache_.forget(name, registration.epoch);
  });
}

void StoreNamesDriver::withdraw(std::string_view registry, std::string_view key, Request request) {
  to_logic([this, request, name = StoreNames::row_key(registry, key)] {
    reserving_.erase(request);
    step(StoreNames::Withdraw{request, name});
  });
}

std::optional<Location> StoreNamesDriver::cached(std::string_view registry,
                                                 std::string_view key) const {
  return cache_.find(StoreNames::row_key(registry, key));
}

void StoreNamesDriver::lookup(std::string_view registry, std::string_view key, Time deadline,
                              LookupCallback callback) {
  const Request request = next_request_.fetch_add(1);
  to_logic([this, request, name = StoreNames::row_key(registry, key), deadline,
            callback = std::move(callback)]() mutable {
    looking_.emplace(request, LookupWaiting{name, std::move(callback)});
    step(StoreNames::Lookup{request, name, deadline});
  });
}

void StoreNamesDriver::forget(std::string_view registry, std::string_view key,
                              const Location& location) {
  cache_.forget(StoreNames::row_key(registry, key), location.epoch);
}

void StoreNamesDriver::to_logic(Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) logic_->post(std::move(job));
}

void StoreNamesDriver::to_store(Strand::Job job) {
  std::lock_guard lock(mutex_);
  if (!closed_) store_->post(std::move(job));
}

void StoreNamesDriver::step(const StoreNames::Event& event) {
  auto actions = core_.step(clock_.now(), event);
  changes_pending_.store(core_.changes_pending());
  for (auto& action : actions) carry_out(action);
}

template <class Waiting>
std::optional<Waiting> StoreNamesDriver::take(std::unordered_map<Request, Waiting>& waiting,
                                              Request request) {
  auto found = waiting.extract(request);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

void StoreNamesDriver::carry_out(StoreNames::Action& action) {
  if (auto* commit = std::get_if<StoreNames::CommitStore>(&action)) {
    to_store([this, id = commit->id, transactions = std::move(commit->transactions)] {
      auto results = records_.commit(transactions);
      to_logic([this, id, results = std::move(results)]() mutable {
        step(StoreNames::Committed{id, std::move(results)});
      });
    });
  } else if (auto* fetch = std::get_if<StoreNames::FetchStore>(&action)) {
    to_store([this, id = fetch->id, keys = std::move(fetch->keys)] {
      auto records = records_.read_many(keys);
      to_logic([this, id, records = std::move(records)]() mutable {
        step(StoreNames::Fetched{id, std::move(records)});
      });
    });
  } else if (auto* scan = std::get_if<StoreNames::ScanStore>(&action)) {
    to_store([this, id = scan->id, prefix = std::move(scan->prefix)] {
      auto records = records_.scan(prefix);
      to_logic([this, id, records = std::move(records)]() mutable {
        step(StoreNames::Scanned{id, std::move(records)});
      });
    });
  } else if (auto* reserved = std::get_if<StoreNames::Reserved>(&action)) {
    if (auto callback = take(reserving_, reserved->request)) {
      (*callback)(std::move(reserved->result));
    }
  } else if (auto* confirmed = std::get_if<StoreNames::Confirmed>(&action)) {
    if (auto waiting = take(confirming_, confirmed->request)) {
      if (confirmed->result) cache_.remember(waiting->name, confirmed->location);
      waiting->callback(std::move(confirmed->result));
    }
  } else if (auto* found = std::get_if<StoreNames::Found>(&action)) {
    if (auto waiting = take(looking_, found->request)) {
      if (found->result) cache_.remember(waiting->name, *found->result);
      waiting->callback(std::move(found->result));
    }
  } else if (std::get_if<StoreNames::ReadView>(&action)) {
    newer_view_();
  } else if (auto* timer = std::get_if<StoreNames::SetTimer>(&action)) {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    logic_->post_at(timer->at, [this, number = ++timer_] {
      if (number == timer_) step(StoreNames::Tick{});
    });
  } else if (auto* notice = std::get_if<StoreNames::Notice>(&action)) {
    if (notice_) notice_(notice->text);
  }
}

}  // namespace coterie
