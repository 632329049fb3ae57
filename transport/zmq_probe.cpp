#include "transport/zmq_probe.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace coterie {

ListenerProbe::ListenerProbe(const HostPort& address) noexcept {
  sockaddr_storage target;
  const socklen_t size = socket_address(address, target);
  if (size == 0) return;
  fd_ = ::socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return;
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&target), size) == 0) return;
  if (errno == EINPROGRESS) answer_ = Answer::unknown_yet;
  if (errno == ECONNREFUSED) answer_ = Answer::refused;
}

ListenerProbe::~ListenerProbe() {
  if (fd_ >= 0) ::close(fd_);
}

ListenerProbe::Answer ListenerProbe::answer() noexcept {
  if (answer_ != Answer::unknown_yet) return answer_;
  pollfd ready{fd_, POLLOUT, 0};
  if (::poll(&ready, 1, 0) <= 0) return answer_;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  answer_ = error == ECONNREFUSED ? Answer::refused : Answer::inconclusive;
  return answer_;
}

}  // namespace coterie
