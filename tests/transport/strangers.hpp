#pragma once
// Strangers by the thousand at listeners, with and without keys: garbage, half-open, slow,
// oversized, cut off, wrongly keyed and said again; and what must not stay of them.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sanitizer.hpp"
#include "tests/transport/process_costs.hpp"
#include "tests/transport/transport_fixture.hpp"

namespace coterie::testing {

// Of each sort, at a time: what is half open stays so until all of them have had their say.
inline constexpr int batch = 40;
inline constexpr int storms = 4;
// Of each sort, in a storm.
inline constexpr int each = 25 / test::work_divisor * batch;

// ---- ZMTP 3.0 by hand (rfc.zeromq.org/spec/23)

inline std::string greeting(std::string mechanism) {
  mechanism.resize(20);
  return "\xff" + std::string(8, '\0') + "\x7f\x03" + std::string(1, '\0') + mechanism +
         std::string(32, '\0');
}
inline constexpr std::size_t greeting_bytes = 64;
/// What a peer without keys says next; then frames follow.
inline std::string ready() {
  using namespace std::string_literals;
  const std::string body = "\x05READY\x0bSocket-Type\0\0\0\x06"s + "DEALER\x08Identity\0\0\0\0"s;
  return "\x04" + std::string(1, static_cast<char>(body.size())) + body;
}
/// The head of a long frame, or of a long command.
inline std::string long_head(bool command, std::uint64_t size) {
  std::string head(1, command ? '\x06' : '\x02');
  for (int shift = 56; shift >= 0; shift -= 8) head += static_cast<char>(size >> shift);
  return head;
}

// ---- bare connections

inline int dial_bare(const HostPort& target) {
  sockaddr_storage address{};
  const socklen_t size = socket_address(target, address);
  const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  return fd;
}
inline void say(int fd, std::string_view bytes) {
  (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}
/// What the other side has said is `heard`. True: it has hung up.
inline bool hear(int fd, std::size_t& heard) {
  char bytes[512];
  ssize_t got = 0;
  while ((got = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
    heard += static_cast<std::size_t>(got);
  }
  return got == 0 || (errno != EAGAIN && errno != EINTR);
}

/// What a member's connection says on the wire, from its first byte to its hello and a record.
inline std::string recorded(const HostPort& target, const DialKeys& keys,
                            const std::vector<Bytes>& said) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof any;
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&any), size), 0);
  EXPECT_EQ(::listen(listener, 1), 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&any), &size);
  zmq::context_t context(1);
  ZmqConnection dialler(context, zmq_endpoint({"127.0.0.1", ntohs(any.sin_port)}),
                        zmq_message_bytes_max, keys);
  const int from = ::accept(listener, nullptr, nullptr), to = dial_bare(target);
  std::string bytes;
  const auto carry = [&] {
    char buffer[4096];
    ssize_t got = 0;
    while ((got = ::recv(from, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
      bytes.append(buffer, static_cast<std::size_t>(got));
      say(to, {buffer, static_cast<std::size_t>(got)});
    }
    while ((got = ::recv(to, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
      say(from, {buffer, static_cast<std::size_t>(got)});
    }
  };
  EXPECT_TRUE(eventually([&] {
    carry();
    return dialler.next_event() == ZmqConnectionEvent::up;
  }));
  carry();
  std::size_t wanted = bytes.size();
  for (const Bytes& frame : said) {
    wanted += frame.size();
    EXPECT_TRUE(dialler.send(frame));
  }
  EXPECT_TRUE(eventually([&] {
    carry();
    return bytes.size() > wanted;
  }));
  for (const int fd : {listener, from, to}) ::close(fd);
  return bytes;
}

struct Strangers {
  std::vector<HostPort> targets;  // listeners of one node
  std::string record;             // what one who is let in has said
  DialKeys keys;                  // of nobody; empty: the node has none either

  void storm() const {
    for (int done = 0; done < each; done += batch) {
      some();
      if (!keys.server.empty()) refused_keys();
    }
  }

 private:
  struct Stranger {
    int fd = -1;
    std::string rest;     // what it says once it has been greeted
    bool doomed = false;  // it is hung up on for that
    std::size_t heard = 0;
  };
  void some() const {
    std::vector<Stranger> bare;
    std::vector<int> slow;
    for (int i = 0; i < batch; ++i) {
      const HostPort& target = targets[static_cast<std::size_t>(i) % targets.size()];
      const auto dial = [&](std::string first, std::string rest, bool doomed = false) {
        bare.push_back({dial_bare(target), std::move(rest), doomed, 0});
        say(bare.back().fd, first);
      };
      // Nothing, and a part of a greeting.
      dial("", "");
      dial(greeting("CURVE").substr(0, static_cast<std::size_t>(i)), "");
      // A message that ends in its middle, and what another one has said.
      dial(greeting("NULL"), ready() + long_head(false, 1u << 20) + "begun");
      dial(record.substr(0, greeting_bytes), record.substr(greeting_bytes));
      // Too much, after the handshake and within it.
      const std::uint64_t too_much = (1u << 20) + 1 + (i % 2 == 0 ? 0 : 1ull << 62);
      dial(greeting("NULL"), ready() + long_head(false, too_much), true);
      dial(greeting(keys.server.empty() ? "NULL" : "CURVE"), long_head(true, too_much), true);
      // Garbage, of which libzmq would make a peer of 2011, and one that says it is.
      dial(std::string(2000, static_cast<char>('\xfe' - i % 7)), "", true);
      dial(std::string("\x01\x00\x03\x00me", 6), "", true);
      slow.push_back(dial_bare(target));
    }
    for (Stranger& stranger : bare) {
      if (stranger.rest.empty()) continue;
      // libzmq takes nothing more before it has said its own.
      EXPECT_TRUE(eventually(
          [&] { return hear(stranger.fd, stranger.heard) || stranger.heard >= greeting_bytes; }));
      say(stranger.fd, stranger.rest);
    }
    const std::string all = greeting("NULL") + ready();
    for (std::size_t at = 0; at + 1 < all.size(); ++at) {
      for (const int fd : slow) say(fd, all.substr(at, 1));
    }
    for (Stranger& stranger : bare) {
      if (!stranger.doomed) continue;
      EXPECT_TRUE(eventually([&] { return hear(stranger.fd, stranger.heard); }));
    }
    for (Stranger& stranger : bare) ::close(stranger.fd);
    for (const int fd : slow) ::close(fd);
  }
  void refused_keys() const {
    zmq::context_t context(1);
    std::vector<std::unique_ptr<ZmqConnection>> dialled;
    for (int i = 0; i < batch; ++i) {
      dialled.push_back(std::make_unique<ZmqConnection>(
          context, zmq_endpoint(targets[static_cast<std::size_t>(i) % targets.size()]),
          zmq_message_bytes_max, keys));
    }
    for (const auto& connection : dialled) {
      EXPECT_TRUE(eventually([&] {
        const auto event = connection->next_event();
        EXPECT_NE(event, ZmqConnectionEvent::up);
        return event != ZmqConnectionEvent::none;
      }));
    }
  }
};

/// All storms. Afterwards no memory and no descriptor stays away; what is allocated is returned.
/// `forgotten`: nobody of a storm is known any more.
inline std::pair<std::size_t, std::size_t> leave_nothing(const Strangers& strangers,
                                                         const std::function<bool()>& forgotten) {
  const std::size_t descriptors = open_descriptors();
  std::size_t memory = 0;
  for (const bool first : {true, false}) {
    for (int i = 0; i < storms / 2; ++i) strangers.storm();
    EXPECT_TRUE(eventually(forgotten));
    EXPECT_TRUE(eventually([&] { return open_descriptors() <= descriptors + 8; }))
        << descriptors << " descriptors became " << open_descriptors();
    if (first) memory = allocated_bytes();
  }
  if (test::work_divisor == 1) {  // a sanitizer keeps what was freed
    EXPECT_TRUE(eventually([&] { return allocated_bytes() < memory + (1u << 20); }))
        << memory << " bytes became " << allocated_bytes();
  }
  return {memory, allocated_bytes()};
}

inline void report(std::uint64_t answered, std::pair<std::size_t, std::size_t> memory) {
  std::printf("%d of each sort: %llu calls answered, %.1f MiB allocated, then %.1f\n",
              storms * each, static_cast<unsigned long long>(answered),
              static_cast<double>(memory.first) / (1 << 20),
              static_cast<double>(memory.second) / (1 << 20));
}

}  // namespace coterie::testing
