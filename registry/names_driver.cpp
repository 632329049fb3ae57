#include "registry/names_driver.hpp"

#include <unordered_set>
#include <utility>

namespace coterie {

void NamesDriver::view_installed(std::shared_ptr<const View> view) {
  std::unordered_set<NodeId> members;
  for (const auto& [name, member] : view->members) members.insert(member.incarnation.id);
  cache_.forget_nodes([&](NodeId node) { return !members.contains(node); });
  install(std::move(view));
}

NamesDriver::Request NamesDriver::wait(std::string name, decltype(Waiting::callback) callback) {
  const Request request = next_request_.fetch_add(1);
  std::lock_guard lock(waiting_mutex_);
  waiting_.emplace(request, Waiting{std::move(name), std::move(callback)});
  return request;
}

std::optional<NamesDriver::Waiting> NamesDriver::take(Request request) {
  std::lock_guard lock(waiting_mutex_);
  auto found = waiting_.extract(request);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

NamesDriver::Request NamesDriver::reserve(std::string_view registry, std::string_view key,
                                          Pid owner, Time deadline, ReserveCallback callback) {
  std::string name = name_requests::name_of(registry, key);
  const Request request = wait({}, std::move(callback));
  ask(name_requests::Reserve{request, std::move(name), owner.serial, deadline});
  return request;
}

void NamesDriver::confirm(std::string_view registry, std::string_view key,
                          const Registration& registration, Time deadline,
                          ConfirmCallback callback) {
  std::string name = name_requests::name_of(registry, key);
  const Request request = wait(name, std::move(callback));
  ask(name_requests::Confirm{request, std::move(name), registration.id, deadline});
}

void NamesDriver::release(std::string_view registry, std::string_view key,
                          const Registration& registration) {
  std::string name = name_requests::name_of(registry, key);
  cache_.forget(name, registration.epoch);
  ask(name_requests::Release{std::move(name), registration.id, registration.epoch});
}

void NamesDriver::withdraw(std::string_view registry, std::string_view key, Request request) {
  static_cast<void>(take(request));
  ask(name_requests::Withdraw{request, name_requests::name_of(registry, key)});
}

std::optional<Location> NamesDriver::cached(std::string_view registry, std::string_view key) const {
  return cache_.find(name_requests::Name(registry, key).view());
}

void NamesDriver::lookup(std::string_view registry, std::string_view key, Time deadline,
                         LookupCallback callback) {
  std::string name = name_requests::name_of(registry, key);
  const Request request = wait(name, std::move(callback));
  ask(name_requests::Lookup{request, std::move(name), deadline});
}

void NamesDriver::forget(std::string_view registry, std::string_view key,
                         const Location& location) {
  cache_.forget(name_requests::name_of(registry, key), location.epoch);
}

void NamesDriver::answer(name_requests::Reserved&& reserved) {
  if (auto waiting = take(reserved.request)) {
    std::get<ReserveCallback>(waiting->callback)(std::move(reserved.result));
  }
}

void NamesDriver::answer(name_requests::Confirmed&& confirmed) {
  auto waiting = take(confirmed.request);
  if (!waiting) return;
  if (confirmed.result) cache_.remember(waiting->name, confirmed.location);
  std::get<ConfirmCallback>(waiting->callback)(std::move(confirmed.result));
}

void NamesDriver::answer(name_requests::Found&& found) {
  auto waiting = take(found.request);
  if (!waiting) return;
  if (found.result) cache_.remember(waiting->name, *found.result);
  std::get<LookupCallback>(waiting->callback)(std::move(found.result));
}

}  // namespace coterie
