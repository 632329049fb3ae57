#include "node/local_connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace coterie {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t waiting_bytes_max = 4u << 20;
constexpr std::size_t read_bytes = 64u << 10;
// How often a throttled connection looks whether it may go on.
constexpr Duration throttle_step = 2ms;

bool later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

void reset(FileDescriptor& socket) {
  if (!socket) return;
  const linger at_once{1, 0};
  static_cast<void>(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  socket.reset();
}

}  // namespace

std::size_t ByteAllowance::left(const LinkFaults& faults, Time now) {
  if (!faults.bytes_per_second) return waiting_bytes_max;
  const auto rate = static_cast<double>(*faults.bytes_per_second);
  const double passed = at_ == Time{} ? 0 : std::chrono::duration<double>(now - at_).count();
  at_ = now;
  left_ = std::min(left_ + rate * passed, std::max(rate / 10, 1.0));
  return left_ < 1 ? 0 : static_cast<std::size_t>(left_);
}

std::optional<std::size_t> FrameScan::take(std::string_view bytes,
                                           std::optional<std::uint64_t> limit) {
  constexpr unsigned char is_long = 2;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (skip_ > 0) {
      const std::uint64_t step = std::min<std::uint64_t>(skip_, bytes.size() - at);
      skip_ -= step;
      at += step;
      continue;
    }
    head_ += bytes[at++];
    const bool wide = (static_cast<unsigned char>(head_[0]) & is_long) != 0;
    if (head_.size() < (wide ? 9u : 2u)) continue;
    for (std::size_t i = 1; i < head_.size(); ++i) {
      skip_ = skip_ << 8 | static_cast<unsigned char>(head_[i]);
    }
    const std::size_t head = std::exchange(head_, {}).size();
    if (limit && skip_ > *limit) return at < head ? 0 : at - head;
  }
  return std::nullopt;
}

LocalConnection::LocalConnection(std::size_t link, FileDescriptor downstream,
                                 FileDescriptor upstream)
    : link_(link), downstream_(std::move(downstream)), upstream_(std::move(upstream)) {}

void LocalConnection::reset() {
  coterie::reset(downstream_);
  coterie::reset(upstream_);
}

Time LocalConnection::wants(const LinkFaults& faults, ByteAllowance& allowance, Time now,
                            std::vector<pollfd>& wanted) {
  Time wake = Time::max();
  const auto events = [&](const Way& in, const Way& out) {
    short asked = 0;
    if (faults.cut()) return asked;
    if (!stalled_ && !in.ended && in.bytes < waiting_bytes_max) asked |= POLLIN;
    if (out.chunks.empty()) return asked;
    if (out.chunks.front().due > now) {
      wake = std::min(wake, out.chunks.front().due);
    } else if (allowance.left(faults, now) == 0) {
      wake = std::min(wake, after(now, throttle_step));
    } else {
      asked |= POLLOUT;
    }
    return asked;
  };
  // A descriptor that nothing is asked of must not be looked at: poll would tell of its end again
  // and again.
  const short down = events(forward_, back_);
  const short up = events(back_, forward_);
  wanted.push_back({down != 0 ? downstream_.get() : -1, down, 0});
  wanted.push_back({up != 0 ? upstream_.get() : -1, up, 0});
  return wake;
}

bool LocalConnection::receive(const LinkFaults& faults, Time now, Random& random,
                              const pollfd* found) {
  const auto readable = [](const pollfd& one) {
    return (one.events & POLLIN) != 0 && (one.revents & (POLLIN | POLLHUP | POLLERR)) != 0;
  };
  return (!readable(found[0]) || read(downstream_.get(), forward_, faults, now, random)) &&
         (!readable(found[1]) || read(upstream_.get(), back_, faults, now, random));
}

bool LocalConnection::pass_on(const LinkFaults& faults, ByteAllowance& allowance, Time now) {
  if (faults.cut()) return true;
  return write(upstream_.get(), forward_, faults, allowance, now) &&
         write(downstream_.get(), back_, faults, allowance, now) &&
         !(forward_.closed && back_.closed);
}

bool LocalConnection::read(int from, Way& way, const LinkFaults& faults, Time now, Random& random) {
  std::string bytes(read_bytes, '\0');
  const ssize_t got = ::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got < 0) return later(errno);
  if (got == 0) {
    way.ended = true;
    return true;
  }
  bytes.resize(static_cast<std::size_t>(got));
  if (&way == &forward_) {
    if (const auto large = frames_.take(bytes, faults.frame_bytes_max)) {
      stalled_ = true;
      bytes.resize(*large);
    }
  }
  Duration delay = faults.latency;
  if (faults.jitter > Duration::zero()) {
    delay += Duration(static_cast<std::int64_t>(
        random.below(static_cast<std::uint64_t>(faults.jitter.count()) + 1)));
  }
  Time due = after(now, delay);
  if (!way.chunks.empty()) due = std::max(due, way.chunks.back().due);
  way.bytes += bytes.size();
  way.chunks.push_back({due, std::move(bytes)});
  return true;
}

bool LocalConnection::write(int to, Way& way, const LinkFaults& faults, ByteAllowance& allowance,
                            Time now) {
  while (!way.chunks.empty() && way.chunks.front().due <= now) {
    Chunk& chunk = way.chunks.front();
    const std::size_t size = std::min(chunk.bytes.size() - chunk.sent, allowance.left(faults, now));
    if (size == 0 && chunk.sent < chunk.bytes.size()) return true;
    const ssize_t sent =
        ::send(to, chunk.bytes.data() + chunk.sent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return later(errno);
    allowance.spend(static_cast<std::size_t>(sent));
    chunk.sent += static_cast<std::size_t>(sent);
    way.bytes -= static_cast<std::size_t>(sent);
    if (chunk.sent == chunk.bytes.size()) way.chunks.pop_front();
  }
  if (way.ended && way.chunks.empty() && !way.closed) {
    ::shutdown(to, SHUT_WR);
    way.closed = true;
  }
  return true;
}

}  // namespace coterie
