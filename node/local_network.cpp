#include "node/local_network.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "node/address.hpp"
#include "process/thread_start.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

// So often a proxy asks whether the listener behind it is there again.
constexpr Duration look_interval = 25ms;
constexpr int backlog = 1024;
// A listener on this machine answers at once; one that does not is full, not away.
constexpr int connect_ms = 2;

struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};

std::expected<SocketAddress, std::string> socket_address(const std::string& text) {
  const auto parsed = parse_address(text);
  if (!parsed) return std::unexpected(parsed.error());
  SocketAddress address;
  auto* four = reinterpret_cast<sockaddr_in*>(&address.bytes);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address.bytes);
  const char* host = parsed->host == "localhost" ? "127.0.0.1" : parsed->host.c_str();
  if (::inet_pton(AF_INET, host, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(parsed->port);
    address.size = sizeof *four;
  } else if (::inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(parsed->port);
    address.size = sizeof *six;
  } else {
    return std::unexpected(text + ": expected a numeric address of this machine");
  }
  return address;
}

FileDescriptor tcp_socket(const SocketAddress& address) {
  FileDescriptor made(
      ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  // Frames go on as they come.
  static_cast<void>(::setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  return made;
}

/// None: refused.
FileDescriptor connect_to(const std::string& target) {
  const auto address = socket_address(target);
  if (!address) return {};
  FileDescriptor made = tcp_socket(*address);
  if (!made || ::connect(made.get(), address->get(), address->size) == 0) return made;
  if (errno != EINPROGRESS) return {};
  pollfd wanted{made.get(), POLLOUT, 0};
  ::poll(&wanted, 1, connect_ms);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(made.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return {};
  return made;
}

std::string why(const std::string& what) {
  return what + ": " + std::generic_category().message(errno);
}

}  // namespace

std::expected<std::unique_ptr<LocalNetwork>, std::string> LocalNetwork::start(
    const Clock& clock, std::uint64_t seed, const std::vector<Route>& routes) {
  std::unique_ptr<LocalNetwork> network(new LocalNetwork(clock, seed));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return std::unexpected(why("pipe"));
  network->wake_read_ = FileDescriptor(ends[0]);
  network->wake_write_ = FileDescriptor(ends[1]);
  for (const Route& route : routes) {
    const auto address = socket_address(route.listen);
    if (!address) return std::unexpected(address.error());
    Proxy proxy{{route.from, route.to}, route.listen, route.target,
                tcp_socket(*address),   false,        {}};
    const int on = 1;
    static_cast<void>(::setsockopt(proxy.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    if (!proxy.socket || ::bind(proxy.socket.get(), address->get(), address->size) != 0) {
      return std::unexpected(why("a proxy on " + route.listen));
    }
    network->links_[proxy.ends];
    network->proxies_.push_back(std::move(proxy));
  }
  network->thread_ = detail::start_thread("coterie-network", [raw = network.get()] { raw->run(); });
  return network;
}

LocalNetwork::~LocalNetwork() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    wake();
  }
  thread_.join();
}

void LocalNetwork::wake() { static_cast<void>(!::write(wake_write_.get(), "", 1)); }

template <class Change>
void LocalNetwork::change(const std::string& from, const std::string& to, Change apply) {
  const std::lock_guard lock(mutex_);
  const auto link = links_.find({from, to});
  if (link == links_.end()) return;
  apply(link->second.faults);
  wake();
}

void LocalNetwork::cut(const std::string& from, const std::string& to) {
  change(from, to, [](LinkFaults& faults) { ++faults.partitions; });
}

void LocalNetwork::join(const std::string& from, const std::string& to) {
  change(from, to, [](LinkFaults& faults) {
    if (faults.partitions > 0) --faults.partitions;
  });
}

void LocalNetwork::cut_one_way(const std::string& from, const std::string& to) {
  change(from, to, [](LinkFaults& faults) { ++faults.one_ways; });
}

void LocalNetwork::join_one_way(const std::string& from, const std::string& to) {
  change(from, to, [&](LinkFaults& faults) {
    if (faults.one_ways > 0) --faults.one_ways;
    reset_where(from, to, false);
  });
}

void LocalNetwork::heal() {
  const std::lock_guard lock(mutex_);
  for (auto& [ends, link] : links_) {
    link.faults.partitions = 0;
    if (std::exchange(link.faults.one_ways, 0) > 0) reset_where(ends.first, ends.second, false);
  }
  wake();
}

void LocalNetwork::reset(const std::string& from, const std::string& to, std::size_t times,
                         Duration over) {
  change(from, to, [&](LinkFaults&) {
    const auto count = static_cast<std::int64_t>(std::max<std::size_t>(times, 1));
    for (std::int64_t i = 0; i < count; ++i) {
      resets_.push_back({after(clock_.now(), over / count * i), {from, to}});
    }
  });
}

void LocalNetwork::delay(const std::string& from, const std::string& to, Duration latency,
                         Duration jitter) {
  change(from, to, [&](LinkFaults& faults) {
    faults.latency = latency;
    faults.jitter = jitter;
  });
}

void LocalNetwork::throttle(const std::string& from, const std::string& to,
                            std::optional<std::uint64_t> bytes_per_second) {
  change(from, to, [&](LinkFaults& faults) { faults.bytes_per_second = bytes_per_second; });
}

void LocalNetwork::blackhole(const std::string& from, const std::string& to,
                             std::optional<std::uint64_t> bytes) {
  change(from, to, [&](LinkFaults& faults) {
    faults.frame_bytes_max = bytes;
    if (!bytes) reset_where(from, to, true);
  });
}

void LocalNetwork::reset_where(const std::string& from, const std::string& to, bool only_stalled) {
  for (auto& connection : connections_) {
    if (connection == nullptr || proxies_[connection->link()].ends != Ends(from, to)) continue;
    if (only_stalled && !connection->stalled()) continue;
    connection->reset();
    connection.reset();
  }
}

// ---- the thread

void LocalNetwork::run() {
  std::vector<pollfd> wanted;
  for (;;) {
    Time wake_at;
    {
      const std::lock_guard lock(mutex_);
      if (over_) return;
      std::erase(connections_, nullptr);
      wanted.assign(1, {wake_read_.get(), POLLIN, 0});
      wake_at = collect(clock_.now(), wanted);
    }
    int timeout = -1;
    if (wake_at != Time::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake_at - clock_.now());
      timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1000));
    }
    ::poll(wanted.data(), wanted.size(), timeout);
    char bytes[64];
    while (::read(wake_read_.get(), bytes, sizeof bytes) > 0) {
    }
    const std::lock_guard lock(mutex_);
    if (over_) return;
    serve(clock_.now(), wanted);
  }
}

