#pragma once
// Addresses as the cluster file writes them: "10.77.0.1:7101", "db.example:7101", "[::1]:7101".
// Pure; no name is looked up.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace coterie {

struct Address {
  std::string host;  // without brackets
  std::uint16_t port = 0;

  /// "localhost", 127.0.0.0/8, ::1.
  bool loopback() const noexcept;
  /// "0.0.0.0", "::", "*": every interface; nobody can dial it.
  bool wildcard() const noexcept;
};

/// The error says what was expected and found.
std::expected<Address, std::string> parse_address(std::string_view text);

}  // namespace coterie
