#pragma once
// The real ClientDoor: the command line, other languages, guardians. One connection carries
// both ways, so it works through NAT; a client is no member, has no session and loses what was
// under way when its connection breaks. Each client's replies wait in a small bounded queue; who
// does not read is dropped with its queue. One thread of its own, so no client disturbs the
// members' lanes.

#include <atomic>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <coterie/log.hpp>

#include "transport/client_door.hpp"
#include "transport/zmq_connection.hpp"
#include "transport/zmq_distribution.hpp"

namespace coterie {

class ClientListener final : public ClientDoor {
 public:
  /// Binds; connections wait until serve().
  static std::expected<std::unique_ptr<ClientListener>, ListenError> open(
      ClientListenerOptions options, const Clock& clock, Log& log, ClientEvents& events,
      OnNotice on_notice);
  /// open() and serve() in one: for events that do not need this object before they have it.
  static std::expected<std::unique_ptr<ClientListener>, ListenError> start(
      ClientListenerOptions options, const Clock& clock, Log& log, ClientEvents& events,
      OnNotice on_notice);
  void serve() override;
  /// Ends the thread and closes all connections; no event follows, reply() answers false. Also
  /// done by the destructor; whoever's events use this object calls it first.
  void stop();
  ~ClientListener() override;

  bool reply(ClientId client, Envelope&& envelope) override;

  const std::string& address() const noexcept override { return address_; }
  std::size_t clients() const;

 private:
  struct ClientLine {
    ClientId id = ClientId::none;
    std::string routing_id, label, user;
    KeyRole role = KeyRole::client;  // of that key
    Time heard_at{};
    std::deque<Bytes> queue;
    std::size_t queued_bytes = 0;
    bool dropped = false;
  };

  ClientListener(ClientListenerOptions options, const Clock& clock, Log& log, ClientEvents& events,
                 OnNotice on_notice);
  std::expected<void, ListenError> bind();
  void run();
  void receive(Time now);
  void on_frame(Time now, const std::string& routing_id, BytesView bytes, const std::string& user);
  void on_hello(Time now, const std::string& routing_id, const wire::ClientHello& hello,
                const std::string& user);
  void on_notice(const std::string& routing_id, const DeathNotice& notice, const std::string& user);
  void on_envelope(ClientLine& client, BytesView bytes);
  void drop_removed_keys();
  void refuse(const std::string& routing_id, wire::Refuse::Code code, std::string text);
  enum class Sent : std::uint8_t { yes, full, gone };
  Sent send(const std::string& routing_id, BytesView frame);
  bool flush();
  void forget(ClientId id, std::string_view why);
  void drop_silent(Time now);

  const ClientListenerOptions options_;
  const Clock& clock_;
  Log& log_;
  ClientEvents& events_;
  const OnNotice on_notice_;
  std::string address_;
  zmq::context_t context_{1};
  ZmqZap zap_;  // outlives the listener
  zmq::socket_t router_;
  ZmqWake wake_;

  // Of the listener's thread.
  std::unordered_map<std::string, ClientId> by_routing_id_;
  std::uint64_t last_id_ = 0;
  std::uint64_t keys_version_ = 0;  // of the allow-list that the clients were checked against

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::unique_ptr<ClientLine>> clients_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace coterie
