// Big payloads between two real nodes, and a peer that stops reading: order of a pair across all
// sizes, what passes a big payload, who runs while one is packed and unpacked, and how much a node
// holds for a peer that takes nothing.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include <coterie/gen_server.hpp>

#include "tests/sanitizer.hpp"
#include "tests/transport/other_program.hpp"
#include "tests/transport/process_costs.hpp"
#include "tests/transport/real_node.hpp"
#include "tests/transport/tcp_proxy.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::Lines;
using testing::OtherProgram;
using testing::RealNode;
using testing::resident_bytes;
using testing::TcpProxy;

constexpr std::size_t mib = std::size_t{1} << 20;

struct Parcel {
  static constexpr std::string_view type_name = "payload.parcel";
  std::uint64_t number = 0;
  std::uint64_t size = 0;
  Bytes bytes;
};

/// Takes parcels and says what came; echoes at once.
class Depot final : public GenServer {
 public:
  struct Echo {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "payload.echo";
    std::int64_t number = 0;
  };
  struct Count {
    using Reply = std::vector<std::uint64_t>;
    static constexpr std::string_view type_name = "payload.count";
  };
  using Calls = Messages<Echo, Count>;
  using Casts = Messages<Parcel>;
  std::int64_t handle_call(const Echo& echo) { return echo.number; }
  std::vector<std::uint64_t> handle_call(const Count&) { return numbers_; }
  void handle_cast(const Parcel& parcel) {
    numbers_.push_back(parcel.bytes.size() == parcel.size ? parcel.number : 0);
  }

 private:
  std::vector<std::uint64_t> numbers_;
};

TransportOptions big_options() {
  TransportOptions options;
  options.link.stream.message_bytes_max = 2048 * mib;
  options.link.link_down_after = 60s;
  options.beat_interval = 20ms;
  return options;
}

detail::RuntimeOptions roomy() {
  detail::RuntimeOptions sizes;
  sizes.mailbox.bytes = 4096 * mib;
  sizes.workers = 2;  // packing so much holds one of them
  return sizes;
}

void start_depots(RealNode& node) {
  ASSERT_TRUE(node.complete([] {
    ASSERT_TRUE(GenServer::start<Depot>({.name = local("depot")}));
    ASSERT_TRUE(GenServer::start<Depot>({.name = local("other")}));
  }));
}

// Goal: what one process sends to another arrives in the order in which it was sent, from one byte
// to a payload of thousands of pieces; what others send, and the beats, pass it meanwhile.
TEST(BigPayload, KeepsThePairsOrderAndDelaysNobodyElse) {
  const std::size_t huge = 192 * mib / test::work_divisor;
  std::atomic<std::uint64_t> hinted{0};
  TransportOptions hearing = big_options();
  hearing.view_hint = [&hinted](std::uint64_t view) { hinted = view; };
  RealNode a("a", big_options(), roomy()), b("b", hearing, roomy());
  a.links->set_members({{"b", b.links->address(), ""}});
  b.links->set_members({{"a", a.links->address(), ""}});
  ASSERT_TRUE(connected(a, b));
  start_depots(b);

  const std::size_t sizes[] = {1,      16,      70'000, huge, 1,        65'536,
                               65'537, 3 * mib, 0,      1000, 20 * mib, 1};
  a.run([&] {
    std::uint64_t number = 0;
    for (const std::size_t size : sizes) {
      cast(at("depot", "b"), Parcel{++number, size, Bytes(size, 'x')});
    }
  });
  // Calls to another process, and hints on the control lane, while the parcels travel.
  std::vector<Duration> calls, hints;
  ASSERT_TRUE(a.complete(
      [&] {
        std::int64_t number = 0;
        for (bool over = false; !over;) {
          const Time asked = a.clock.now();
          EXPECT_EQ(call(at("other", "b"), Depot::Echo{++number}, 60s).value(), number);
          calls.push_back(a.clock.now() - asked);
          const Time told = a.clock.now();
          const auto view = static_cast<std::uint64_t>(number);
          a.links->set_view(view);
          while (hinted < view) sleep(100us);
          hints.push_back(a.clock.now() - told);
          over = call(at("depot", "b"), Depot::Count{}, 60s).value().size() == std::size(sizes);
        }
      },
      120s));
  std::vector<std::uint64_t> numbers;
  ASSERT_TRUE(b.complete([&] { numbers = call(local("depot"), Depot::Count{}).value(); }));
  std::vector<std::uint64_t> wanted;
  for (std::uint64_t n = 1; n <= std::size(sizes); ++n) wanted.push_back(n);
  EXPECT_EQ(numbers, wanted);
  // A call that waited for the payload could not have been made many times before its end.
  EXPECT_GT(calls.size(), 10u);
  const auto ms = [](std::vector<Duration>& times, std::size_t percent) {
    std::ranges::sort(times);
    return std::chrono::duration<double, std::milli>(times[(times.size() - 1) * percent / 100])
        .count();
  };
  std::printf("while %zu MiB went: %zu calls, p50 %.2f ms, max %.2f ms; hints p50 %.2f, max %.2f\n",
              huge / mib, calls.size(), ms(calls, 50), ms(calls, 100), ms(hints, 50),
              ms(hints, 100));
}

/// Turns that a busy process has had on its node.
std::atomic<std::uint64_t> turns{0};
/// Turns had when the marks of a message were packed, or unpacked, one after the other.
std::array<std::atomic<std::uint64_t>, 6> marks;
std::atomic<std::size_t> marked{0};

struct Mark {
  friend bool operator==(const Mark&, const Mark&) = default;
};

}  // namespace

