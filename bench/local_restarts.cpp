// A supervisor at work: from the kill of its child to the next one's init.

#include <algorithm>
#include <utility>
#include <vector>

#include <coterie/supervisor.hpp>

#include "bench/bench_line.hpp"
#include "bench/local_groups.hpp"
#include "bench/local_node.hpp"

namespace coterie::bench {
namespace {

struct Started {
  Pid pid;
};

class Child final : public GenServer {
 public:
  explicit Child(Pid watcher) : watcher_(watcher) {}
  void init() { send(watcher_, Started{self()}); }

 private:
  const Pid watcher_;
};

struct Restarts {
  double p50 = 0;
  double p99 = 0;
};

/// Microseconds. One restart follows another at once: hundreds of thousands a second.
Restarts restarts(Node& node) {
  std::vector<double> samples(5000);
  in_process([&] {
    Supervisor::start_link({child<Child>("child", {}, self())},
                           {.max_restarts = 1'000'000, .max_seconds = std::chrono::seconds(1)})
        .value();
    Pid pid;
    receive([&pid](const Started& started) { pid = started.pid; });
    for (double& sample : samples) {
      const Time start = node.clock.now();
      exit(pid, ExitReason::kill());
      receive([&pid](const Started& started) { pid = started.pid; });
      sample = seconds(node.clock.now() - start) * 1e6;
    }
  });
  std::ranges::sort(samples);
  return {samples[samples.size() / 2], samples[samples.size() * 99 / 100]};
}

}  // namespace

void measure_restarts(Figures& figures) {
  Node node;
  // The supervisor's reports would be most of it. The peer's workload logs nothing either.
  node.log.set_level(LogLevel::off);
  std::vector<double> p99s;
  figures.measure("supervisor.restart.p50", "us", [&] {
    const Restarts measured = restarts(node);
    p99s.push_back(measured.p99);
    return measured.p50;
  });
  figures.report("supervisor.restart.p99", "us", p99s);
}

}  // namespace coterie::bench
