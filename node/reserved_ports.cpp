#include "node/reserved_ports.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "node/address.hpp"

namespace coterie {
namespace {

constexpr std::uint16_t first = 20'000;
constexpr std::uint16_t last = 32'000;
constexpr std::size_t tries_per_port = 50;

/// Bound without leave to share, which fails where anybody else has the port; shared from then on.
FileDescriptor hold(std::uint16_t port) {
  FileDescriptor held(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int on = 1;
  if (!held ||
      ::bind(held.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::setsockopt(held.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return {};
  }
  return held;
}

}  // namespace

std::expected<ReservedPorts, std::string> ReservedPorts::make(std::size_t count, Random& random) {
  ReservedPorts made;
  for (std::size_t tries = 0; made.ports_.size() < count; ++tries) {
    if (tries == tries_per_port * count) {
      return std::unexpected("no " + std::to_string(count) + " ports between " +
                             std::to_string(first) + " and " + std::to_string(last) +
                             " are free on 127.0.0.1");
    }
    const auto port = static_cast<std::uint16_t>(first + random.below(last - first + 1));
    if (FileDescriptor held = hold(port)) {
      made.held_.push_back(std::move(held));
      made.ports_.push_back(port);
    }
  }
  return made;
}

std::string on_port(const std::string& address, std::uint16_t port) {
  const auto parsed = parse_address(address);
  const std::string host = parsed && parsed->loopback() ? parsed->host : "127.0.0.1";
  return (host.contains(':') ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

}  // namespace coterie
