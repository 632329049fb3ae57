#pragma once
// TCP ports of the loopback interface that nobody listens on now, for clusters that must not
// disturb others. Another program may take one before it is used.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "process/ports/random.hpp"

namespace coterie {

/// Different ones, below the range from which the kernel draws ports for outgoing connections.
std::expected<std::vector<std::uint16_t>, std::string> free_ports(std::size_t count,
                                                                  Random& random);

/// That port on the host of `address` if it is of the loopback interface, else on 127.0.0.1.
std::string on_port(const std::string& address, std::uint16_t port);

}  // namespace coterie
