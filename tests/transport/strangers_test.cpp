// Strangers by the thousand at a node's listeners, with and without keys: garbage, half-open,
// slow, oversized, cut off, wrongly keyed and said again. A pair of members calls all the while.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include <coterie/gen_server.hpp>

#include "tests/sanitizer.hpp"
#include "tests/transport/process_costs.hpp"
#include "tests/transport/real_node.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::allocated_bytes;
using testing::eventually;
using testing::open_descriptors;
using testing::RealNode;

class Echo final : public GenServer {
 public:
  struct Say {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "strangers.say";
    std::int64_t number = 0;
  };
  using Calls = Messages<Say>;
  std::int64_t handle_call(const Say& say) { return say.number; }
};

// Of each sort, at a time: what is half open stays so until all of them have had their say.
constexpr int batch = 40;
constexpr int storms = 4;
// Of each sort, in a storm.
constexpr int each = 25 / test::work_divisor * batch;

// ---- ZMTP 3.0 by hand (rfc.zeromq.org/spec/23)

std::string greeting(std::string mechanism) {
  mechanism.resize(20);
  return "\xff" + std::string(8, '\0') + "\x7f\x03" + std::string(1, '\0') + mechanism +
         std::string(32, '\0');
}
constexpr std::size_t greeting_bytes = 64;
/// What a peer without keys says next; then frames follow.
std::string ready() {
  using namespace std::string_literals;
  const std::string body = "\x05READY\x0bSocket-Type\0\0\0\x06"s + "DEALER\x08Identity\0\0\0\0"s;
  return "\x04" + std::string(1, static_cast<char>(body.size())) + body;
}
/// The head of a long frame, or of a long command.
std::string long_head(bool command, std::uint64_t size) {
  std::string head(1, command ? '\x06' : '\x02');
  for (int shift = 56; shift >= 0; shift -= 8) head += static_cast<char>(size >> shift);
  return head;
}

// ---- bare connections

int dial_bare(const HostPort& target) {
  sockaddr_storage address{};
  const socklen_t size = socket_address(target, address);
  const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  return fd;
}
void say(int fd, std::string_view bytes) {
  (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}
/// What the other side has said is `heard`. True: it has hung up.
bool hear(int fd, std::size_t& heard) {
  char bytes[512];
  ssize_t got = 0;
  while ((got = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
    heard += static_cast<std::size_t>(got);
  }
  return got == 0 || (errno != EAGAIN && errno != EINTR);
}

/// What a member's connection says on the wire, from its first byte to its hello and a record.
std::string recorded(const HostPort& target, const DialKeys& keys, const std::vector<Bytes>& said) {
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
  std::string record;             // what a member has said
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

// Goal: strangers of every sort, by the thousand, cost the members nothing and leave nothing
// behind: every call is answered, no session is lost, no memory and no descriptor stays away.
void strangers_cost_nothing(bool with_keys) {
  const CurveKeys key_a = with_keys ? make_curve_keys() : CurveKeys{};
  const CurveKeys key_b = with_keys ? make_curve_keys() : CurveKeys{};
  const AllowList list{{key_a.public_key, {KeyRole::member, "a"}},
                       {key_b.public_key, {KeyRole::member, "b"}}};
  const auto options = [&](const CurveKeys& own) {
    TransportOptions made;
    if (with_keys) made.admission = std::make_shared<Admission>(own, list);
    return made;
  };
  RealNode a("a", options(key_a)), b("b", options(key_b));
  a.links->set_members({{"b", b.links->address(), "", {key_b.public_key}}});
  b.links->set_members({{"a", a.links->address(), "", {key_a.public_key}}});
  ASSERT_TRUE(connected(a, b));
  ASSERT_TRUE(b.complete([] { ASSERT_TRUE(GenServer::start<Echo>({.name = local("echo")})); }));

  // Whoever says what a has said, with a's key if there is one, is not a's newest connection.
  std::vector<PeerState> states;
  ASSERT_TRUE(eventually([&] {
    states = a.links->peer_states();
    return states.size() == 1 && states[0].counters.connections > 0;
  }));
  wire::Hello hello;
  hello.cluster_id = "test";
  hello.name = "a";
  hello.incarnation = a.incarnation;
  hello.to = b.runtime.node();
  hello.connection = states[0].counters.connections;
  hello.position = {1, 1, 0, 1};
  Envelope envelope;
  envelope.signal = Signal::send;
  envelope.from = {a.runtime.node(), 1};
  envelope.to = LocalName{"echo"};
  const Bytes data = wire::encode_envelope(envelope, {a.runtime.node(), b.runtime.node()});
  Strangers strangers;
  strangers.targets = {*parse_host_port(b.links->address()),
                       {"127.0.0.1", b.links->control_port()}};
  DialKeys member;
  if (with_keys) {
    member = {key_a, key_b.public_key};
    strangers.keys = {make_curve_keys(), key_b.public_key};
  }
  strangers.record = recorded(strangers.targets[0], member,
                              {encode(hello), encode(wire::Data{hello.position, 1, {data}})});

  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> answered{0}, failed{0};
  std::atomic<bool> ended{false};
  a.run([&] {
    for (std::int64_t n = 0; !over; ++n) {
      const auto echoed = call(at("echo", "b"), Echo::Say{n}, 60s);
      ++(echoed && *echoed == n ? answered : failed);
    }
    ended = true;
  });
  const std::size_t descriptors = open_descriptors();
  const auto settled = [&] {
    return eventually([&] { return open_descriptors() <= descriptors + 8; });
  };
  std::size_t memory = 0;
  for (const bool first : {true, false}) {
    for (int i = 0; i < storms / 2; ++i) strangers.storm();
    EXPECT_TRUE(settled()) << descriptors << " descriptors became " << open_descriptors();
    if (first) memory = allocated_bytes();
  }
  if (test::work_divisor == 1) {  // a sanitizer keeps what was freed
    EXPECT_TRUE(eventually([&] { return allocated_bytes() < memory + (1u << 20); }))
        << memory << " bytes became " << allocated_bytes();
  }
  over = true;
  ASSERT_TRUE(eventually([&] { return ended.load(); }, 60s));
  EXPECT_EQ(failed, 0u);
  EXPECT_GT(answered, 0u);
  EXPECT_EQ(a.links->connected("b"), b.runtime.node());
  for (RealNode* node : {&a, &b}) {
    ASSERT_TRUE(eventually([&] { return node->links->peer_states().size() == 1; }));
    EXPECT_EQ(node->links->peer_states()[0].counters.losses, 0u);
  }
  // Of all storms half dial the data lane; with keys none gets so far.
  const std::uint64_t said_again = with_keys ? 1u : 1u + storms / 2 * each;
  EXPECT_TRUE(eventually([&] { return b.links->counters().said_again == said_again; }))
      << b.links->counters().said_again << " in place of " << said_again;
  std::printf("%d of each sort: %llu calls answered, %.1f MiB allocated, then %.1f\n",
              storms * each, static_cast<unsigned long long>(answered),
              static_cast<double>(memory) / (1 << 20),
              static_cast<double>(allocated_bytes()) / (1 << 20));
}

TEST(Strangers, CostNothingWithoutKeys) { strangers_cost_nothing(false); }
TEST(Strangers, CostNothingWithKeys) { strangers_cost_nothing(true); }

}  // namespace
}  // namespace coterie
