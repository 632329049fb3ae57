#pragma once
// The NameService of a node: what stands behind via(registry, key). A registry is local (a table
// here), of the whole cluster (the service behind this one), or the program's own (ViaRegistry). It
// exists once its process has been started (<coterie/registry.hpp>) or the composition root has
// declared it; a name in one that does not exist is an error at once.
//
// Thread-safe. Finding a registry takes no lock: one that has been named once keeps its place for
// the node's life, open or not.

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <coterie/registry_value.hpp>
#include <coterie/via_registry.hpp>

#include "process/ports/name_service.hpp"
#include "registry/local_registry.hpp"

namespace coterie {

namespace detail {
class Runtime;
}

/// A registry that works here, and what belongs to it beside its table.
class LocalPlace final {
 public:
  explicit LocalPlace(std::string n) : name(std::move(n)) {}

  const std::string name;
  LocalRegistry table;
  /// Tells the listeners. Any process.
  void announce_registered(std::string_view key, const Pid& pid, const RegistryValue& value) const;
  void announce_unregistered(std::string_view key, const Pid& pid) const;

  std::optional<RegistryValue> meta(const std::string& key) const;
  std::map<std::string, RegistryValue> meta() const;
  void put_meta(const std::string& key, RegistryValue value);
  void delete_meta(const std::string& key);

  std::size_t partitions() const noexcept { return partitions_.load(std::memory_order_relaxed); }
  /// The registry's process; none if it is closed.
  Pid owner() const;
  std::vector<std::string> listeners() const;
  bool listened() const noexcept { return listened_.load(std::memory_order_acquire); }

 private:
  friend class LocalNames;
  detail::Runtime* runtime_of() const;
  void note_held(std::string_view key, const Registration& registration);
  void note_released(std::string_view key, const Registration& registration);

  enum class Kind : std::uint8_t { closed, changing, local, cluster, own };

  std::atomic<Kind> kind_{Kind::closed};
  std::atomic<std::size_t> partitions_{1};
  std::atomic<bool> listened_{false};
  std::atomic<bool> listed_{false};  // held_ is kept
  // Never changed once they can be seen.
  LocalPlace* next_ = nullptr;        // in the directory
  LocalPlace* next_place_ = nullptr;  // of all

  mutable std::mutex mutex_;  // guards the rest
  Pid owner_;
  detail::Runtime* runtime_ = nullptr;
  std::vector<std::string> listeners_;
  std::map<std::string, RegistryValue> meta_;
  std::shared_ptr<ViaRegistry> own_;
  std::map<std::string, std::uint64_t, std::less<>> held_;  // keys of the cluster's, registrations
};

class LocalNames final : public NameService {
 public:
  /// `cluster` serves the registries that span the cluster; nullptr: this node has none.
  explicit LocalNames(NameService* cluster = nullptr) : cluster_(cluster) {}
  ~LocalNames() override;

  struct Opening {
    Keys keys = Keys::unique;
    Pid owner{};
    detail::Runtime* runtime = nullptr;  // of the listeners
    std::vector<std::string> listeners{};
    std::size_t partitions = 1;
    std::map<std::string, RegistryValue> meta{};
  };
  /// False if there is a registry of that name already.
  bool open_local(const std::string& name, Opening opening);
  /// The processes that were registered in it.
  std::vector<Pid> close_local(const std::string& name);
  /// Null unless there is an open one.
  LocalPlace* find_local(std::string_view name) const noexcept;
  /// False if another registry has that name, or this node is in no cluster. `listed`: held() knows
  /// its names.
  bool add_cluster(const std::string& name, bool listed = false);
  /// Keys of that registry that processes of this node have, sorted.
  std::vector<std::string> held(std::string_view registry) const;
  bool add_via(const std::string& name, std::shared_ptr<ViaRegistry> registry,
               const Pid& owner) override;
  std::shared_ptr<ViaRegistry> find_via(std::string_view name) override;

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
  using Kind = LocalPlace::Kind;

  LocalPlace* find(std::string_view name) const noexcept;
  LocalPlace& place(const std::string& name);  // makes it if there is none
  static std::shared_ptr<ViaRegistry> own(const LocalPlace& place);
  static void remove_own(LocalPlace& place, const Pid& owner);
  static NameError unknown(std::string_view registry);

  NameService* const cluster_;
  std::mutex lock_;  // of those who add places
  std::array<std::atomic<LocalPlace*>, 256> directory_{};
  std::atomic<LocalPlace*> places_{nullptr};
};

}  // namespace coterie
