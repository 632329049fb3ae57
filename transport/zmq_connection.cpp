#include "transport/zmq_connection.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <system_error>

namespace coterie {
namespace {

// A copy of less costs less than an allocation.
constexpr std::size_t copied_below = 4096;

/// Called by ZeroMQ's I/O thread when it has sent the frame.
void free_sent_frame(void*, void* bytes) { delete static_cast<Bytes*>(bytes); }

zmq::message_t message_of(Bytes frame) {
  auto kept = std::make_unique<Bytes>(std::move(frame));
  char* const data = kept->data();
  const std::size_t size = kept->size();
  return zmq::message_t(data, size, &free_sent_frame, kept.release());
}

}  // namespace

void set_common_options(zmq::socket_t& socket, int message_bytes_max) {
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::maxmsgsize, std::int64_t{message_bytes_max});
  socket.set(zmq::sockopt::handshake_ivl, 3000);
  // Of connections that wait to be accepted: past it the kernel drops the next one's request, and
  // an honest one that dials among a crowd asks again a second later.
  socket.set(zmq::sockopt::backlog, 1024);
  // A host that is gone without a word is noticed by the kernel too, after 10 + 3 x 5 s.
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::tcp_keepalive_idle, 10);
  socket.set(zmq::sockopt::tcp_keepalive_intvl, 5);
  socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
}

std::optional<ZmqReceived> receive_routed(zmq::socket_t& router) {
  zmq::message_t id;
  if (!router.recv(id, zmq::recv_flags::dontwait)) return std::nullopt;
  ZmqReceived received;
  received.routing_id = id.to_string();
  int frames = 0;
  // The parts of a message arrive together, so DONTWAIT finds them all.
  bool more = id.more();
  while (more) {
    zmq::message_t part;
    if (!router.recv(part, zmq::recv_flags::dontwait)) break;
    more = part.more();
    if (++frames == 1) received.frame = std::move(part);
  }
  received.well_formed = frames == 1;
  return received;
}

std::string_view ZmqReceived::user() const noexcept {
  const char* user = zmq_msg_gets(const_cast<zmq_msg_t*>(frame.handle()), "User-Id");
  return user ? user : "";
}

ZmqWake::ZmqWake() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}
ZmqWake::~ZmqWake() { ::close(fd_); }
void ZmqWake::ring() noexcept {
  const std::uint64_t one = 1;
  // Full means that it rings already.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}
void ZmqWake::quiet() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

ZmqMonitor::ZmqMonitor(zmq::context_t& context, zmq::socket_t& watched, int events)
    : pair_(context, zmq::socket_type::pair) {
  // Relaxed: the number only has to be another each time.
  static std::atomic<std::uint64_t> last{0};
  const std::string endpoint =
      "inproc://monitor-" + std::to_string(last.fetch_add(1, std::memory_order_relaxed));
  if (zmq_socket_monitor(watched.handle(), endpoint.c_str(), events) != 0) throw zmq::error_t();
  pair_.set(zmq::sockopt::linger, 0);
  pair_.connect(endpoint);
  // Only what comes after a read that found nothing makes fd() readable.
  zmq::message_t nothing;
  (void)pair_.recv(nothing, zmq::recv_flags::dontwait);
}

ZmqConnectionEvent ZmqMonitor::next() {
  while (true) {
    zmq::message_t event;
    if (!pair_.recv(event, zmq::recv_flags::dontwait)) return ZmqConnectionEvent::none;
    zmq::message_t address;
    if (event.more()) (void)pair_.recv(address, zmq::recv_flags::dontwait);
    std::uint16_t kind = 0;
    if (event.size() < sizeof kind) continue;
    std::memcpy(&kind, event.data(), sizeof kind);
    switch (kind) {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return ZmqConnectionEvent::up;
      case ZMQ_EVENT_DISCONNECTED:
        return ZmqConnectionEvent::down;
      case ZMQ_EVENT_CLOSED:
        return ZmqConnectionEvent::failed;
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return ZmqConnectionEvent::broken_off;
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return ZmqConnectionEvent::refused;
      default:
        break;
    }
  }
}

ZmqConnection::ZmqConnection(zmq::context_t& context, const std::string& endpoint,
                             int message_bytes_max, const DialKeys& keys)
    : socket_(context, zmq::socket_type::dealer) {
  set_common_options(socket_, message_bytes_max);
  socket_.set(zmq::sockopt::reconnect_ivl, -1);
  socket_.set(zmq::sockopt::immediate, true);
  socket_.set(zmq::sockopt::connect_timeout, 2500);
  socket_.set(zmq::sockopt::ipv6, endpoint.starts_with("tcp://["));
  socket_.set(zmq::sockopt::sndhwm, 0);  // our own window is the bound
  if (!keys.server.empty()) {
    socket_.set(zmq::sockopt::curve_serverkey, keys.server);
    socket_.set(zmq::sockopt::curve_publickey, keys.own.public_key);
    socket_.set(zmq::sockopt::curve_secretkey, keys.own.secret_key);
  }
  monitor_ = std::make_unique<ZmqMonitor>(context, socket_);
  socket_.connect(endpoint);
}

ZmqConnection::~ZmqConnection() {
  // The watched socket first, or its I/O thread would write to a monitor that is gone.
  zmq_socket_monitor(socket_.handle(), nullptr, 0);
  socket_.close();
}

bool ZmqConnection::send(Bytes frame) {
  zmq::message_t message = frame.size() < copied_below ? zmq::message_t(frame.data(), frame.size())
                                                       : message_of(std::move(frame));
  if (socket_.send(message, zmq::send_flags::dontwait)) return true;
  // The pipe of a new connection is attached when the socket handles its commands; asking for its
  // events does that now.
  (void)socket_.get(zmq::sockopt::events);
  return socket_.send(message, zmq::send_flags::dontwait).has_value();
}

std::optional<Bytes> ZmqConnection::receive() {
  zmq::message_t message;
  if (!socket_.recv(message, zmq::recv_flags::dontwait)) return std::nullopt;
  Bytes bytes(static_cast<const char*>(message.data()), message.size());
  bool more = message.more();
  while (more) {  // never from a node of ours: the frame is then taken for malformed
    bytes.clear();
    if (!socket_.recv(message, zmq::recv_flags::dontwait)) break;
    more = message.more();
  }
  return bytes;
}

void ZmqConnection::linger(int ms) { socket_.set(zmq::sockopt::linger, ms); }

}  // namespace coterie
