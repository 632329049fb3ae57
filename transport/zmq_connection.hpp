#pragma once
// ZeroMQ sockets as protocol.md section 7 wants them, and nothing else of ZeroMQ: a ROUTER that
// only receives, and a DEALER that only sends, made anew for each connection, with a monitor that
// tells what became of it. No heartbeats of ZMTP (they abort programs), no reconnecting (it would
// deliver to the next incarnation), no lingering. Each object belongs to one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <coterie/bytes.hpp>

#include <zmq.hpp>

#include "transport/admission.hpp"

namespace coterie {

/// Above this ZeroMQ closes the connection, in the handshake too; big payloads travel in pieces.
inline constexpr int zmq_message_bytes_max = 1 << 20;

/// Options that every socket of ours has.
void set_common_options(zmq::socket_t& socket, int message_bytes_max = zmq_message_bytes_max);

/// One received message: its frames after the routing id, if it is exactly one.
struct ZmqReceived {
  std::string routing_id;
  zmq::message_t frame;
  bool well_formed = false;
  /// The public key of who sent it (zmq_zap.hpp); empty without encryption. Of the payload's frame:
  /// in a ROUTER's prefetched message the first one has none. Points into `frame`.
  std::string_view user() const noexcept;
};
/// DONTWAIT; nullopt: nothing there.
std::optional<ZmqReceived> receive_routed(zmq::socket_t& router);

/// Wakes a thread that polls; any thread may ring.
class ZmqWake {
 public:
  ZmqWake();
  ~ZmqWake();
  ZmqWake(const ZmqWake&) = delete;
  ZmqWake& operator=(const ZmqWake&) = delete;
  void ring() noexcept;
  void quiet() noexcept;  // by the polling thread, before it looks at what there is
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

/// What ZeroMQ's monitor told, summed up.
/// `refused`: the two sides do not fit: no CURVE on one of them, or an unknown key. `broken_off`:
/// it may be that, or no ZeroMQ at all: the other side hung up before it had said all.
enum class ZmqConnectionEvent : std::uint8_t { none, up, failed, broken_off, refused, down };

/// With what a connection is encrypted; no server key: not at all.
struct DialKeys {
  CurveKeys own;
  std::string server;  // the public key of whom it dials
};

/// Events of one socket's connections, through ZeroMQ's own monitor.
class ZmqMonitor {
 public:
  static constexpr int all_events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                                    ZMQ_EVENT_CLOSED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                    ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  ZmqMonitor(zmq::context_t& context, zmq::socket_t& watched, int events = all_events);
  ZmqConnectionEvent next();  // none: nothing more for now
  void* handle() noexcept { return pair_.handle(); }
  /// Readable when next() may have something, until next() has said none.
  int fd() const { return pair_.get(zmq::sockopt::fd); }

 private:
  zmq::socket_t pair_;
};

/// One connection that this side dials.
class ZmqConnection {
 public:
  /// `type` is dealer; a client's connection also receives.
  ZmqConnection(zmq::context_t& context, const std::string& endpoint,
                int message_bytes_max = zmq_message_bytes_max, const DialKeys& keys = {});
  ~ZmqConnection();
  ZmqConnection(const ZmqConnection&) = delete;
  ZmqConnection& operator=(const ZmqConnection&) = delete;

  ZmqConnectionEvent next_event() { return monitor_->next(); }
  void* monitor_handle() noexcept { return monitor_->handle(); }
  int monitor_fd() const { return monitor_->fd(); }
  void* handle() noexcept { return socket_.handle(); }
  /// Only after `up`. False: not accepted, so the connection is as good as broken.
  bool send(Bytes frame);
  /// Clients only. DONTWAIT.
  std::optional<Bytes> receive();
  /// Let the destructor leave what was sent for so long to the socket.
  void linger(int ms);

 private:
  zmq::socket_t socket_;
  std::unique_ptr<ZmqMonitor> monitor_;
};

}  // namespace coterie
