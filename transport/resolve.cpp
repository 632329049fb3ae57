#include "transport/resolve.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>

namespace coterie {

unsigned socket_address(const HostPort& address, sockaddr_storage& out) noexcept {
  std::memset(&out, 0, sizeof out);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    return sizeof *v4;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    return sizeof *v6;
  }
  return 0;
}

std::expected<HostPort, std::string> parse_host_port(std::string_view text) {
  const auto wrong = [&](std::string_view what) {
    return std::unexpected("'" + std::string(text) + "' is no address (" + std::string(what) +
                           "): write host:port, for instance 127.0.0.1:7101");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("an IPv6 address stands in brackets");
  }
  if (host.empty()) return wrong("no host");
  HostPort address{std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return wrong("the port is no number up to 65535");
  }
  return address;
}

std::string to_string(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

bool is_numeric_host(const std::string& host) noexcept {
  sockaddr_storage storage;
  return host == "*" || socket_address({host, 0}, storage) != 0;
}

std::expected<std::string, std::string> resolve_host(const std::string& host) {
  if (is_numeric_host(host)) return host;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return std::unexpected("host '" + host + "' does not resolve: " + gai_strerror(error));
  }
  // The first is what the system prefers.
  char text[NI_MAXHOST] = {};
  const int named =
      getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  freeaddrinfo(found);
  if (named != 0) {
    return std::unexpected("host '" + host + "' does not resolve: " + gai_strerror(named));
  }
  return std::string(text);
}

std::string zmq_endpoint(const HostPort& address) {
  if (address.port != 0) return "tcp://" + to_string(address);
  const std::string text = to_string(address);
  return "tcp://" + text.substr(0, text.size() - 1) + "*";
}

}  // namespace coterie
