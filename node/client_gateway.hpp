#pragma once
// What clients ask of a node, run as processes of it: each call of a client is a small process that
// makes the call, so it may go to any node, park, and be ended when its client is gone.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <coterie/application.hpp>

#include "process/runtime.hpp"
#include "transport/client_door.hpp"

namespace coterie {

class ClientGateway final : public ClientEvents {
 public:
  struct Options {
    std::size_t calls_max = 16'384;  // under way at once; more are answered `overloaded`
  };
  /// `runtime` and `kinds` outlive the gateway.
  ClientGateway(detail::Runtime& runtime, const std::vector<ClusterKind>& kinds, Options options)
      : runtime_(runtime), kinds_(kinds), options_(options) {}

  /// The door that carries the answers; set once, before the first call.
  void set_door(ClientDoor* door) noexcept { door_.store(door); }

  void client_call(ClientId client, Envelope&& envelope) override;
  void client_gone(ClientId client) override;

  std::size_t calls() const;

 private:
  friend class ClientCall;
  using Key = std::pair<ClientId, Ref>;

  void finish(const Key& key, Envelope&& answer);
  void forget(const Key& key);
  const ClusterKind* kind_started_by(const Target& target, std::string_view type) const;
  static Envelope failure(Ref ref, const CallError& error);

  detail::Runtime& runtime_;
  const std::vector<ClusterKind>& kinds_;
  const Options options_;
  std::atomic<ClientDoor*> door_{nullptr};
  mutable std::mutex lock_;
  std::map<Key, Pid> calls_;
};

}  // namespace coterie
