#include "registry/local_names.hpp"

#include <functional>
#include <utility>

#include <coterie/registry.hpp>

#include "process/runtime.hpp"

namespace coterie {
namespace {

std::size_t bucket_of(std::string_view name) noexcept {
  return std::hash<std::string_view>{}(name) % 256;
}

NameError not_found(std::string_view registry, std::string_view key) {
  NameError error;
  error.message = std::string(registry) + "/" + std::string(key) + " is not registered";
  return error;
}

}  // namespace

// ---- one registry

namespace {

template <class Event>
void tell(detail::Runtime& runtime, const std::vector<std::string>& listeners, const Event& event) {
  for (const std::string& listener : listeners) {
    const auto pid = runtime.whereis(listener);
    if (!pid) continue;
    auto message = detail::make_message(detail::MessageKind::send, Event(event));
    message->from = event.pid;
    if (runtime.push(*pid, message) != detail::PushResult::pushed) {
      runtime.counters().refused_messages.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace

void LocalPlace::announce_registered(std::string_view key, const Pid& pid,
                                     const RegistryValue& value) const {
  if (!listened()) return;
  if (detail::Runtime* runtime = runtime_of()) {
    tell(*runtime, listeners(), Registry::Registered{name, std::string(key), pid, value});
  }
}

void LocalPlace::announce_unregistered(std::string_view key, const Pid& pid) const {
  if (!listened()) return;
  if (detail::Runtime* runtime = runtime_of()) {
    tell(*runtime, listeners(), Registry::Unregistered{name, std::string(key), pid});
  }
}

std::vector<std::string> LocalPlace::listeners() const {
  const std::lock_guard guard(mutex_);
  return listeners_;
}

detail::Runtime* LocalPlace::runtime_of() const {
  const std::lock_guard guard(mutex_);
  return runtime_;
}

std::optional<RegistryValue> LocalPlace::meta(const std::string& key) const {
  const std::lock_guard guard(mutex_);
  const auto found = meta_.find(key);
  return found == meta_.end() ? std::nullopt : std::optional(found->second);
}

std::map<std::string, RegistryValue> LocalPlace::meta() const {
  const std::lock_guard guard(mutex_);
  return meta_;
}

void LocalPlace::put_meta(const std::string& key, RegistryValue value) {
  const std::lock_guard guard(mutex_);
  std::swap(meta_[key], value);
}

void LocalPlace::delete_meta(const std::string& key) {
  std::unique_lock guard(mutex_);
  const auto gone = meta_.extract(key);
  guard.unlock();
}

Pid LocalPlace::owner() const {
  const std::lock_guard guard(mutex_);
  return owner_;
}

void LocalPlace::note_held(std::string_view key, const Registration& registration) {
  if (!listed_.load(std::memory_order_relaxed)) return;
  const std::lock_guard guard(mutex_);
  held_.insert_or_assign(std::string(key), registration.id);
}

void LocalPlace::note_released(std::string_view key, const Registration& registration) {
  if (!listed_.load(std::memory_order_relaxed)) return;
  const std::lock_guard guard(mutex_);
  const auto found = held_.find(key);
  if (found != held_.end() && found->second == registration.id) held_.erase(found);
}

// ---- the directory

LocalNames::~LocalNames() {
  for (LocalPlace* place = places_.load(); place != nullptr;) {
    delete std::exchange(place, place->next_place_);
  }
}

LocalPlace* LocalNames::find(std::string_view name) const noexcept {
  // Acquire: the place's contents, which the store of place() has released.
  LocalPlace* found = directory_[bucket_of(name)].load(std::memory_order_acquire);
  while (found != nullptr && found->name != name) found = found->next_;
  return found;
}

LocalPlace& LocalNames::place(const std::string& name) {
  const std::lock_guard guard(lock_);
  if (LocalPlace* found = find(name)) return *found;
  auto* made = new LocalPlace(name);
  auto& first = directory_[bucket_of(name)];
  made->next_ = first.load(std::memory_order_relaxed);
  made->next_place_ = places_.load(std::memory_order_relaxed);
  first.store(made, std::memory_order_release);
  places_.store(made, std::memory_order_release);
  return *made;
}

LocalPlace* LocalNames::find_local(std::string_view name) const noexcept {
  LocalPlace* found = find(name);
  return found != nullptr && found->kind_.load() == Kind::local ? found : nullptr;
}

bool LocalNames::open_local(const std::string& name, Opening opening) {
  LocalPlace& opened = place(name);
  Kind expected = Kind::closed;
  if (!opened.kind_.compare_exchange_strong(expected, Kind::changing)) return false;
  {
    const std::lock_guard guard(opened.mutex_);
    opened.owner_ = opening.owner;
    opened.runtime_ = opening.runtime;
    opened.listeners_ = std::move(opening.listeners);
    opened.meta_ = std::move(opening.meta);
    opened.listened_.store(!opened.listeners_.empty(), std::memory_order_release);
  }
  opened.partitions_.store(opening.partitions);
  opened.table.open(opening.keys);
  opened.kind_.store(Kind::local);
  return true;
}

std::vector<Pid> LocalNames::close_local(const std::string& name) {
  LocalPlace* closed = find(name);
  Kind expected = Kind::local;
  if (closed == nullptr || !closed->kind_.compare_exchange_strong(expected, Kind::changing)) {
    return {};
  }
  std::vector<Pid> registrants = closed->table.close();
  std::map<std::string, RegistryValue> meta;
  {
    const std::lock_guard guard(closed->mutex_);
    closed->owner_ = {};
    closed->listeners_.clear();
    closed->meta_.swap(meta);
    closed->listened_.store(false);
  }
  closed->kind_.store(Kind::closed);
  return registrants;
}

bool LocalNames::add_cluster(const std::string& name, bool listed) {
  if (cluster_ == nullptr) return false;
  LocalPlace& added = place(name);
  if (listed) added.listed_.store(true);
  Kind expected = Kind::closed;
  return added.kind_.compare_exchange_strong(expected, Kind::cluster) || expected == Kind::cluster;
}

std::vector<std::string> LocalNames::held(std::string_view registry) const {
  std::vector<std::string> keys;
  const LocalPlace* found = find(registry);
  if (found == nullptr) return keys;
  const std::lock_guard guard(found->mutex_);
  for (const auto& [key, registration] : found->held_) keys.push_back(key);
  return keys;
}

bool LocalNames::add_via(const std::string& name, std::shared_ptr<ViaRegistry> registry,
                         const Pid& owner) {
  LocalPlace& added = place(name);
  Kind expected = Kind::closed;
  if (!added.kind_.compare_exchange_strong(expected, Kind::changing)) return false;
  {
    const std::lock_guard guard(added.mutex_);
    added.own_ = std::move(registry);
    added.owner_ = owner;
  }
  added.kind_.store(Kind::own);
  return true;
}

std::shared_ptr<ViaRegistry> LocalNames::find_via(std::string_view name) {
  const LocalPlace* found = find(name);
  return found != nullptr ? own(*found) : nullptr;
}

void LocalNames::remove_own(LocalPlace& place, const Pid& owner) {
  std::shared_ptr<ViaRegistry> gone;
  {
    const std::lock_guard guard(place.mutex_);
    if (place.owner_ != owner) return;
    place.owner_ = {};
    gone = std::move(place.own_);
  }
  place.kind_.store(Kind::closed);
}

std::shared_ptr<ViaRegistry> LocalNames::own(const LocalPlace& place) {
  const std::lock_guard guard(place.mutex_);
  return place.own_;
}

NameError LocalNames::unknown(std::string_view registry) {
  NameError error;
  error.code = NameError::Code::no_registry;
  error.message = "there is no registry \"" + std::string(registry) +
                  "\" on this node: start it with Registry::start_link";
  return error;
}

// ---- names

NameResult<Location> LocalNames::resolve(std::string_view registry, std::string_view key,
                                         bool fresh, Duration timeout) {
  LocalPlace* place = find(registry);
  switch (place == nullptr ? Kind::closed : place->kind_.load()) {
    case Kind::closed:
    case Kind::changing:
      break;
    case Kind::local:
      if (const auto pid = place->table.whereis(key)) return Location{.pid = *pid, .epoch = {}};
      return std::unexpected(not_found(registry, key));
    case Kind::cluster:
      return cluster_->resolve(registry, key, fresh, timeout);
    case Kind::own: {
      const auto asked = own(*place);
      if (!asked) break;
      if (const auto pid = asked->whereis_name(key)) return Location{.pid = *pid, .epoch = {}};
      return std::unexpected(not_found(registry, key));
    }
  }
  return std::unexpected(unknown(registry));
}

void LocalNames::forget(std::string_view registry, std::string_view key, const Location& location) {
  const LocalPlace* place = find(registry);
  if (place != nullptr && place->kind_.load() == Kind::cluster) {
    cluster_->forget(registry, key, location);
  }
}

void LocalNames::forget_epoch(const Epoch& epoch) {
  if (cluster_ != nullptr) cluster_->forget_epoch(epoch);
}

NameResult<Registration> LocalNames::reserve(std::string_view registry, std::string_view key,
                                             Pid owner, Duration timeout) {
  LocalPlace* place = find(registry);
  NameError taken;
  taken.code = NameError::Code::taken;
  switch (place == nullptr ? Kind::closed : place->kind_.load()) {
    case Kind::closed:
    case Kind::changing:
      break;
    case Kind::local: {
      if (place->table.keys() == Keys::duplicate) {
        NameError error;
        error.code = NameError::Code::no_registry;
        error.message = "a via name needs a registry with unique keys; \"" + place->name +
                        "\" has duplicate ones";
        return std::unexpected(std::move(error));
      }
      const auto registered = place->table.register_name(key, owner);
      if (!registered && !registered.error()) break;  // closed meanwhile
      if (!registered) {
        taken.holder = registered.error();
        return std::unexpected(std::move(taken));
      }
      place->announce_registered(key, owner, {});
      return Registration{.id = 1, .epoch = {}};
    }
    case Kind::cluster:
      return cluster_->reserve(registry, key, owner, timeout);
    case Kind::own: {
      const auto asked = own(*place);
      if (!asked) break;
      if (asked->register_name(key, owner)) return Registration{.id = 1, .epoch = {}};
      taken.holder = asked->whereis_name(key).value_or(Pid{});
      return std::unexpected(std::move(taken));
    }
  }
  return std::unexpected(unknown(registry));
}

NameResult<void> LocalNames::confirm(std::string_view registry, std::string_view key,
                                     const Registration& registration, Duration timeout) {
  LocalPlace* place = find(registry);
  switch (place == nullptr ? Kind::closed : place->kind_.load()) {
    case Kind::closed:
    case Kind::changing:
      return std::unexpected(unknown(registry));
    case Kind::cluster: {
      auto confirmed = cluster_->confirm(registry, key, registration, timeout);
      if (confirmed) place->note_held(key, registration);
      return confirmed;
    }
    case Kind::local:
    case Kind::own:
      return {};
  }
  return {};
}

void LocalNames::release(std::string_view registry, std::string_view key, const Pid& owner,
                         const Registration& registration) {
  LocalPlace* place = find(registry);
  if (place == nullptr) return;
  switch (place->kind_.load()) {
    case Kind::closed:
    case Kind::changing:
      return;
    case Kind::local:
      if (place->table.unregister(key, owner) > 0) {
        place->announce_unregistered(key, owner);
      }
      return;
    case Kind::cluster:
      place->note_released(key, registration);
      cluster_->release(registry, key, owner, registration);
      return;
    case Kind::own:
      if (const auto asked = own(*place)) asked->unregister_name(key, owner);
      return;
  }
}

void LocalNames::process_ended(const Pid& pid) {
  LocalPlace* place = places_.load(std::memory_order_acquire);
  for (; place != nullptr; place = place->next_place_) {
    const Kind kind = place->kind_.load();
    if (kind == Kind::own) remove_own(*place, pid);
    if (kind != Kind::local) continue;
    for (const std::string& key : place->table.remove_process(pid)) {
      place->announce_unregistered(key, pid);
    }
  }
}

}  // namespace coterie
