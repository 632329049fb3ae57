#include "transport/zmq_lookout.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace coterie {
namespace {

using namespace std::chrono_literals;

timespec to_timespec(Duration duration) noexcept {
  const Duration bounded = std::clamp<Duration>(duration, 0ns, 3600s);
  return {static_cast<time_t>(bounded / 1s), static_cast<long>((bounded % 1s).count())};
}

int wait_for(int epoll, epoll_event* events, int count, Duration at_most) noexcept {
  const timespec timeout = to_timespec(at_most);
  const int got = ::epoll_pwait2(epoll, events, count, &timeout, nullptr);
  if (got >= 0 || errno != ENOSYS) return got;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(
      std::clamp<Duration>(at_most, 0ns, 3600s));  // before Linux 5.11
  return ::epoll_wait(epoll, events, count, static_cast<int>(ms.count()));
}

}  // namespace

ZmqLookout::ZmqLookout() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  watch_readable(bell_.fd(), bell);
}
ZmqLookout::~ZmqLookout() { ::close(epoll_); }

void ZmqLookout::watch(int fd, unsigned events, News news) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = news;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}
void ZmqLookout::watch_readable(int fd, News news) { watch(fd, EPOLLIN, news); }
void ZmqLookout::watch_writable(int fd, News news) { watch(fd, EPOLLOUT, news); }
void ZmqLookout::forget(int fd) noexcept {
  // It may be gone already: then it is forgotten.
  (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

unsigned ZmqLookout::wait(Duration at_most) noexcept {
  std::array<epoll_event, 16> events;
  // An interrupted wait is a turn too many.
  const int got = wait_for(epoll_, events.data(), static_cast<int>(events.size()), at_most);
  unsigned news = nothing;
  for (int i = 0; i < got; ++i) news |= events[static_cast<std::size_t>(i)].data.u32;
  return news;
}

ZmqAlarm::ZmqAlarm() : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "timerfd_create");
}
ZmqAlarm::~ZmqAlarm() { ::close(fd_); }

void ZmqAlarm::set(Duration from_now) noexcept {
  itimerspec when{};
  when.it_value = to_timespec(std::max<Duration>(from_now, 1ns));  // zero would take it back
  ::timerfd_settime(fd_, 0, &when, nullptr);
}

void ZmqAlarm::wait() noexcept {
  std::uint64_t times = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &times, sizeof times);
}

}  // namespace coterie
