// The classic workloads of actor runtimes, with plain processes: ring, ping-pong, big, counting,
// skynet. The same as in bench/peers/erlang/bench.erl.

#include <vector>

#include "bench/bench_line.hpp"
#include "bench/local_groups.hpp"
#include "bench/local_node.hpp"

namespace coterie::bench {
namespace {

struct Token {
  std::int64_t hops = 0;
};
struct Ping {
  Pid from;
};
struct Pong {};
struct Stop {};
struct Done {};
struct Add {};
struct Get {
  Pid from;
};
struct Sum {
  std::int64_t value = 0;
};

double pingpong(Node& node, int rounds) {
  return rate(node, rounds, [rounds] {
    const Pid me = self();
    const Pid other = spawn([me] {
      for (bool on = true; on;) {
        receive([me](const Ping&) { send(me, Pong{}); }, [&on](const Stop&) { on = false; });
      }
    });
    for (int i = 0; i < rounds; ++i) {
      send(other, Ping{me});
      receive([](const Pong&) {});
    }
    send(other, Stop{});
  });
}

void ring_member(const Pid& next, const Pid& root) {
  for (bool on = true; on;) {
    receive([&](const Token& token) { send(next, Token{token.hops - 1}); },
            [&](const Stop&) {
              on = false;
              if (next != root) send(next, Stop{});
            });
  }
}

double ring(Node& node, int size, std::int64_t hops) {
  return rate(node, static_cast<double>(hops), [size, hops] {
    const Pid root = self();
    Pid next = root;
    for (int i = 1; i < size; ++i) next = spawn([next, root] { ring_member(next, root); });
    for (std::int64_t left = hops; left > 0;) {
      send(next, Token{left});
      receive([&left](const Token& token) { left = token.hops - 1; });
    }
    send(next, Stop{});
  });
}

/// Answers pings while it makes its own, one at a time, to peers at random.
void big_member(const std::vector<Pid>& peers, int pings, const Pid& root, std::uint64_t seed) {
  const Pid me = self();
  const auto serve = [](const Ping& ping) { send(ping.from, Pong{}); };
  for (int i = 0; i < pings; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    send(peers[(seed >> 33) % peers.size()], Ping{me});
    for (bool waiting = true; waiting;) {
      receive(serve, [&waiting](const Pong&) { waiting = false; });
    }
  }
  send(root, Done{});
  for (bool on = true; on;) receive(serve, [&on](const Stop&) { on = false; });
}

double big(Node& node, int members, int pings) {
  return rate(node, static_cast<double>(members) * pings, [members, pings] {
    const Pid root = self();
    std::vector<Pid> peers;
    for (int i = 0; i < members; ++i) {
      peers.push_back(spawn([&peers, root, pings, i] {
        receive([](const Add&) {});
        big_member(peers, pings, root, static_cast<std::uint64_t>(i) + 1);
        send(root, Done{});
      }));
    }
    for (const Pid& pid : peers) send(pid, Add{});
    for (int i = 0; i < members; ++i) receive([](const Done&) {});
    for (const Pid& pid : peers) send(pid, Stop{});
    for (int i = 0; i < members; ++i) receive([](const Done&) {});  // `peers` is theirs until then
  });
}

double counting(Node& node, int messages) {
  return rate(node, messages, [messages] {
    const Pid counter = spawn([] {
      std::int64_t count = 0;
      for (bool on = true; on;) {
        receive([&count](const Add&) { ++count; },
                [&](const Get& get) {
                  send(get.from, Sum{count});
                  on = false;
                });
      }
    });
    for (int i = 0; i < messages; ++i) send(counter, Add{});
    send(counter, Get{self()});
    receive([](const Sum&) {});
  });
}

void skynet_member(std::int64_t number, std::int64_t leaves, const Pid& parent) {
  if (leaves == 1) {
    send(parent, Sum{number});
    return;
  }
  const Pid me = self();
  for (std::int64_t i = 0; i < 10; ++i) {
    spawn([number = number + i * leaves / 10, leaves = leaves / 10, me] {
      skynet_member(number, leaves, me);
    });
  }
  std::int64_t sum = 0;
  for (int i = 0; i < 10; ++i) receive([&sum](const Sum& part) { sum += part.value; });
  send(parent, Sum{sum});
}

double skynet_ms(Node& node) {
  std::int64_t sum = 0;
  const double per_second = rate(node, 1, [&sum] {
    const Pid me = self();
    spawn([me] { skynet_member(0, 1'000'000, me); });
    receive([&sum](const Sum& all) { sum = all.value; });
  });
  return sum == 499'999'500'000 ? 1e3 / per_second : -1;
}

}  // namespace

void measure_classics(Figures& figures) {
  Node node;
  figures.measure("local.ring1000", "1/s", [&] { return ring(node, 1000, 1'000'000); });
  figures.measure("local.pingpong", "1/s", [&] { return pingpong(node, 500'000); });
  figures.measure("local.big", "1/s", [&] { return big(node, 120, 5000); });
  figures.measure("local.counting", "1/s", [&] { return counting(node, 1'000'000); });
  figures.measure("local.skynet1M.ms", "ms", 3, [&] { return skynet_ms(node); });
}

}  // namespace coterie::bench
