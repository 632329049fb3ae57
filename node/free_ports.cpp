#include "node/free_ports.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "node/address.hpp"
#include "node/file_descriptor.hpp"

namespace coterie {
namespace {

constexpr std::uint16_t first = 20'000;
constexpr std::uint16_t last = 32'000;
constexpr std::size_t tries_per_port = 50;

FileDescriptor take(std::uint16_t port) {
  FileDescriptor taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (!taken ||
      ::bind(taken.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return taken;
}

}  // namespace

std::expected<std::vector<std::uint16_t>, std::string> free_ports(std::size_t count,
                                                                  Random& random) {
  std::vector<std::uint16_t> ports;
  std::vector<FileDescriptor> taken;  // until all are found, so that none comes twice
  for (std::size_t tries = 0; ports.size() < count; ++tries) {
    if (tries == tries_per_port * count) {
      return std::unexpected("no " + std::to_string(count) + " ports between " +
                             std::to_string(first) + " and " + std::to_string(last) +
                             " are free on 127.0.0.1");
    }
    const auto port = static_cast<std::uint16_t>(first + random.below(last - first + 1));
    if (FileDescriptor bound = take(port)) {
      taken.push_back(std::move(bound));
      ports.push_back(port);
    }
  }
  return ports;
}

std::string on_port(const std::string& address, std::uint16_t port) {
  const auto parsed = parse_address(address);
  const std::string host = parsed && parsed->loopback() ? parsed->host : "127.0.0.1";
  return (host.contains(':') ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

}  // namespace coterie