template <>
struct Packing<Mark> {
  static void pack(Packer& packer, const Mark&) {
    marks.at(marked++) = turns.load();
    packer.nil();
  }
  static bool unpack(Unpacker& unpacker, Mark&) {
    marks.at(marked++) = turns.load();
    return unpacker.nil();
  }
};

namespace {

constexpr std::size_t marked_bytes = 64 * mib / test::work_divisor;

struct Marked {
  static constexpr std::string_view type_name = "payload.marked";
  Mark first;
  Bytes text;
  Mark second;
  std::vector<std::uint8_t> octets;
  Mark third;
};

/// Takes a marked message, and gives one.
class Marker final : public GenServer {
 public:
  struct Give {
    using Reply = Marked;
    static constexpr std::string_view type_name = "payload.give";
  };
  using Calls = Messages<Give>;
  using Casts = Messages<Marked>;
  Marked handle_call(const Give&) { return {{}, Bytes(marked_bytes, 'x'), {}, {}, {}}; }
  void handle_cast(const Marked& message) {
    taken = message.text == Bytes(marked_bytes, 'x') &&
            message.octets == std::vector<std::uint8_t>(marked_bytes, 'y');
  }
  static inline std::atomic<bool> taken{false};
};

/// Takes a turn whenever there is one, until `over`.
void keep_turning(const std::atomic<bool>& over) {
  while (!over) {
    ++turns;
    yield();
  }
}

detail::RuntimeOptions one_worker() {
  detail::RuntimeOptions sizes = roomy();
  sizes.workers = 1;
  return sizes;
}

// Goal: whoever shares a worker with one that packs much, or unpacks it, has a turn after each
// portion; beats and calls wait for that and no longer, however big the payload is.
TEST(BigPayload, IsPackedAndUnpackedInTurnsWithOthers) {
  RealNode a("a", big_options(), one_worker()), b("b", big_options(), one_worker());
  a.links->set_members({{"b", b.links->address(), ""}});
  b.links->set_members({{"a", a.links->address(), ""}});
  ASSERT_TRUE(connected(a, b));
  ASSERT_TRUE(b.complete([] { ASSERT_TRUE(GenServer::start<Marker>({.name = local("marker")})); }));
  Marker::taken = false;

  for (RealNode* busy : {&a, &b}) {
    std::atomic<bool> over{false}, ended{false};
    marked = 0;
    turns = 0;
    if (busy == &b) {  // its worker is the one that is watched
      b.run([&] { keep_turning(over), ended = true; });
    }
    ASSERT_TRUE(a.complete([&] {
      Marked message{{}, Bytes(marked_bytes, 'x'), {}, {}, {}};
      message.octets.assign(marked_bytes, 'y');
      if (busy == &a) spawn([&] { keep_turning(over), ended = true; });
      cast(at("marker", "b"), std::move(message));
    }));
    ASSERT_TRUE(eventually([&] { return Marker::taken.load(); }));
    over = true;
    ASSERT_TRUE(eventually([&] { return ended.load(); }));
    Marker::taken = false;
    ASSERT_EQ(marked, marks.size());
    const std::size_t begin = busy == &a ? 0 : 3;
    constexpr std::uint64_t portions = marked_bytes / detail::portion_bytes;
    EXPECT_GE(marks[begin + 1] - marks[begin], portions - 1) << busy->runtime.options().node;
    EXPECT_GE(marks[begin + 2] - marks[begin + 1], portions - 1) << busy->runtime.options().node;
  }
}

// Goal: a server that is ended while it packs its reply has not answered, and its caller is told.
TEST(BigPayload, AServerKilledWhileItPacksItsReplyTellsTheCaller) {
  RealNode a("a", big_options(), one_worker()), b("b", big_options(), one_worker());
  a.links->set_members({{"b", b.links->address(), ""}});
  b.links->set_members({{"a", a.links->address(), ""}});
  ASSERT_TRUE(connected(a, b));
  marked = 0;
  Pid marker;
  ASSERT_TRUE(
      b.complete([&] { marker = GenServer::start<Marker>({.name = local("marker")}).value(); }));
  b.run([&] {
    while (marked == 0) yield();
    exit(marker, ExitReason::kill());
  });
  ASSERT_TRUE(a.complete([] {
    const auto answer = call(at("marker", "b"), Marker::Give{}, infinity);
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().maybe_executed());
  }));
}

