#pragma once
// Global: cluster-wide names and locks. The counterpart of OTP's global, on top of strict names:
// a name has one owner at every instant, also while the cluster is cut in two.
//
//   Global::register_name("leader", self());           // or .name = global("leader") at the start
//   Global::send("leader", Hello{});                   // as send(global("leader"), Hello{})
//   call(global("leader"), Ask{});
//   auto sum = Global::trans({"ledger"}, [](Epoch token) { return write_all(token); });
//
// Because names are strict there is nothing to resolve after a partition, so there are no
// resolvers: the majority's side keeps its names, and a process that holds one does nothing while
// its node is frozen (docs/failover.md). From its registration on a process is gated like one that
// was started under its name, and messages to the name are refused by all others. A process has one
// such name at most, and none beside a via name that it was started with.
//
// The functions wait for storage or other nodes, at most `timeout`, and may be called by any
// process of a cluster's node; elsewhere they answer `unavailable`. Nothing here is needed by
// servers that are started with a name.

#include <cstdint>
#include <expected>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <coterie/process.hpp>

namespace coterie {

class Global final {
 public:
  Global() = delete;

  struct Error {
    enum class Code : std::uint8_t {
      taken,        // the name has another `holder`
      has_name,     // the process has another name
      noproc,       // no such process
      not_found,    // nobody has the name
      unavailable,  // cannot be decided now: frozen, majority or storage away, time over
    };
    Code code = Code::unavailable;
    Pid holder{};
    std::string detail{};
  };
  template <class T>
  using Result = std::expected<T, Error>;
  static constexpr Duration default_timeout = std::chrono::seconds(10);

  // ---- names

  /// Gives the name to the process, of any node, unless somebody has it. The process holds it until
  /// it ends; the epoch fences what it writes. A process is asked between two of its callbacks.
  static Result<Epoch> register_name(const std::string& name, const Pid& pid,
                                     Duration timeout = default_timeout);
  /// The same, and takes it from whoever has it, who lives on without a name. For a moment nobody
  /// has it.
  static Result<Epoch> re_register_name(const std::string& name, const Pid& pid,
                                        Duration timeout = default_timeout);
  /// Nobody has the name when it returns, unless somebody has taken it again.
  static Result<void> unregister_name(const std::string& name, Duration timeout = default_timeout);
  /// Past all caches: who has it at some moment of the call.
  static Result<Pid> whereis_name(const std::string& name, Duration timeout = default_timeout);
  template <class T>
  static std::expected<void, CallError> send(const std::string& name, T message) {
    return try_send(global(name), std::move(message));
  }
  /// Of all nodes that answer in time, sorted; locks are not among them.
  static std::vector<std::string> registered_names(Duration timeout = default_timeout);

  // ---- locks

  /// A lock is held for its requester: whoever names the same one gets it, too.
  struct LockId {
    std::string resource{};
    std::string requester{};  // none: the calling process
  };
  static constexpr int forever = std::numeric_limits<int>::max();

  /// Tries at once and up to `retries` times more, with growing pauses; nothing: another requester
  /// has the lock, or it cannot be decided. The epoch is greater than that of every earlier holder:
  /// a fencing token for what the lock protects. The calling process holds it, as often as it has
  /// set it, until it deletes it, ends, or its node is gone.
  static std::optional<Epoch> set_lock(const LockId& id, int retries = forever);
  /// One set_lock of the calling process is taken back; false: it holds no such lock.
  static bool del_lock(const LockId& id);
  /// run() or run(token) in the calling process while it holds the lock; nothing, OTP's `aborted`,
  /// if it did not get it. For run() without a result: whether it ran.
  template <class F>
  static auto trans(const LockId& id, F run, int retries = forever) {
    const Held held(id, retries);
    const auto invoke = [&] {
      if constexpr (std::is_invocable_v<F&, Epoch>) {
        return run(*held.token);
      } else {
        return run();
      }
    };
    using R = decltype(invoke());
    if constexpr (std::is_void_v<R>) {
      if (held.token) invoke();
      return held.token.has_value();
    } else {
      return held.token ? std::optional<R>(invoke()) : std::nullopt;
    }
  }

 private:
  struct Held {
    Held(LockId lock, int retries);
    ~Held();
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    const LockId id;
    const std::optional<Epoch> token;
  };
};

std::string to_string(const Global::Error& error);

}  // namespace coterie

template <>
class std::bad_expected_access<coterie::Global::Error>
    : public coterie::detail::BadResult<coterie::Global::Error> {
 public:
  using BadResult::BadResult;
};
