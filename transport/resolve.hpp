#pragma once
// Addresses: "host:port" to what can be connected to. Names are looked up by the system, which may
// take seconds, so only a thread of its own does that for peers (zmq_resolver.hpp); ZeroMQ itself
// is only ever given numbers, because it would look names up in the thread that moves all frames.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

struct sockaddr_storage;

namespace coterie {

struct HostPort {
  std::string host;  // a name, an IPv4 address, an IPv6 address without brackets, or * for all
  std::uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// "db1:7101", "127.0.0.1:0", "[::1]:7101", "*:7101".
std::expected<HostPort, std::string> parse_host_port(std::string_view text);
std::string to_string(const HostPort& address);

/// The host as a number, or what is wrong. Blocks as long as the system's resolver does.
std::expected<std::string, std::string> resolve_host(const std::string& host);
bool is_numeric_host(const std::string& host) noexcept;

/// For the system's calls; the size, or 0: the host is no number.
unsigned socket_address(const HostPort& address, sockaddr_storage& out) noexcept;

/// "tcp://127.0.0.1:7101"; the host must be a number or *.
std::string zmq_endpoint(const HostPort& address);

}  // namespace coterie
