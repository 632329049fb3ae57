// Figures of one node: calls, casts, spawn and exit, the memory of an idle GenServer.

#include <malloc.h>

#include <algorithm>
#include <array>
#include <vector>

#include <coterie/gen_server.hpp>

#include "bench/bench_line.hpp"
#include "process/log_capture.hpp"
#include "process/runtime.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"
#include "process/thread_executor.hpp"

namespace coterie::bench {
namespace {

using namespace std::chrono_literals;

class Counter final : public GenServer {
 public:
  struct Increment {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "bench.increment";
    std::int64_t by = 1;
  };
  struct Note {
    static constexpr std::string_view type_name = "bench.note";
    std::int64_t a = 0, b = 0;
  };
  using Calls = Messages<Increment>;
  using Casts = Messages<Note>;
  std::int64_t handle_call(const Increment& m) { return sum_ += m.by; }
  void handle_cast(const Note& m) { sum_ += m.a; }

 private:
  std::int64_t sum_ = 0;
};

struct Node {
  SystemClock clock;
  SystemRandom random;
  CapturedLog sink;
  Log log{sink, clock, "bench"};
  ThreadExecutor executor{clock};
  detail::Runtime runtime{{.node = "bench", .workers = 2}, {clock, random, executor, log}};
  detail::AttachedThread self{runtime};
};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Runs `body` in a process and waits for its end.
void in_process(std::move_only_function<void()> body) {
  const Ref ref = spawn_monitor(std::move(body)).second;
  receive(when([ref](const Down& down) { return down.ref == ref; }, [](const Down&) {}));
}

double calls_per_second(Node& node, int clients, int servers, int total) {
  std::vector<Pid> pids;
  for (int i = 0; i < servers; ++i) pids.push_back(GenServer::start<Counter>({}).value());
  const Time start = node.clock.now();
  in_process([&] {
    for (int c = 0; c < clients; ++c) {
      spawn_monitor([&pids, c, each = total / clients] {
        const Pid server = pids[static_cast<std::size_t>(c) % pids.size()];
        for (int i = 0; i < each; ++i) call(server, Counter::Increment{}).value();
      });
    }
    for (int c = 0; c < clients; ++c) receive([](const Down&) {});
  });
  const double rate = total / seconds(node.clock.now() - start);
  for (const Pid& pid : pids) exit(pid, ExitReason::shutdown());
  return rate;
}

/// Microseconds. Clock reads cost as much as a call: each sample is the mean of eight calls.
double call_p50(Node& node) {
  constexpr int batch = 8;
  std::vector<double> samples(20'000);
  const Pid server = GenServer::start<Counter>({}).value();
  in_process([&] {
    for (double& sample : samples) {
      const Time start = node.clock.now();
      for (int i = 0; i < batch; ++i) call(server, Counter::Increment{}).value();
      sample = seconds(node.clock.now() - start) * 1e6 / batch;
    }
  });
  exit(server, ExitReason::shutdown());
  std::ranges::nth_element(samples, samples.begin() + std::ssize(samples) / 2);
  return samples[samples.size() / 2];
}

double casts_per_second(Node& node, int producers, int servers, int total) {
  std::vector<Pid> pids;
  for (int i = 0; i < servers; ++i) pids.push_back(GenServer::start<Counter>({}).value());
  const Time start = node.clock.now();
  in_process([&] {
    for (int p = 0; p < producers; ++p) {
      spawn_monitor([&pids, each = total / producers] {
        for (int i = 0; i < each; ++i) {
          cast(pids[static_cast<std::size_t>(i) % pids.size()], Counter::Note{i, i});
        }
      });
    }
    for (int p = 0; p < producers; ++p) receive([](const Down&) {});
    // Each server has handled what came before.
    for (const Pid& pid : pids) call(pid, Counter::Increment{}, 60s).value();
  });
  const double rate = total / seconds(node.clock.now() - start);
  for (const Pid& pid : pids) exit(pid, ExitReason::shutdown());
  return rate;
}

double spawns_per_second(Node& node, int total) {
  const Time start = node.clock.now();
  in_process([total] {
    constexpr int batch = 100;
    for (int i = 0; i < total / batch; ++i) {
      for (int k = 0; k < batch; ++k) spawn_monitor([] {});
      for (int k = 0; k < batch; ++k) receive([](const Down&) {});
    }
  });
  return total / seconds(node.clock.now() - start);
}

double bytes_per_server(int total) {
  Node node;
  const auto used = [] {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const std::size_t before = used();
  in_process([total] {
    for (int i = 0; i < total; ++i) GenServer::start<Counter>({}).value();
  });
  return static_cast<double>(used() - before) / total;
}

}  // namespace

void measure_local(Figures& figures) {
  constexpr int runs = 5;
  {
    Node node;
    figures.measure("local.call.1c1s.p50", "us", runs, [&] { return call_p50(node); });
    figures.measure("local.call.1c1s", "1/s", runs,
                    [&] { return calls_per_second(node, 1, 1, 300'000); });
    figures.measure("local.call.1000c1000s", "1/s", runs,
                    [&] { return calls_per_second(node, 1000, 1000, 500'000); });
    figures.measure("local.cast.1p1s", "1/s", runs,
                    [&] { return casts_per_second(node, 1, 1, 1'000'000); });
    figures.measure("local.cast.2p1000s", "1/s", runs,
                    [&] { return casts_per_second(node, 2, 1000, 1'000'000); });
    figures.measure("local.spawn_exit", "1/s", runs,
                    [&] { return spawns_per_second(node, 200'000); });
  }
  figures.measure("local.spawn1M.bytes", "B", 1, [] { return bytes_per_server(1'000'000); });
}

}  // namespace coterie::bench
