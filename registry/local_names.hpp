#pragma once
// The NameService of a node: its local registries first, then, for names of the whole cluster, the
// service behind it. A registry exists once its process has been started (<coterie/registry.hpp>)
// or the composition root has declared it; a name in one that does not exist is an error at once.
// Thread-safe.

#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <string>

#include "process/ports/name_service.hpp"
#include "registry/local_registry.hpp"

namespace coterie {

class LocalNames final : public NameService {
 public:
  /// `cluster` serves the registries that span the cluster; nullptr: this node has none.
  explicit LocalNames(NameService* cluster = nullptr) : cluster_(cluster) {}

  /// Null if there is a registry of that name already.
  std::shared_ptr<LocalRegistry> add_local(const std::string& name);
  /// False if a local registry has that name, or this node is in no cluster.
  bool add_cluster(const std::string& name);
  void remove(const std::string& name);
  std::shared_ptr<LocalRegistry> find(std::string_view name) const;

  NameResult<Location> resolve(std::string_view registry, std::string_view key, bool fresh,
                               Duration timeout) override;
  void forget(std::string_view registry, std::string_view key, const Location& location) override;
  void forget_epoch(const Epoch& epoch) override;
  NameResult<Registration> reserve(std::string_view registry, std::string_view key, Pid owner,
                                   Duration timeout) override;
  NameResult<void> confirm(std::string_view registry, std::string_view key,
                           const Registration& registration, Duration timeout) override;
  void release(std::string_view registry, std::string_view key, const Pid& owner,
               const Registration& registration) override;
  void process_ended(const Pid& pid) override;

 private:
  bool in_cluster(std::string_view registry) const;
  static NameError unknown(std::string_view registry);

  NameService* const cluster_;
  mutable std::shared_mutex lock_;
  std::map<std::string, std::shared_ptr<LocalRegistry>, std::less<>> local_;
  std::set<std::string, std::less<>> spanning_;
};

}  // namespace coterie
