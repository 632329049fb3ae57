#pragma once
// TCP ports of the loopback interface for clusters that must not disturb others. Each is held by a
// socket that is bound and does not listen, so that nobody draws it a second time, neither this
// program nor another one. Listeners that allow the reuse of addresses, as those of nodes and of
// their proxies do, share it.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "node/file_descriptor.hpp"
#include "process/ports/random.hpp"

namespace coterie {

/// Reserved as long as it lives.
class ReservedPorts {
 public:
  ReservedPorts() = default;

  /// Different ones on which nobody listens, below the range from which the kernel draws ports for
  /// outgoing connections.
  static std::expected<ReservedPorts, std::string> make(std::size_t count, Random& random);

  std::uint16_t operator[](std::size_t i) const { return ports_[i]; }
  auto begin() const { return ports_.begin(); }

 private:
  std::vector<std::uint16_t> ports_;
  std::vector<FileDescriptor> held_;
};

/// That port on the host of `address` if it is of the loopback interface, else on 127.0.0.1.
std::string on_port(const std::string& address, std::uint16_t port);

}  // namespace coterie
