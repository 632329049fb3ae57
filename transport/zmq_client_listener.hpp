#pragma once
// The listener for clients: the command line, other languages, guardians. One connection carries
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

#include "process/envelope.hpp"
#include "transport/notice.hpp"
#include "transport/zmq_connection.hpp"
#include "transport/zmq_distribution.hpp"

namespace coterie {

/// One connection of a client; never used again.
enum class ClientId : std::uint64_t { none = 0 };

/// Called on the listener's thread. Must not block.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  /// A call, cast or cancel to a pid, a local name or a via name. `from` is none; a call is
  /// answered once, with reply() and its ref.
  virtual void client_call(ClientId client, Envelope&& envelope) = 0;
  /// It said bye, was silent, or did not read: its calls need no answer any more.
  virtual void client_gone(ClientId client) = 0;
};

struct ClientListenerOptions {
  std::string cluster_id;
  std::string node;
  Incarnation incarnation;
  std::string listen;                    // host:port; port 0: any
  std::shared_ptr<Admission> admission;  // null: nothing is encrypted, everybody is trusted
  std::size_t clients_max = 1024;
  std::size_t clients_per_key = 256;               // so that no holder takes all
  std::size_t queue_messages = 16'384;             // replies that wait for one client
  std::size_t queue_bytes = std::size_t{8} << 20;  // likewise; one reply may be above it
  std::size_t reply_bytes_max = std::size_t{64} << 20;
  Duration silent_after = std::chrono::seconds(15);  // a client beats every 2 s
};

class ClientListener final {
 public:
  /// Decides about a guardian's notice: look up the key of that incarnation, judge_notice(), and
  /// when it is accepted tell the agreement and the distribution. Called on the listener's thread.
  using OnNotice = std::function<NoticeTaken(const DeathNotice&)>;

  /// Binds; connections wait until serve().
  static std::expected<std::unique_ptr<ClientListener>, ListenError> open(
      ClientListenerOptions options, const Clock& clock, Log& log, ClientEvents& events,
      OnNotice on_notice);
  /// open() and serve() in one: for events that do not need this object before they have it.
  static std::expected<std::unique_ptr<ClientListener>, ListenError> start(
      ClientListenerOptions options, const Clock& clock, Log& log, ClientEvents& events,
      OnNotice on_notice);
  /// Starts the thread, once. Events come from now on, so they may use this object.
  void serve();
  /// Ends the thread and closes all connections; no event follows, reply() answers false. Also
  /// done by the destructor; whoever's events use this object calls it first.
  void stop();
  ~ClientListener();
  ClientListener(const ClientListener&) = delete;
  ClientListener& operator=(const ClientListener&) = delete;

  /// Any thread, never blocks. `envelope` is a reply or call_failed. False: the client is gone.
  bool reply(ClientId client, Envelope&& envelope);

  const std::string& address() const noexcept { return address_; }
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
