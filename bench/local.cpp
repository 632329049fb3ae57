// The figures of one node, in the order of their table.

#include "bench/bench_line.hpp"
#include "bench/local_groups.hpp"

namespace coterie::bench {

void measure_local(Figures& figures) {
  measure_calls(figures);
  measure_spawns(figures);
  measure_classics(figures);
  measure_names(figures);
  measure_restarts(figures);
  measure_timers(figures);
}

}  // namespace coterie::bench
