#pragma once
// A TCP proxy for one link, with the faults that a kernel without netem cannot make: reset all
// connections, delay, stall (accepts and carries nothing), cut one way, refuse. One thread with
// poll; faults may be switched from any thread. Also what `do = "reset"`, "delay" and "one_way" of
// scenario files use between real processes.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <list>
#include <string>
#include <thread>
#include <vector>

namespace coterie::testing {

class TcpProxy {
 public:
  /// Listens on 127.0.0.1, any port, and connects to 127.0.0.1:target.
  explicit TcpProxy(std::uint16_t target) : target_(target) {
    open_listener(0);
    thread_ = std::thread([this] { run(); });
  }
  ~TcpProxy() {
    stop_ = true;
    thread_.join();
    for (Pair& pair : pairs_) close_pair(pair, false);
    if (listener_ >= 0) ::close(listener_);
  }
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void set_target(std::uint16_t target) { target_ = target; }
  /// All present connections get a TCP reset on both sides; what is in them is lost.
  void reset() { ++resets_; }
  /// Bytes are held so long, each way.
  void delay_ms(int ms) { delay_ms_ = ms; }
  /// Nothing is read any more from whoever dialled (forward) or from the target (backward).
  void stall(bool forward, bool backward) { stall_forward_ = forward, stall_backward_ = backward; }
  /// New connections are refused while `on`; present ones stay.
  void refuse(bool on) { refuse_ = on; }
  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Chunk {
    Clock::time_point due;
    std::string bytes;
  };
  struct Direction {
    int from = -1, to = -1;
    std::deque<Chunk> chunks;
    std::size_t held = 0;
    bool ended = false;
  };
  struct Pair {
    Direction forward, backward;
  };

  void open_listener(std::uint16_t port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = local(port);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 64) != 0) {
      ::close(listener_);
      listener_ = -1;
      return;
    }
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  static sockaddr_in local(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  void accept_new() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = local(target_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      reset_socket(client);
      ::close(server);
      return;
    }
    ++accepted_;
    const int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Pair& pair = pairs_.emplace_back();
    pair.forward.from = pair.backward.to = client;
    pair.forward.to = pair.backward.from = server;
  }
  static void reset_socket(int fd) {
    const linger now{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(fd);
  }
  static void close_pair(Pair& pair, bool reset) {
    for (const int fd : {pair.forward.from, pair.forward.to}) {
      reset ? reset_socket(fd) : void(::close(fd));
    }
  }

  /// False: the connection has ended.
  bool carry(Direction& d, bool readable, bool stalled) {
    if (readable && !stalled && d.held < (1u << 20)) {
      char buffer[64 << 10];
      const ssize_t got = ::recv(d.from, buffer, sizeof buffer, MSG_DONTWAIT);
      if (got == 0) d.ended = true;
      if (got < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (got > 0) {
        d.held += static_cast<std::size_t>(got);
        d.chunks.push_back({Clock::now() + std::chrono::milliseconds(delay_ms_.load()),
                            std::string(buffer, static_cast<std::size_t>(got))});
      }
    }
    while (!d.chunks.empty() && d.chunks.front().due <= Clock::now() && !stalled) {
      Chunk& chunk = d.chunks.front();
      const ssize_t put =
          ::send(d.to, chunk.bytes.data(), chunk.bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put < 0) return errno == EAGAIN || errno == EINTR;
      bytes_ += static_cast<std::uint64_t>(put);
      d.held -= static_cast<std::size_t>(put);
      chunk.bytes.erase(0, static_cast<std::size_t>(put));
      if (!chunk.bytes.empty()) break;
      d.chunks.pop_front();
    }
    return !d.ended || !d.chunks.empty();
  }

  void run() {
    std::uint64_t resets_done = 0;
    while (!stop_) {
      const bool refuse = refuse_;
      if (refuse && listener_ >= 0) ::close(listener_), listener_ = -1;
      if (!refuse && listener_ < 0) open_listener(port_);
      if (resets_ != resets_done) {
        resets_done = resets_;
        for (Pair& pair : pairs_) close_pair(pair, true);
        pairs_.clear();
      }
      const bool stall_forward = stall_forward_, stall_backward = stall_backward_;
      std::vector<pollfd> fds{{listener_, POLLIN, 0}};
      int timeout = 5;
      for (Pair& pair : pairs_) {
        const bool reading = !stall_forward && !pair.forward.ended;
        fds.push_back({reading ? pair.forward.from : -1, POLLIN, 0});
        const bool reading_back = !stall_backward && !pair.backward.ended;
        fds.push_back({reading_back ? pair.backward.from : -1, POLLIN, 0});
        if (!pair.forward.chunks.empty() || !pair.backward.chunks.empty()) timeout = 1;
      }
      ::poll(fds.data(), fds.size(), timeout);
      std::size_t i = 1;
      for (auto pair = pairs_.begin(); pair != pairs_.end(); i += 2) {
        const bool alive = carry(pair->forward, fds[i].revents != 0, stall_forward) &&
                           carry(pair->backward, fds[i + 1].revents != 0, stall_backward);
        if (!alive) close_pair(*pair, false);
        pair = alive ? std::next(pair) : pairs_.erase(pair);
      }
      if (fds[0].revents != 0) accept_new();
    }
  }

  std::atomic<std::uint16_t> target_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::list<Pair> pairs_;
  std::atomic<std::uint64_t> resets_{0}, accepted_{0}, bytes_{0};
  std::atomic<int> delay_ms_{0};
  std::atomic<bool> stall_forward_{false}, stall_backward_{false}, refuse_{false}, stop_{false};
  std::thread thread_;
};

}  // namespace coterie::testing
