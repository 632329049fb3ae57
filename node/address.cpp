#include "node/address.hpp"

#include <algorithm>
#include <charconv>

namespace coterie {
namespace {

bool host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}
bool ipv6_character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.' || c == '%';
}
bool looks_like_ipv4(std::string_view host) {
  return host.find_first_not_of("0123456789.") == host.npos;
}
// Four numbers of 0..255.
bool valid_ipv4(std::string_view host) {
  int parts = 0;
  for (;;) {
    const std::size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size() || value > 255) return false;
    ++parts;
    if (dot == host.npos) return parts == 4;
    host.remove_prefix(dot + 1);
  }
}

}  // namespace

bool Address::loopback() const noexcept {
  return host == "localhost" || host == "::1" || (host.starts_with("127.") && valid_ipv4(host));
}

bool Address::wildcard() const noexcept { return host == "*" || host == "0.0.0.0" || host == "::"; }

std::expected<Address, std::string> parse_address(std::string_view text) {
  const auto wrong = [&](std::string_view what) {
    return std::unexpected("expected " + std::string(what) +
                           " such as \"127.0.0.1:7101\", found \"" + std::string(text) + '"');
  };
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return wrong("an address host:port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);

  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return wrong("an address host:port");
    host = host.substr(1, host.size() - 2);
    if (!std::ranges::all_of(host, ipv6_character)) return wrong("an IPv6 address in brackets");
  } else if (host != "*" && !std::ranges::all_of(host, host_character)) {
    return wrong("a host name or IP address (IPv6 in brackets) and a port");
  } else if (looks_like_ipv4(host) && !valid_ipv4(host)) {
    return wrong("an IPv4 address of four numbers and a port");
  }

  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0) {
    return wrong("an address with a port of 1..65535");
  }
  return Address{std::string(host), port};
}

}  // namespace coterie
