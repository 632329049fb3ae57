#pragma once
// Registry: processes by key, keys chosen at run time. The counterpart of Elixir's Registry: with
// unique keys a directory of names for via(...), with duplicate keys a local publish-subscribe. A
// registry of cluster scope resolves on every node that has started it, with at most one process
// per name at any instant, or, in mode `available`, with every side of a cluster that has come
// apart going on (docs/names.md).
//
//   Registry::start_link({.name = "sessions"});
//   GenServer::start_link<Session>({.name = via("sessions", "session-123")}, ...);
//   call(via("sessions", "session-123"), Session::Touch{});
//
//   Registry::start_link({.name = "events", .keys = Keys::duplicate});
//   Registry::register_name("events", "payments", Filter{.above = 100});   // subscribe
//   Registry::dispatch("events", "payments", [&](std::span<const RegistryEntry> entries) {
//     for (const auto& [pid, value] : entries) send(pid, event);
//   });
//
// A registration goes with its process, before anybody can see its end: unlike Elixir's, a look-up
// never finds a dead process. A registrant is linked to the registry: if that dies, so does it.
// The functions act for the calling process and take no process's turn: they work on a table that
// all threads share. Everything but names is for local registries. An unknown registry throws
// std::invalid_argument: that is a mistake in the program. Predicates and callbacks are called
// without any lock and may use the registry.

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <coterie/gen_server.hpp>
#include <coterie/registry_value.hpp>

namespace coterie {

struct ChildSpec;  // <coterie/child_spec.hpp>

enum class Scope : std::uint8_t { local, cluster };

/// What a registry of cluster scope does while the cluster is cut in two.
enum class Mode : std::uint8_t {
  strict,     // one process per name at every instant; without the majority nothing is decided
  available,  // every side goes on; of two processes with one name one is ended after the heal
};

/// Who has a name of an `available` registry. A registration's epoch is greater than that of all
/// that its node had seen in the registry.
struct NameClaim {
  std::string key;
  Pid pid;
  std::uint64_t epoch = 0;
};

struct RegistryOptions {
  std::string name;
  Scope scope = Scope::local;
  Mode mode = Mode::strict;  // of cluster scope
  /// Of two claims of one name in an `available` registry: whether the first survives rather than
  /// the second. A strict weak order, the same on all nodes; it must not wait or have effects. By
  /// default the older registration survives.
  std::function<bool(const NameClaim& one, const NameClaim& other)> survives{};
  /// Duplicate ones in a cluster are process groups: <coterie/process_groups.hpp>.
  Keys keys = Keys::unique;
  /// Local names of processes that get a Registered and an Unregistered for each change.
  std::vector<std::string> listeners{};
  /// Into how many processes a parallel dispatch is divided. (The table itself is always divided.)
  std::size_t partitions = 1;
  std::map<std::string, RegistryValue> meta{};
};

/// Who has the key.
struct AlreadyRegistered {
  Pid holder{};
};

struct DispatchOptions {
  bool parallel = false;
};

class Registry final : public GenServer {
 public:
  /// Fails with already_started if the node has a registry of that name.
  static std::expected<Pid, StartError> start_link(RegistryOptions options);
  static std::expected<Pid, StartError> start(RegistryOptions options);
  /// A ChildSpec, for which <coterie/child_spec.hpp> is needed. Its id is the registry's name.
  template <class Spec = ChildSpec>
  static Spec child_spec(RegistryOptions options) {
    Spec spec;
    spec.id = options.name;
    spec.type = decltype(spec.type)::supervisor;
    spec.start = [options = std::move(options)] { return start_link(options); };
    return spec;
  }

  // ---- the calling process's own registrations

  /// The registry's process. O(1). With duplicate keys it never fails.
  static std::expected<Pid, AlreadyRegistered> register_name(const std::string& registry,
                                                             const std::string& key,
                                                             RegistryValue value = {});
  /// All of its registrations of that key; false if it has none. O(1) for each, however many keys
  /// the process has and however many processes the key.
  static bool unregister(const std::string& registry, const std::string& key);
  /// Those whose value `matches`; how many there were. With a type: predicates on T alone.
  static std::size_t unregister_match(const std::string& registry, const std::string& key,
                                      const std::function<bool(const RegistryValue&)>& matches);
  template <class T, class Matches>
  static std::size_t unregister_match(const std::string& registry, const std::string& key,
                                      Matches matches) {
    return unregister_match(registry, key, typed<T>(std::move(matches)));
  }
  /// The value becomes update(old): {new, old}, or nothing if the key is not the calling process's.
  /// Unique keys only; with duplicate ones std::invalid_argument.
  static std::optional<std::pair<RegistryValue, RegistryValue>> update_value(
      const std::string& registry, const std::string& key,
      const std::function<RegistryValue(const RegistryValue&)>& update);
  /// The same for a value that is a T; nothing either if it is none.
  template <class T, class Update>
  static std::optional<std::pair<T, T>> update_value(const std::string& registry,
                                                     const std::string& key, Update update) {
    const auto changed = update_value(registry, key, [&](const RegistryValue& old) {
      const T* value = old.get<T>();
      return value == nullptr ? old : RegistryValue(T(update(*value)));
    });
    if (!changed || changed->second.template get<T>() == nullptr) return std::nullopt;
    return std::pair(*changed->first.template get<T>(), *changed->second.template get<T>());
  }

