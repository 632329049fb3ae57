// Processes that come and go, and a million that stay: started, each called once, and what an idle
// one weighs.

#include <malloc.h>

#include <vector>

#include <coterie/dynamic_supervisor.hpp>

#include "bench/bench_line.hpp"
#include "bench/local_groups.hpp"
#include "bench/local_node.hpp"

namespace coterie::bench {
namespace {

constexpr int million = 1'000'000;

double spawns_per_second(Node& node, int total) {
  return rate(node, total, [total] {
    constexpr int batch = 100;
    for (int i = 0; i < total / batch; ++i) {
      for (int k = 0; k < batch; ++k) spawn_monitor([] {});
      for (int k = 0; k < batch; ++k) receive([](const Down&) {});
    }
  });
}

std::size_t memory_used() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

struct Million {
  double per_second = 0;
  double bytes = 0;
};

/// Starts them all and calls each once: they answer. Each sample has a node of its own.
Million start_million(bool supervised) {
  Node node;
  Million result;
  in_process([&] {
    Pid supervisor;
    if (supervised) supervisor = DynamicSupervisor::start_link({}).value();
    std::vector<Pid> pids(million);
    const std::size_t before = memory_used();
    const std::size_t slots_before = node.runtime.table_bytes();
    const Time start = node.clock.now();
    for (Pid& pid : pids) {
      pid = supervised ? DynamicSupervisor::start_child(supervisor, child<Counter>("", {})).value()
                       : GenServer::start<Counter>({}).value();
    }
    result.per_second = million / seconds(node.clock.now() - start);
    result.bytes =
        static_cast<double>(memory_used() - before + node.runtime.table_bytes() - slots_before) /
        million;
    for (const Pid& pid : pids) call(pid, Counter::Increment{}).value();
  });
  return result;
}

}  // namespace

void measure_spawns(Figures& figures) {
  {
    Node node;
    figures.measure("local.spawn_exit", "1/s", [&] { return spawns_per_second(node, 200'000); });
  }
  figures.measure("local.spawn1M.per_s", "1/s", 3, [] { return start_million(false).per_second; });
  double bytes = 0;
  figures.measure("local.spawn1M.supervised.per_s", "1/s", 3, [&] {
    const Million result = start_million(true);
    bytes = result.bytes;
    return result.per_second;
  });
  figures.measure("local.spawn1M.bytes", "B", 1, [&] { return bytes; });
}

}  // namespace coterie::bench
