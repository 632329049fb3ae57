// Two nodes of real processes whose links break all the time, above sessions: calls, casts,
// monitors and links keep what they promise. A longer storm: COTERIE_FAULT_SECONDS.

#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include <coterie/gen_server.hpp>
#include <coterie/nodes.hpp>

#include "tests/transport/fault_storm.hpp"
#include "tests/transport/real_node.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::RealNode;
using testing::TcpProxy;
using Execution = CallError::Execution;

constexpr std::size_t callers = 8, casters = 4, watchers = 3, linkers = 3;
constexpr std::size_t monitors_each = 10;

/// What everybody saw. Each part is written by one process, or under the lock.
struct Book {
  void violation(const std::string& text) {
    std::lock_guard guard(lock);
    if (violations.size() < 20) violations.push_back(text);
  }
  std::mutex lock;
  std::vector<std::string> violations;
  std::vector<std::uint8_t> ran[callers];       // how often each request ran: the server
  std::vector<std::uint8_t> outcomes[callers];  // of each: its caller
  std::atomic<std::uint64_t> notes{0}, downs{0}, exits{0}, ups{0};
  std::atomic<std::size_t> at_work{0}, waiting{0};
};

constexpr std::uint8_t answered = 'a', not_executed = 'n', unknown = 'u', executed = 'e';

/// Answers and counts; and as it hears of nodes, too, it knows within which session a cast came.
class Server final : public GenServer {
 public:
  struct Ask {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "storm.ask";
    std::uint32_t caller = 0, number = 0;
    std::string ballast;
  };
  struct Note {
    static constexpr std::string_view type_name = "storm.note";
    std::uint32_t caster = 0, number = 0;
  };
  using Calls = Messages<Ask>;
  using Casts = Messages<Note>;
  using Infos = Messages<NodeUp, NodeDown, Exit>;

  explicit Server(Book* book) : book_(*book) { monitor_nodes(true); }
  std::int64_t handle_call(const Ask& ask) {
    std::vector<std::uint8_t>& ran = book_.ran[ask.caller];
    if (ran.size() <= ask.number) ran.resize(ask.number + 1);
    ++ran[ask.number];
    if (!up_) book_.violation("a call without a session");
    return ask.number;
  }
  void handle_cast(const Note& note) {
    if (!up_) book_.violation("a cast without a session");
    auto& next = next_[note.caster];
    if (next && *next != note.number) {
      book_.violation("cast " + std::to_string(note.number) + " came in place of " +
                      std::to_string(*next));
    }
    next = note.number + 1;
    ++book_.notes;
  }
  void handle_info(const NodeUp&) {
    if (std::exchange(up_, true)) book_.violation("up twice");
    for (auto& next : next_) next.reset();
    ++book_.ups;
  }
  void handle_info(const NodeDown&) {
    if (!std::exchange(up_, false)) book_.violation("down twice");
  }
  void handle_info(const Exit&) {}

 private:
  Book& book_;
  bool up_ = false;
  std::optional<std::uint32_t> next_[casters];
};

struct Storm {
  explicit Storm(RealNode& own, std::string peer_name) : node(own), peer(std::move(peer_name)) {
    EXPECT_TRUE(node.complete([this] {
      server =
          GenServer::start<Server>({.name = local("server"), .trap_exit = true}, &book).value();
    }));
  }
  void begin(const Pid& other) {
    for (std::uint32_t i = 0; i < callers; ++i) work([this, i] { call_on(i); });
    for (std::uint32_t i = 0; i < casters; ++i) work([this, i] { cast_on(i); });
    for (std::size_t i = 0; i < watchers; ++i) work([this] { watch(); });
    for (std::size_t i = 0; i < linkers; ++i) work([this, other] { tie(other); });
  }
  void work(std::move_only_function<void()> body) {
    ++book.at_work;
    node.run([this, body = std::move(body)]() mutable {
      body();
      --book.at_work;
    });
  }