  // ---- anybody's

  /// Whom via(registry, key) leads to. Unique keys; nothing if there is nobody.
  static std::optional<Pid> whereis_name(const std::string& registry, const std::string& key);
  /// All registrations of the key, oldest first: at most one with unique keys.
  static std::vector<RegistryEntry> lookup(const std::string& registry, const std::string& key);
  /// Those whose value `matches`.
  static std::vector<RegistryEntry> match(const std::string& registry, const std::string& key,
                                          const std::function<bool(const RegistryValue&)>& matches);
  template <class T, class Matches>
  static std::vector<RegistryEntry> match(const std::string& registry, const std::string& key,
                                          Matches matches) {
    return match(registry, key, typed<T>(std::move(matches)));
  }
  static std::size_t count_match(const std::string& registry, const std::string& key,
                                 const std::function<bool(const RegistryValue&)>& matches);
  template <class T, class Matches>
  static std::size_t count_match(const std::string& registry, const std::string& key,
                                 Matches matches) {
    return count_match(registry, key, typed<T>(std::move(matches)));
  }
  /// Rows of the whole registry, in no order. O(n).
  static std::vector<RegistryRow> select(
      const std::string& registry,
      const std::function<bool(const RegistryRow&)>& matches = [](const auto&) { return true; });
  static std::size_t count_select(const std::string& registry,
                                  const std::function<bool(const RegistryRow&)>& matches);
  /// The keys of `pid`, sorted; with duplicate keys once for each registration.
  static std::vector<std::string> keys(const std::string& registry, const Pid& pid);
  /// The values of `pid` under that key, oldest first.
  static std::vector<RegistryValue> values(const std::string& registry, const std::string& key,
                                           const Pid& pid);
  static std::size_t count(const std::string& registry);

  /// Calls `callback` with all entries of the key, unless there are none: in the calling process,
  /// or, in parallel, in linked ones with a part each, and waits for them.
  static void dispatch(const std::string& registry, const std::string& key,
                       const std::function<void(std::span<const RegistryEntry>)>& callback,
                       DispatchOptions options = {});

  // ---- of the registry itself

  static std::optional<RegistryValue> meta(const std::string& registry, const std::string& key);
  static void put_meta(const std::string& registry, const std::string& key, RegistryValue value);
  static void delete_meta(const std::string& registry, const std::string& key);

  /// Runs `run` in the calling process while nobody else holds a lock of that key, and returns what
  /// it returns. First come, first served; who ends meanwhile gives it back. Not reentrant. The
  /// lock says nothing about registrations.
  template <class F>
  static std::invoke_result_t<F&> lock(const std::string& registry, const std::string& lock_key,
                                       F run) {
    const Locked locked(registry, lock_key);
    return run();
  }

  // ---- what listeners get

  struct Registered {
    static constexpr std::string_view type_name = "register";
    std::string registry{};
    std::string key{};
    Pid pid{};
    RegistryValue value{};
  };
  struct Unregistered {
    static constexpr std::string_view type_name = "unregister";
    std::string registry{};
    std::string key{};
    Pid pid{};
  };

  // ---- the protocol

  struct Lock {
    using Reply = bool;
    explicit Lock(std::string k) : key(std::move(k)) {}
    std::string key;
  };
  struct Unlock {
    explicit Unlock(std::string k) : key(std::move(k)) {}
    std::string key;
    Pid holder = self();
  };
  using Calls = Messages<Lock>;
  using Casts = Messages<Unlock>;
  using Infos = Messages<Exit, Down>;

  explicit Registry(RegistryOptions options) : options_(std::move(options)) {}
  ~Registry();
  Init init();
  void terminate(const ExitReason& reason) { reason_ = reason; }
  void handle_call(const Lock& request, From<Lock> from);
  void handle_cast(const Unlock& request);
  void handle_info(const Exit&) {}
  void handle_info(const Down& down);
  /// What sys and crash reports show: keys, how many registrations, listeners, locks.
  std::string format_status() const;

 private:
  class Locked {
   public:
    Locked(const std::string& registry, const std::string& key);
    ~Locked();
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

   private:
    Pid registry_;
    std::string key_;
  };
  /// Those who hold or want one key; the first one has it.
  struct Turn {
    Ref monitor = Ref::none;
    From<Lock> from;
  };

  template <class T, class Matches>
  static std::function<bool(const RegistryValue&)> typed(Matches matches) {
    return [matches = std::move(matches)](const RegistryValue& value) {
      const T* held = value.template get<T>();
      return held != nullptr && matches(*held);
    };
  }
  using Locks = std::map<std::string, std::vector<Turn>>;
  void leave(Locks::iterator turns, std::size_t position);

  RegistryOptions options_;
  ExitReason reason_ = ExitReason::killed();  // unless terminate says otherwise
  bool added_ = false;
  Locks locks_;
};

}  // namespace coterie
