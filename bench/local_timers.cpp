// A million timers a minute away: set, and cancelled before their time.

#include <vector>

#include "bench/bench_line.hpp"
#include "bench/local_groups.hpp"
#include "bench/local_node.hpp"

namespace coterie::bench {
namespace {

using namespace std::chrono_literals;

constexpr int million = 1'000'000;

struct Tick {};

struct Rates {
  double set = 0;
  double cancel = 0;
};

Rates timers_per_second(Node& node) {
  Rates rates;
  in_process([&] {
    std::vector<Ref> timers(million);
    const Pid me = self();
    const Time start = node.clock.now();
    for (int i = 0; i < million; ++i) {
      timers[static_cast<std::size_t>(i)] = send_after(60s + (i % 10'000) * 1ms, me, Tick{});
    }
    const Time set = node.clock.now();
    for (const Ref timer : timers) cancel_timer(timer);
    rates = {million / seconds(set - start), million / seconds(node.clock.now() - set)};
  });
  return rates;
}

}  // namespace

void measure_timers(Figures& figures) {
  Node node;
  std::vector<double> cancels;
  figures.measure("timer.set", "1/s", [&] {
    const Rates rates = timers_per_second(node);
    cancels.push_back(rates.cancel);
    return rates.set;
  });
  figures.report("timer.cancel", "1/s", cancels);
}

}  // namespace coterie::bench
