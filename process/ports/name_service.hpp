#pragma once
// The port from names to processes. registry/ implements it; process/ asks it when a call, cast or
// send is addressed to a via name. Functions run in the calling process and may park it.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <coterie/call_error.hpp>
#include <coterie/pid.hpp>
#include <coterie/time.hpp>

namespace coterie {

class ViaRegistry;  // <coterie/via_registry.hpp>

struct Location {
  Pid pid;
  Epoch epoch;          // none for names of local and `available` registries
  bool cached = false;  // may be out of date: the owner checks the epoch and answers `stale`
};

struct NameError {
  enum class Code : std::uint8_t {
    not_found,         // no such name
    no_registry,       // no such registry: a programming or configuration error
    taken,             // already registered: `holder`
    unavailable,       // cannot be decided now (frozen, store away, partition not open)
    data_unavailable,  // the name exists, its past cannot be read now
    quarantined,
    failed,
    stale_view,  // asked in an older view: install the newer one and ask again
  };
  Code code = Code::not_found;
  Pid holder;
  std::string message;
};

template <class T>
using NameResult = std::expected<T, NameError>;

/// A reservation: it exists before the process's init runs, and is invisible until confirmed.
struct Registration {
  std::uint64_t id = 0;  // unregister and confirm go by id only
  Epoch epoch;
};

class NameService {
 public:
  virtual ~NameService() = default;
  /// `fresh`: past every cache, linearizable. Waits at most `timeout`.
  virtual NameResult<Location> resolve(std::string_view registry, std::string_view key, bool fresh,
                                       Duration timeout) = 0;
  /// A `stale` answer came from that location: forget it.
  virtual void forget(std::string_view registry, std::string_view key,
                      const Location& location) = 0;
  /// Nobody runs under that epoch any more: forget the location that has it. Must not park.
  virtual void forget_epoch(const Epoch& epoch) { static_cast<void>(epoch); }
  virtual NameResult<Registration> reserve(std::string_view registry, std::string_view key,
                                           Pid owner, Duration timeout) = 0;
  virtual NameResult<void> confirm(std::string_view registry, std::string_view key,
                                   const Registration& registration, Duration timeout) = 0;
  /// Called for a process that ends, before its DOWN can be seen. Must not park: it starts the
  /// release and returns; a later reserve of the same name on this node waits for it.
  virtual void release(std::string_view registry, std::string_view key, const Pid& owner,
                       const Registration& registration) = 0;
  /// A process that registered by itself, more than once perhaps, ends. Must not park.
  virtual void process_ended(const Pid& pid) { static_cast<void>(pid); }
  /// Names in `name` are asked of `registry` until `owner`, which has noted that it registered,
  /// ends. False if there is a registry of that name.
  virtual bool add_via(const std::string& name, std::shared_ptr<ViaRegistry> registry,
                       const Pid& owner) {
    static_cast<void>(name);
    static_cast<void>(registry);
    static_cast<void>(owner);
    return false;
  }
  /// What add_via has put there; null if nothing.
  virtual std::shared_ptr<ViaRegistry> find_via(std::string_view name) {
    static_cast<void>(name);
    return nullptr;
  }
};

}  // namespace coterie
