// The proxies between real nodes of one machine, with real sockets on both sides of them. What is
// expected is waited for; that something does not arrive is shown by what was sent later, through
// the same thread, and did.

#include "node/local_network.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <set>

#include "node/fault_page.hpp"
#include "node/reserved_ports.hpp"
#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

sockaddr_in at_port(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A TCP connection; empty: refused.
FileDescriptor dial(std::uint16_t port) {
  FileDescriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = at_port(port);
  if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return made;
}

FileDescriptor listen_on(std::uint16_t port) {
  FileDescriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = at_port(port);
  EXPECT_EQ(::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(made.get(), 16), 0);
  return made;
}

void put(const FileDescriptor& to, std::string_view text) {
  ASSERT_EQ(::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

/// So many bytes, or those that came before the end: then "|" and "end" or "reset" follow.
std::string get(const FileDescriptor& from, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    char byte = 0;
    const ssize_t got = ::recv(from.get(), &byte, 1, 0);
    if (got <= 0) return text + (got == 0 ? "|end" : "|reset");
    text += byte;
  }
  return text;
}

bool nothing_yet(const FileDescriptor& from) {
  char byte = 0;
  return ::recv(from.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

// Goal: whoever draws the same numbers gets other ports while these are held, a program that starts
// between the drawing and the listening included, and listeners may use what is held. (A cluster of
// nodes with proxies drew twice, and a node found its port taken by a proxy once in 75 runs.)
TEST(ReservedPorts, AreNobodyElsesAndCanBeListenedOn) {
  constexpr std::size_t count = 20;
  std::set<std::uint16_t> given;
  const auto give = [&given](const ReservedPorts& ports) {
    for (std::size_t i = 0; i < count; ++i) given.insert(ports[i]);
  };
  SeededRandom one(1), again(1), later(1);
  auto first = ReservedPorts::make(count, one).value();
  const auto second = ReservedPorts::make(count, again).value();
  give(first), give(second);
  EXPECT_EQ(given.size(), 2 * count);

  const std::uint16_t freed = first[0];
  EXPECT_FALSE(dial(freed));
  const FileDescriptor listener = listen_on(freed);
  EXPECT_TRUE(dial(freed));
  first = {};
  const auto third = ReservedPorts::make(count, later).value();
  given.clear(), give(second), give(third);
  EXPECT_EQ(given.size(), 2 * count);
  EXPECT_FALSE(given.contains(freed)) << "somebody listens there";
}

/// Two nodes, a and b, each with one listener of its own and a proxy to the other's.
class Pair : public testing::Test {
 protected:
  Pair() {
    ports = ReservedPorts::make(4, random).value();
    to_b = ports[0], b = ports[1], to_a = ports[2], a = ports[3];
    const auto address = [](std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); };
    network = LocalNetwork::start(
                  clock, 1,
                  {{"a", "b", address(to_b), address(b)}, {"b", "a", address(to_a), address(a)}})
                  .value();
  }

  struct Line {
    FileDescriptor near, far;
  };
  /// Waits for the proxy to see that the listener is there.
  static Line connect(std::uint16_t proxy, const FileDescriptor& listener) {
    Line line;
    while (!line.near) line.near = dial(proxy);
    put(line.near, "!");
    // What the proxy tried the listener with may come first, and has ended.
    do {
      line.far = FileDescriptor(::accept(listener.get(), nullptr, nullptr));
    } while (get(line.far, 1) != "!");
    return line;
  }

  SystemClock clock;
  SystemRandom random;
  ReservedPorts ports;
  std::uint16_t to_b = 0, b = 0, to_a = 0, a = 0;
  std::unique_ptr<LocalNetwork> network;
};

// Goal: bytes pass both ways, and a node that is down refuses as it would without a proxy, before
// it is up and after.
TEST_F(Pair, ProxiesListenWhileTheirTargetDoes) {
  EXPECT_FALSE(dial(to_b));
  FileDescriptor listener = listen_on(b);
  Line line = connect(to_b, listener);
  put(line.far, "welcome");
  EXPECT_EQ(get(line.near, 7), "welcome");

  listener.reset();
  line.far.reset();
  EXPECT_EQ(get(line.near, 1), "|end");
  EXPECT_FALSE(dial(to_b)) << "who is told of the end and dials again at once must be refused";

  listener = listen_on(b);
  line = connect(to_b, listener);
  line.near.reset();
  EXPECT_EQ(get(line.far, 1), "|end");
}

// Goal: a cut carries nothing, in neither direction, and what was sent meanwhile arrives after it;
// other links go on. Two cuts need two ends.
TEST_F(Pair, ACutHoldsWhatIsSent) {
  const FileDescriptor listener = listen_on(b), other = listen_on(a);
  const Line line = connect(to_b, listener);
  const Line back = connect(to_a, other);
  network->cut("a", "b");
  network->cut("a", "b");
  put(line.near, "late");
  put(line.far, "answer");
  for (int i = 0; i < 3; ++i) {
    put(back.near, "x");
    EXPECT_EQ(get(back.far, 1), "x");
  }
  EXPECT_TRUE(nothing_yet(line.far));
  EXPECT_TRUE(nothing_yet(line.near));
  network->join("a", "b");
  put(back.near, "y");
  EXPECT_EQ(get(back.far, 1), "y");
  EXPECT_TRUE(nothing_yet(line.far));
  network->join("a", "b");
  EXPECT_EQ(get(line.far, 4), "late");
  EXPECT_EQ(get(line.near, 6), "answer");
}

// Goal: the end of a one-way cut is a reset on both sides, whether it ends by itself or by a heal.
TEST_F(Pair, AOneWayCutEndsWithAReset) {
  const FileDescriptor listener = listen_on(b);
  for (const bool healed : {false, true}) {
    const Line line = connect(to_b, listener);
    network->cut_one_way("a", "b");
    put(line.near, "lost");
    if (healed) {
      network->heal();
    } else {
      network->join_one_way("a", "b");
    }
    EXPECT_EQ(get(line.near, 1), "|reset");
    EXPECT_EQ(get(line.far, 1), "|reset");
  }
  const Line again = connect(to_b, listener);
  network->reset("a", "b");
  EXPECT_EQ(get(again.far, 1), "|reset");
}

// Goal: delays are added to what is sent, and order is kept in spite of jitter.
TEST_F(Pair, DelaysKeepTheOrder) {
  const FileDescriptor listener = listen_on(b);
  const Line line = connect(to_b, listener);
  network->delay("a", "b", 30ms, 20ms);
  const Time sent = clock.now();
  std::string all;
  for (char c = 'a'; c <= 'z'; ++c) {
    put(line.near, std::string(1, c));
    all += c;
  }
  EXPECT_EQ(get(line.far, all.size()), all);
  EXPECT_GE(clock.now() - sent, 30ms);
}

// Goal: a throttled link carries no more than its rate.
TEST_F(Pair, AThrottledLinkTakesItsTime) {
  const FileDescriptor listener = listen_on(b);
  const Line line = connect(to_b, listener);
  network->throttle("a", "b", 20'000);
  const Time sent = clock.now();
  const std::string text(6'000, 't');
  put(line.near, text);
  EXPECT_EQ(get(line.far, text.size()), text);
  // A tenth of a second's worth may go at once.
  EXPECT_GE(clock.now() - sent, 190ms);
}

std::string frame(std::size_t size) {
  if (size < 256) return std::string{'\0', static_cast<char>(size)} + std::string(size, 'f');
  std::string head(9, '\0');
  head[0] = 2;
  for (std::size_t i = 0; i < 8; ++i) head[8 - i] = static_cast<char>(size >> (8 * i) & 0xff);
  return head + std::string(size, 'F');
}

// Goal: small frames pass until the first large one, nothing of which does; the end is a reset.
TEST_F(Pair, ABlackHoleSwallowsFromTheFirstLargeFrameOn) {
  const FileDescriptor listener = listen_on(b);
  Line line = connect(to_b, listener);  // whose "!" counts as a byte of the greeting
  network->blackhole("a", "b", 1'000);
  const std::string small = std::string(63, 'g') + frame(200) + frame(1'000);
  put(line.near, small + frame(1'001) + frame(3));
  EXPECT_EQ(get(line.far, small.size()), small);
  network->blackhole("a", "b", std::nullopt);
  EXPECT_EQ(get(line.far, 1), "|reset");
}

// Goal: frames are found however the bytes are cut into pieces.
TEST(FrameScan, FindsTheFirstLargeFrame) {
  const std::string before = std::string(64, 'g') + frame(0) + frame(255) + frame(300);
  const std::string all = before + frame(301) + frame(1);
  for (std::size_t piece : {std::size_t{1}, std::size_t{7}, all.size()}) {
    FrameScan scan;
    std::size_t passed = 0;
    bool found = false;
    for (std::size_t at = 0; at < all.size() && !found; at += piece) {
      const std::string bytes = all.substr(at, piece);
      const auto large = scan.take(bytes, 300);
      found = large.has_value();
      passed += large.value_or(bytes.size());
    }
    EXPECT_TRUE(found);
    // The head of the large one may have passed when it came in pieces.
    EXPECT_GE(passed, before.size());
    EXPECT_LT(passed, before.size() + 9);
  }
  FrameScan unlimited;
  EXPECT_FALSE(unlimited.take(all, std::nullopt));
}

// Goal: what a test sets is what the nodes see, each its own, and a poison strikes once.
TEST(FaultPage, IsSeenByTheNodes) {
  const std::string file = testing::TempDir() + "/faults-" + std::to_string(::getpid());
  const std::vector<std::string> nodes{"a", "b"};
  const auto page = FaultPage::create(file, nodes).value();
  const auto seen = FaultPage::attach(file).value();
  EXPECT_FALSE(seen->disk("b").full);
  page->set_disk("b", {.latency = 3ms, .full = true, .failing_sync = false, .away = true});
  EXPECT_EQ(seen->disk("b").latency, 3ms);
  EXPECT_TRUE(seen->disk("b").full);
  EXPECT_FALSE(seen->disk("b").failing_sync);
  EXPECT_TRUE(seen->disk("b").away);
  EXPECT_FALSE(seen->disk("a").full);
  EXPECT_FALSE(seen->disk("nobody").full);

  EXPECT_FALSE(seen->take_poison("contracts/contract-7"));
  EXPECT_TRUE(page->poison("contracts/contract-7"));
  EXPECT_TRUE(page->poison("contracts/contract-7"));
  EXPECT_FALSE(seen->take_poison("contracts/contract-70"));
  EXPECT_TRUE(seen->take_poison("contracts/contract-7"));
  EXPECT_TRUE(seen->take_poison("contracts/contract-7"));
  EXPECT_FALSE(seen->take_poison("contracts/contract-7"));
  EXPECT_FALSE(page->poison(std::string(256, 'x')));
  ::unlink(file.c_str());
  EXPECT_FALSE(FaultPage::attach(file));
  EXPECT_FALSE(FaultPage::attach("/proc/self/stat"));
}

}  // namespace
}  // namespace coterie
