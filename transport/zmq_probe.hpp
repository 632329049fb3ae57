#pragma once
// Asks a host whether anybody listens on a port. ZeroMQ tells that a connection failed but not why,
// and a refusal, unlike silence, says that the listener is gone.

#include "transport/resolve.hpp"

namespace coterie {

/// A TCP connection that is only asked whether somebody listens. Owned by one thread; never blocks.
class ListenerProbe {
 public:
  enum class Answer : std::uint8_t { unknown_yet, refused, inconclusive };
  /// The host must be a number.
  explicit ListenerProbe(const HostPort& address) noexcept;
  ~ListenerProbe();
  ListenerProbe(const ListenerProbe&) = delete;
  ListenerProbe& operator=(const ListenerProbe&) = delete;
  /// `refused`: the host answered that nobody listens there. Wait for writable() meanwhile.
  Answer answer() noexcept;
  int writable() const noexcept { return fd_; }

 private:
  int fd_ = -1;
  Answer answer_ = Answer::inconclusive;
};

}  // namespace coterie
