// A supervisor at work: from the kill of its child to the next one's init.

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

double restart_p50(Node& node) {
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
  return median_of(std::move(samples));
}

}  // namespace

void measure_restarts(Figures& figures) {
  Node node;
  // The supervisor's reports would be most of it. The peer's workload logs nothing either.
  node.log.set_level(LogLevel::off);
  figures.measure("supervisor.restart.p50", "us", [&] { return restart_p50(node); });
}

}  // namespace coterie::bench
