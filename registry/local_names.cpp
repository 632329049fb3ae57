#include "registry/local_names.hpp"

#include <mutex>
#include <utility>

namespace coterie {

std::shared_ptr<LocalRegistry> LocalNames::add_local(const std::string& name) {
  std::lock_guard guard(lock_);
  if (spanning_.contains(name)) return nullptr;
  auto [entry, added] = local_.try_emplace(name);
  if (!added) return nullptr;
  entry->second = std::make_shared<LocalRegistry>();
  return entry->second;
}

bool LocalNames::add_cluster(const std::string& name) {
  std::lock_guard guard(lock_);
  if (cluster_ == nullptr || local_.contains(name)) return false;
  spanning_.insert(name);
  return true;
}

void LocalNames::remove(const std::string& name) {
  std::lock_guard guard(lock_);
  local_.erase(name);
}

std::shared_ptr<LocalRegistry> LocalNames::find(std::string_view name) const {
  std::shared_lock guard(lock_);
  const auto found = local_.find(name);
  return found == local_.end() ? nullptr : found->second;
}

bool LocalNames::in_cluster(std::string_view registry) const {
  std::shared_lock guard(lock_);
  return spanning_.contains(registry);
}

NameError LocalNames::unknown(std::string_view registry) {
  NameError error;
  error.code = NameError::Code::no_registry;
  error.message = "there is no registry \"" + std::string(registry) +
                  "\" on this node: start it with Registry::start_link";
  return error;
}

NameResult<Location> LocalNames::resolve(std::string_view registry, std::string_view key,
                                         bool fresh, Duration timeout) {
  if (const auto local = find(registry)) {
    if (const auto entry = local->lookup(key)) return Location{.pid = entry->pid, .epoch = {}};
    NameError error;
    error.message = std::string(registry) + "/" + std::string(key) + " is not registered";
    return std::unexpected(std::move(error));
  }
  if (in_cluster(registry)) return cluster_->resolve(registry, key, fresh, timeout);
  return std::unexpected(unknown(registry));
}

void LocalNames::forget(std::string_view registry, std::string_view key, const Location& location) {
  if (in_cluster(registry)) cluster_->forget(registry, key, location);
}

void LocalNames::forget_epoch(const Epoch& epoch) {
  if (cluster_ != nullptr) cluster_->forget_epoch(epoch);
}

NameResult<Registration> LocalNames::reserve(std::string_view registry, std::string_view key,
                                             Pid owner, Duration timeout) {
  if (const auto local = find(registry)) {
    if (const auto taken = local->register_name(key, owner); !taken) {
      NameError error;
      error.code = NameError::Code::taken;
      error.holder = taken.error();
      return std::unexpected(std::move(error));
    }
    return Registration{.id = 1, .epoch = {}};
  }
  if (in_cluster(registry)) return cluster_->reserve(registry, key, owner, timeout);
  return std::unexpected(unknown(registry));
}

NameResult<void> LocalNames::confirm(std::string_view registry, std::string_view key,
                                     const Registration& registration, Duration timeout) {
  if (in_cluster(registry)) return cluster_->confirm(registry, key, registration, timeout);
  if (find(registry)) return {};
  return std::unexpected(unknown(registry));
}

void LocalNames::release(std::string_view registry, std::string_view key, const Pid& owner,
                         const Registration& registration) {
  if (const auto local = find(registry)) {
    local->unregister(key, owner);
  } else if (in_cluster(registry)) {
    cluster_->release(registry, key, owner, registration);
  }
}

void LocalNames::process_ended(const Pid& pid) {
  std::shared_lock guard(lock_);
  for (const auto& [name, registry] : local_) registry->remove_process(pid);
}

}  // namespace coterie
