// Calls and casts between a client and a server, and between a thousand of each.

#include <utility>
#include <vector>

#include "bench/bench_line.hpp"
#include "bench/local_groups.hpp"
#include "bench/local_node.hpp"

namespace coterie::bench {
namespace {

using namespace std::chrono_literals;

std::vector<Pid> counters(int count) {
  std::vector<Pid> pids;
  for (int i = 0; i < count; ++i) pids.push_back(GenServer::start<Counter>({}).value());
  return pids;
}

double calls_per_second(Node& node, int clients, int servers, int total) {
  const std::vector<Pid> pids = counters(servers);
  const double result = rate(node, total, [&] {
    for (int c = 0; c < clients; ++c) {
      spawn_monitor([&pids, c, each = total / clients] {
        const Pid server = pids[static_cast<std::size_t>(c) % pids.size()];
        for (int i = 0; i < each; ++i) call(server, Counter::Increment{}).value();
      });
    }
    for (int c = 0; c < clients; ++c) receive([](const Down&) {});
  });
  stop_all(pids);
  return result;
}

/// Microseconds. Clock reads cost as much as a call: each sample is the mean of eight calls.
double call_p50(Node& node) {
  constexpr int batch = 8;
  std::vector<double> samples(20'000);
  const std::vector<Pid> server = counters(1);
  in_process([&] {
    for (double& sample : samples) {
      const Time start = node.clock.now();
      for (int i = 0; i < batch; ++i) call(server.front(), Counter::Increment{}).value();
      sample = seconds(node.clock.now() - start) * 1e6 / batch;
    }
  });
  stop_all(server);
  return median_of(std::move(samples));
}

double casts_per_second(Node& node, int producers, int servers, int total) {
  const std::vector<Pid> pids = counters(servers);
  const double result = rate(node, total, [&] {
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
  stop_all(pids);
  return result;
}

}  // namespace

void measure_calls(Figures& figures) {
  Node node;
  figures.measure("local.call.1c1s.p50", "us", [&] { return call_p50(node); });
  figures.measure("local.call.1c1s", "1/s", [&] { return calls_per_second(node, 1, 1, 500'000); });
  figures.measure("local.call.1000c1000s", "1/s",
                  [&] { return calls_per_second(node, 1000, 1000, 500'000); });
  figures.measure("local.cast.1p1s", "1/s",
                  [&] { return casts_per_second(node, 1, 1, 1'000'000); });
  figures.measure("local.cast.2p1000s", "1/s",
                  [&] { return casts_per_second(node, 2, 1000, 1'000'000); });
}

}  // namespace coterie::bench
