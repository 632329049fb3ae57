#pragma once
// Where the thread that waits for other nodes sleeps, and what sees to it that one does.
// ZmqLookout: a thread waits for what is watched and for a bell; any thread may ring, and what is
// watched may change meanwhile. ZmqAlarm: one thread waits for a moment that others
// set: to set it is one system call, and wakes nobody before it has come.

#include <coterie/time.hpp>

#include "transport/zmq_connection.hpp"

namespace coterie {

class ZmqLookout {
 public:
  enum News : unsigned { nothing = 0, frames = 1, links = 2, bell = 4 };

  ZmqLookout();
  ~ZmqLookout();
  ZmqLookout(const ZmqLookout&) = delete;
  ZmqLookout& operator=(const ZmqLookout&) = delete;

  /// `fd` stays the caller's, who forgets it before it is closed by somebody else.
  void watch_readable(int fd, News news);
  void watch_writable(int fd, News news);
  void forget(int fd) noexcept;

  void ring() noexcept { bell_.ring(); }
  void quiet() noexcept { bell_.quiet(); }
  /// Waits for news; all that there are. What is not dealt with is news for the next one, too.
  unsigned wait(Duration at_most) noexcept;

 private:
  void watch(int fd, unsigned events, News news);
  ZmqWake bell_;
  int epoll_;
};

class ZmqAlarm {
 public:
  ZmqAlarm();
  ~ZmqAlarm();
  ZmqAlarm(const ZmqAlarm&) = delete;
  ZmqAlarm& operator=(const ZmqAlarm&) = delete;

  void set(Duration from_now) noexcept;
  void wait() noexcept;

 private:
  int fd_;
};

}  // namespace coterie