/// One for each proxy, then two for each connection.
Time LocalNetwork::collect(Time now, std::vector<pollfd>& wanted) {
  Time wake_at = Time::max();
  for (const Reset& reset : resets_) wake_at = std::min(wake_at, reset.at);
  for (const Proxy& proxy : proxies_) {
    const bool cut = links_[proxy.ends].faults.cut();
    const bool takes = proxy.listens && !cut;
    wanted.push_back({takes ? proxy.socket.get() : -1, POLLIN, 0});
    if (!proxy.listens) wake_at = std::min(wake_at, proxy.look_at);
  }
  for (const auto& connection : connections_) {
    Link& link = links_[proxies_[connection->link()].ends];
    wake_at = std::min(wake_at, connection->wants(link.faults, link.allowance, now, wanted));
  }
  return wake_at;
}

void LocalNetwork::serve(Time now, const std::vector<pollfd>& found) {
  std::erase_if(resets_, [&](const Reset& reset) {
    if (reset.at > now) return false;
    reset_where(reset.ends.first, reset.ends.second, false);
    return true;
  });
  const std::size_t connections = (found.size() - 1 - proxies_.size()) / 2;
  for (std::size_t i = 0; i < connections; ++i) {
    auto& connection = connections_[i];
    if (connection == nullptr) continue;  // reset while nothing was locked
    Proxy& proxy = proxies_[connection->link()];
    Link& link = links_[proxy.ends];
    const bool had_ended = connection->upstream_ended();
    bool well = connection->receive(link.faults, now, random_, &found[1 + proxies_.size() + 2 * i]);
    // Whoever is told of the end and dials again at once must be refused as by the node itself.
    if (!well || (connection->upstream_ended() && !had_ended)) look(proxy, now);
    well = well && connection->pass_on(link.faults, link.allowance, now);
    if (well) continue;
    connection->reset();
    connection.reset();
  }
  for (std::size_t i = 0; i < proxies_.size(); ++i) {
    Proxy& proxy = proxies_[i];
    // What dials during a cut waits in the kernel, as a lost SYN does.
    if (links_[proxy.ends].faults.cut()) {
      set_listening(proxy, true, now);
    } else if (!proxy.listens && proxy.look_at <= now) {
      look(proxy, now);
    } else if (proxy.listens && (found[1 + i].revents & POLLIN) != 0) {
      accept(i);
    }
  }
}

void LocalNetwork::look(Proxy& proxy, Time now) {
  set_listening(proxy, static_cast<bool>(connect_to(proxy.target)), now);
}

void LocalNetwork::set_listening(Proxy& proxy, bool listens, Time now) {
  if (!listens) proxy.look_at = after(now, look_interval);
  if (proxy.listens == listens) return;
  proxy.listens = listens;
  if (listens) {
    ::listen(proxy.socket.get(), backlog);
  } else {
    // Stays bound, so that nobody else gets the port.
    ::shutdown(proxy.socket.get(), SHUT_RDWR);
  }
}

void LocalNetwork::accept(std::size_t index) {
  Proxy& proxy = proxies_[index];
  for (;;) {
    FileDescriptor downstream(
        ::accept4(proxy.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!downstream) return;
    const int on = 1;
    static_cast<void>(::setsockopt(downstream.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    FileDescriptor upstream = connect_to(proxy.target);
    const bool refused = !upstream;
    auto connection =
        std::make_unique<LocalConnection>(index, std::move(downstream), std::move(upstream));
    if (!refused) {
      connections_.push_back(std::move(connection));
      continue;
    }
    connection->reset();
    set_listening(proxy, false, clock_.now());
    return;
  }
}

}  // namespace coterie
