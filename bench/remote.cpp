// Calls and casts between two nodes in two programs on loopback, with and without keys, and the
// time from the death of one to the DOWN at the other. Raw ZeroMQ in bench/peers/zmq is measured
// in the same run.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <utility>
#include <vector>

#include "bench/bench_line.hpp"
#include "bench/local_node.hpp"
#include "bench/remote.hpp"
#include "bench/remote_node.hpp"

namespace coterie::bench {
namespace {

using namespace std::chrono_literals;

/// What a server does with bytes: nothing but to count them.
class Sink final : public GenServer {
 public:
  struct Sync {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "bench.sync";
  };
  struct Bytes {
    static constexpr std::string_view type_name = "bench.bytes";
    std::string bytes;
  };
  using Calls = Messages<Sync>;
  using Casts = Messages<Bytes>;
  std::int64_t handle_call(const Sync&) { return seen_; }
  void handle_cast(const Bytes& m) { seen_ += static_cast<std::int64_t>(m.bytes.size()); }

 private:
  std::int64_t seen_ = 0;
};

/// Node b, in a program of its own: it serves until it is killed.
[[noreturn]] void serve(const Keys& keys, unsigned workers, int in, int out) {
  RemoteNode node("b", keys, keys.b, workers);
  const auto counter = GenServer::start_link<Counter>({.name = local("counter")});
  const auto sink = GenServer::start_link<Sink>({.name = local("sink")});
  if (!counter || !sink) ::_exit(1);
  write_line(out, node.links->address());
  node.links->set_members({{"a", read_line(in), "", {keys.a.public_key}}});
  receive([](const Down&) {});  // never
  ::_exit(0);
}

/// Two nodes; this program's is `a`.
class Pair {
 public:
  explicit Pair(const Keys& keys, unsigned workers = 1) {
    int to[2], from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) std::abort();
    child_ = fork_child();  // before this program has threads of a node
    if (child_ == 0) serve(keys, workers, to[0], from[1]);
    node.emplace("a", keys, keys.a, workers);
    node->links->set_members({{"b", read_line(from[0]), "", {keys.b.public_key}}});
    write_line(to[1], node->links->address());
    for (const int end : {to[0], to[1], from[0], from[1]}) ::close(end);
    while (!call(at("counter", "b"), Counter::Increment{}, 1s)) sleep(10ms);
  }
  ~Pair() {
    kill();
    node.reset();
  }
  void kill() {
    if (child_ == 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
  }

  /// Of both programs.
  double processor_time() const {
    return processor_seconds(::getpid()) + processor_seconds(child_);
  }

  std::optional<RemoteNode> node;

 private:
  pid_t child_ = 0;
};

/// The processor's time is what a machine busy with other things cannot distort.
struct Rate {
  double per_second = 0;
  double processor_ns = 0;  // of both programs, for each
};

template <class Body>
Rate per_second(Pair& pair, double total, Body body) {
  Time start{}, end{};
  double used = 0;
  in_process([&] {
    used = -pair.processor_time();
    start = pair.node->clock.now();
    body();
    end = pair.node->clock.now();
    used += pair.processor_time();
  });
  return {total / seconds(end - start), used * 1e9 / total};
}

/// Rates in `unit`, of which each is `scale`, and the processor's time.
template <class Run>
void measure_rate(Figures& figures, const std::string& name, const std::string& unit, double scale,
                  Run run) {
  if (!figures.wanted(name)) return;
  std::vector<double> rates, processor;
  for (int i = 0; i < 5; ++i) {
    const Rate rate = run();
    rates.push_back(rate.per_second * scale);
    processor.push_back(rate.processor_ns);
  }
  figures.report(name, unit, std::move(rates));
  figures.report(name + ".cpu", "ns", std::move(processor));
}
template <class Run>
void measure_rate(Figures& figures, const std::string& name, Run run) {
  measure_rate(figures, name, "1/s", 1, std::move(run));
}

double call_p50(Pair& pair) {
  std::vector<double> samples(5000);
  in_process([&] {
    for (int i = 0; i < 500; ++i) call(at("counter", "b"), Counter::Increment{}).value();
    for (double& sample : samples) {
      const Time start = pair.node->clock.now();
      call(at("counter", "b"), Counter::Increment{}).value();
      sample = seconds(pair.node->clock.now() - start) * 1e6;
    }
  });
  return median_of(std::move(samples));
}

Rate calls(Pair& pair, int clients, int total) {
  return per_second(pair, total, [&] {
    for (int c = 0; c < clients; ++c) {
      spawn_monitor([each = total / clients] {
        for (int i = 0; i < each; ++i) call(at("counter", "b"), Counter::Increment{}).value();
      });
    }
    for (int c = 0; c < clients; ++c) receive([](const Down&) {});
  });
}

/// 16 bytes of payload are two integers.
Rate small_casts(Pair& pair, int total) {
  return per_second(pair, total, [&] {
    for (int i = 0; i < total; ++i) cast(at("counter", "b"), Counter::Note{1ll << 60, 1ll << 60});
    call(at("counter", "b"), Counter::Increment{}, 60s).value();
  });
}

Rate big_casts(Pair& pair, int total, std::size_t bytes) {
  return per_second(pair, total, [&] {
    for (int i = 0; i < total; ++i) cast(at("sink", "b"), Sink::Bytes{std::string(bytes, 'x')});
    call(at("sink", "b"), Sink::Sync{}, 60s).value();
  });
}

constexpr std::size_t gib = std::size_t{1} << 30;

/// One payload of 1 GiB, from the cast until its receiver has it; and calls between two other
/// processes meanwhile, the longest first. To fill the payload is its maker's affair, in one
/// callback that nobody else of its worker passes, so it is there before.
struct BigPayload {
  double mb_per_s = 0;
  std::vector<double> calls_us;
};
BigPayload big_payload(Pair& pair) {
  BigPayload result;
  in_process([&] {
    Sink::Bytes message{std::string(gib, 'x')};
    const Time start = pair.node->clock.now();
    bool there = false;
    const Ref ref = spawn_monitor([&] {
                      cast(at("sink", "b"), std::move(message));
                      call(at("sink", "b"), Sink::Sync{}, 600s).value();
                    }).second;
    while (!there) {
      const Time asked = pair.node->clock.now();
      call(at("counter", "b"), Counter::Increment{}, 60s).value();
      result.calls_us.push_back(seconds(pair.node->clock.now() - asked) * 1e6);
      there = receive_down(ref, 1ms).has_value();
    }
    result.mb_per_s = static_cast<double>(gib) / 1e6 / seconds(pair.node->clock.now() - start);
  });
  std::ranges::sort(result.calls_us, std::greater{});
  return result;
}

void measure_big_payload(Figures& figures) {
  if (!figures.wanted("remote.payload.1GiB")) return;
  Pair pair({}, 2);  // whoever makes, packs or unpacks so much holds one of them
  std::vector<double> rates, p50, most;
  for (int run = 0; run < 3; ++run) {
    const BigPayload payload = big_payload(pair);
    rates.push_back(payload.mb_per_s);
    p50.push_back(payload.calls_us[payload.calls_us.size() / 2]);
    most.push_back(payload.calls_us.front());
  }
  figures.report("remote.payload.1GiB.MBps", "MB/s", rates);
  figures.report("remote.payload.1GiB.calls.p50", "us", p50);
  figures.report("remote.payload.1GiB.calls.max", "us", most);
}

/// Milliseconds from the SIGKILL to the monitor's message.
double kill_to_down() {
  Pair pair({});
  double result = 0;
  in_process([&] {
    const Ref ref = monitor(at("counter", "b"));
    call(at("counter", "b"), Counter::Increment{}).value();
    const Time start = pair.node->clock.now();
    pair.kill();
    receive(when([ref](const Down& down) { return down.ref == ref; }, [](const Down&) {}));
    result = seconds(pair.node->clock.now() - start) * 1e3;
  });
  return result;
}

void measure_peer(Figures& figures, const std::string& folder) {
  const std::string command = "'" + folder + "/run.sh' 2>/dev/null";
  FILE* const peer = ::popen(command.c_str(), "r");
  if (peer == nullptr) return figures.not_measured("remote.*", "zmq");
  char name[64], unit[16];
  double median = 0, least = 0, most = 0;
  std::size_t runs = 0;
  while (std::fscanf(peer, "%63s %15s %lf %lf %lf %zu", name, unit, &median, &least, &most,
                     &runs) == 6) {
    figures.compare({name, unit, "zmq", median, least, most, runs});
    const std::string p50 = "remote.call.1c.p50";
    if (name == p50 && figures.wanted(p50)) {
      figures.report(p50 + ".over_zmq", "ratio", {figures.median(p50) / median});
    }
  }
  if (::pclose(peer) != 0) figures.not_measured("remote.*", "zmq");
}

}  // namespace

void measure_remote(Figures& figures, const std::string& peers) {
  // First: the other node's program is a copy of this one, and a dying program's connections end
  // after its memory, so what this one had of it would count.
  figures.measure("remote.kill9_to_down.ms", "ms", 9, kill_to_down);
  {
    Pair pair({});
    figures.measure("remote.call.1c.p50", "us", [&] { return call_p50(pair); });
    measure_rate(figures, "remote.call.16c", [&] { return calls(pair, 16, 64'000); });
    measure_rate(figures, "remote.call.256c", [&] { return calls(pair, 256, 256'000); });
    measure_rate(figures, "remote.call.1000c", [&] { return calls(pair, 1000, 400'000); });
    measure_rate(figures, "remote.cast.16B", [&] { return small_casts(pair, 1'000'000); });
    measure_rate(figures, "remote.cast.1KiB", [&] { return big_casts(pair, 200'000, 1024); });
    measure_rate(figures, "remote.cast.64KiB.MBps", "MB/s", (64 << 10) / 1e6,
                 [&] { return big_casts(pair, 5000, 64 << 10); });
  }
  measure_big_payload(figures);
  {
    Pair pair({make_curve_keys(), make_curve_keys()});
    measure_rate(figures, "remote.call.256c.curve", [&] { return calls(pair, 256, 256'000); });
    measure_rate(figures, "remote.cast.16B.curve", [&] { return small_casts(pair, 1'000'000); });
  }
  figures.ratio("remote.call.256c.curve.over_plain", "remote.call.256c.curve", "remote.call.256c");
  if (!peers.empty()) measure_peer(figures, peers + "/zmq");
}

}  // namespace coterie::bench
