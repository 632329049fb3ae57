#include "node/signals.hpp"

#include <fcntl.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "process/thread_start.hpp"

namespace coterie {

StopSignals::StopSignals(SignalSource& signals, int guardian, std::function<void()> stop,
                         std::function<void()> orphaned)
    : signals_(signals),
      guardian_(guardian),
      stop_(std::move(stop)),
      orphaned_(std::move(orphaned)) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  end_read_ = FileDescriptor(ends[0]);
  end_write_ = FileDescriptor(ends[1]);
  thread_ = detail::start_thread("coterie-signals", [this] { watch(); });
}

StopSignals::~StopSignals() {
  end_write_.reset();
  thread_.join();
}

void StopSignals::watch() {
  bool stopped = false;
  // poll ignores negative descriptors: what has been told is not looked at again.
  std::array<pollfd, 3> wanted{pollfd{end_read_.get(), POLLIN, 0},
                               pollfd{signals_.descriptor(), POLLIN, 0}, pollfd{guardian_, 0, 0}};
  for (;;) {
    if (::poll(wanted.data(), wanted.size(), -1) < 0) continue;
    if (wanted[0].revents != 0) return;
    while (signals_.next()) {
      if (!std::exchange(stopped, true)) stop_();
    }
    if (wanted[2].revents != 0) {
      wanted[2].fd = -1;
      orphaned_();
    }
  }
}

}  // namespace coterie