  void call_on(std::uint32_t caller) {
    std::vector<std::uint8_t>& outcomes = book.outcomes[caller];
    const std::string ballast(caller % 2 == 0 ? 10 : 100'000, 'x');
    for (std::uint32_t n = 0; !over; ++n) {
      const auto result = call(at("server", peer), Server::Ask{caller, n, ballast},
                               caller < 2 ? Duration(5ms) : Duration(2s));
      if (result && *result != n) book.violation("the answer to another call");
      outcomes.push_back(result                                              ? answered
                         : result.error().execution() == Execution::executed ? executed
                         : result.error().execution() == Execution::unknown  ? unknown
                                                                             : not_executed);
      if (!result) sleep(1ms);
    }
  }
  void cast_on(std::uint32_t caster) {
    for (std::uint32_t n = 0; !over; ++n) {
      cast(at("server", peer), Server::Note{caster, n});
      if (n % 16 == 0) sleep(1ms);
    }
  }
  /// Many monitors, made whenever: each has its one Down, in the end that of the server's end.
  void watch() {
    std::set<Ref> open;
    const auto hear = [&](Duration wait) {
      return receive(
          [&](const Down& down) {
            if (open.erase(down.ref) == 0) book.violation("a Down too many");
            ++book.downs;
            return true;
          },
          after(wait, [] { return false; }));
    };
    while (!over) {
      if (open.size() < monitors_each) open.insert(monitor(at("server", peer)));
      hear(1ms);
      // Some are given up, while their Down may be on its way.
      if (open.size() == monitors_each && node.random.below(4) == 0) {
        demonitor(*open.begin());
        open.erase(open.begin());
      }
    }
    while (open.size() < monitors_each) open.insert(monitor(at("server", peer)));
    ++book.waiting;
    while (!open.empty() && hear(20s)) {
    }
    if (!open.empty()) book.violation(std::to_string(open.size()) + " Downs are missing");
    if (hear(10ms)) book.violation("a Down after the last");
  }
  void tie(const Pid& other) {
    trap_exit(true);
    bool linked = false;
    const auto hear = [&](Duration wait) {
      return receive(
          [&](const Exit& end) {
            if (end.from != other || !std::exchange(linked, false))
              book.violation("an Exit too many");
            ++book.exits;
            return true;
          },
          after(wait, [] { return false; }));
    };
    while (!over) {
      if (!std::exchange(linked, true)) link(other);
      hear(1ms);
      if (linked && node.random.below(8) == 0) {
        unlink(other);
        linked = false;
        // An Exit that was there already counts.
        receive([](const Exit&) {}, after(0ms, [] {}));
      }
    }
    if (!std::exchange(linked, true)) link(other);
    ++book.waiting;
    if (!hear(20s)) book.violation("an Exit is missing");
    if (hear(10ms)) book.violation("an Exit after the last");
  }

  RealNode& node;
  const std::string peer;
  Pid server;
  Book book;  // the server's is that of what the other node's processes do to it
  std::atomic<bool> over{false};
};

/// Of the requests of `asked`'s callers and what the server of `served` ran.
void compare(const Book& asked, const Book& served, std::uint64_t (&counts)[256]) {
  for (std::size_t caller = 0; caller < callers; ++caller) {
    const auto& outcomes = asked.outcomes[caller];
    const auto& ran = served.ran[caller];
    EXPECT_LE(ran.size(), outcomes.size());
    for (std::size_t n = 0; n < outcomes.size(); ++n) {
      ++counts[outcomes[n]];
      const unsigned times = n < ran.size() ? ran[n] : 0u;
      EXPECT_LE(times, 1u) << "request " << n << " of " << caller;
      if (outcomes[n] == not_executed) {
        EXPECT_EQ(times, 0u) << n << " of " << caller;
      }
      if (outcomes[n] == answered || outcomes[n] == executed) {
        EXPECT_EQ(times, 1u) << n << " of " << caller;
      }
    }
  }
}

// Goal: no gap, no duplicate, no missed or double Down or Exit, no call without its true outcome.
TEST(NodeStorm, ProcessesKeepTheirPromises) {
  TransportOptions options;
  options.link.link_down_after = 400ms;
  options.link.flap_losses = 1'000'000;  // the back-off has a test of its own
  options.link.stream.window_bytes = 1 << 20;
  options.beat_interval = 50ms;
  RealNode a("a", options), b("b", options);
  TcpProxy to_b(b.port()), to_a(a.port());
  TcpProxy to_b_control(b.links->control_port()), to_a_control(a.links->control_port());
  Storm on_a(a, "b"), on_b(b, "a");
  a.links->set_members({{"b", to_b.address(), to_b_control.address()}});
  b.links->set_members({{"a", to_a.address(), to_a_control.address()}});
  ASSERT_TRUE(connected(a, b));
  on_a.begin(on_b.server);
  on_b.begin(on_a.server);

  SeededRandom random(7);
  TcpProxy* const proxies[] = {&to_b, &to_a, &to_b_control, &to_a_control};
  const std::size_t faults =
      testing::storm(proxies, random, after(a.clock.now(), testing::storm_time()));
  ASSERT_TRUE(connected(a, b)) << "after " << faults << " faults";
  Storm* const sides[] = {&on_a, &on_b};
  for (Storm* side : sides) side->over = true;
  for (Storm* side : sides) {
    ASSERT_TRUE(testing::eventually([&] { return side->book.waiting == watchers + linkers; }, 30s));
  }
  // The end of both servers is the end of whatever is tied to them.
  for (Storm* side : sides) {
    side->node.run([pid = side->server] { exit(pid, ExitReason::kill()); });
  }
  for (Storm* side : sides) {
    EXPECT_TRUE(testing::eventually([&] { return side->book.at_work == 0; }, 30s));
  }
  std::uint64_t counts[256] = {};
  compare(on_a.book, on_b.book, counts);
  compare(on_b.book, on_a.book, counts);
  for (Storm* side : sides) {
    for (const std::string& text : side->book.violations) ADD_FAILURE() << text;
    const auto nothing_left = [&] {
      const auto left = side->node.runtime.remote_tables();
      return left.calls + left.monitors + left.watchers + left.links + left.unlinks +
                 left.overflow + left.waiting ==
             0;
    };
    EXPECT_TRUE(testing::eventually(nothing_left));
  }
  EXPECT_GT(faults, 20u);
  EXPECT_GT(counts[answered], 100u);
  std::printf(
      "%zu faults, %llu sessions; %llu calls answered, %llu ran, %llu certainly not, %llu "
      "unknown; %llu casts, %llu Downs, %llu Exits\n",
      faults, static_cast<unsigned long long>(on_a.book.ups + on_b.book.ups),
      static_cast<unsigned long long>(counts[answered]),
      static_cast<unsigned long long>(counts[executed]),
      static_cast<unsigned long long>(counts[not_executed]),
      static_cast<unsigned long long>(counts[unknown]),
      static_cast<unsigned long long>(on_a.book.notes + on_b.book.notes),
      static_cast<unsigned long long>(on_a.book.downs + on_b.book.downs),
      static_cast<unsigned long long>(on_a.book.exits + on_b.book.exits));
}

}  // namespace
}  // namespace coterie