/// Node b, which can be stopped: it reads nothing then.
OtherProgram stoppable_b() {
  return OtherProgram([](const Lines& lines) {
    RealNode node("b", big_options());
    if (!node.complete([] {
          if (!GenServer::start<Depot>({.name = local("depot")})) ::_exit(1);
        })) {
      ::_exit(1);
    }
    lines.say(node.links->address());
    node.links->set_members({{"a", lines.hear(), ""}});
    for (;;) ::pause();
  });
}

// Goal: a peer that stops reading costs its window and no more, however many want to send: senders
// wait, calls end in time and say that they did not run, try_cast says so at once; when it reads
// again everything goes on, in order, and nothing is missing.
TEST(BigPayload, APeerThatStopsReadingCostsItsWindow) {
  OtherProgram other = stoppable_b();  // before this one has threads
  TransportOptions options = big_options();
  options.link.stream.window_bytes = 2 * mib;
  options.link.ack_stall = 60s;
  RealNode a("a", options);
  a.links->set_members({{"b", other.lines().hear(), ""}});
  other.lines().say(a.links->address());
  ASSERT_TRUE(eventually([&] { return a.links->connected("b") != NodeId::none; }));

  constexpr std::size_t senders = 100, each = 40;
  other.signal(SIGSTOP);
  const std::size_t before = resident_bytes();
  std::atomic<std::size_t> sent{0}, done{0};
  for (std::size_t i = 0; i < senders; ++i) {
    a.run([&, i] {
      for (std::size_t n = 0; n < each; ++n) {
        cast(at("depot", "b"), Parcel{i * each + n + 1, 60'000, Bytes(60'000, 'x')});
        ++sent;
      }
      ++done;
    });
  }
  // The window is full and all wait for it.
  ASSERT_TRUE(eventually([&] { return a.runtime.remote_tables().waiting >= senders; }));
  const std::size_t accepted = sent;
  ASSERT_TRUE(a.complete([&] {
    const auto refused = try_cast(at("depot", "b"), Parcel{});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), CallError::Code::overloaded);
    const auto late = call(at("depot", "b"), Depot::Echo{1}, 50ms);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), CallError::Code::timeout);
    EXPECT_FALSE(late.error().maybe_executed());
  }));
  EXPECT_EQ(sent, accepted);
  EXPECT_EQ(done, 0u);
  // The window, what is under way in ZeroMQ of it, and what each sender holds in its hands.
  const std::size_t held = senders * 3 * 60'000 + 4 * options.link.stream.window_bytes + 16 * mib;
  if (test::work_divisor == 1) {
    EXPECT_LT(resident_bytes(), before + held);
  }
  std::vector<PeerState> peers;
  ASSERT_TRUE(eventually([&] {  // of the last 100 ms
    peers = a.links->peer_states();
    return peers.size() == 1 && peers[0].held_bytes > 0;
  }));
  EXPECT_LE(peers[0].held_bytes, options.link.stream.window_bytes + 2 * 60'000);

  other.signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return done == senders; }, 60s));
  std::vector<std::uint64_t> numbers;
  ASSERT_TRUE(a.complete([&] {
    while (numbers.size() < senders * each) {
      numbers = call(at("depot", "b"), Depot::Count{}, 10s).value();
    }
  }));
  // Each sender's came in its order.
  std::vector<std::uint64_t> last(senders, 0);
  for (const std::uint64_t number : numbers) {
    ASSERT_NE(number, 0u);
    std::uint64_t& previous = last[(number - 1) / each];
    EXPECT_LT(previous, number);
    previous = number;
  }
}

}  // namespace
}  // namespace coterie
