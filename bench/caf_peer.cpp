// CAF, the C++ Actor Framework, beside us in the same run: bench/peers/caf measures the same
// workloads under our names. Where it cannot be built each row says so.

#include <stdio.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bench/bench_line.hpp"

namespace coterie::bench {
namespace {

constexpr std::array<std::string_view, 13> rows{
    "local.call.1c1s.p50", "local.call.1c1s",  "local.call.1000c1000s", "local.cast.1p1s",
    "local.cast.2p1000s",  "local.spawn_exit", "local.ring1000",        "local.pingpong",
    "local.big",           "local.counting",   "local.skynet1M.ms",     "local.spawn1M.per_s",
    "local.spawn1M.bytes",
};

}  // namespace

void measure_caf(Figures& figures, const std::string& folder) {
  FILE* const peer = ::popen(("'" + folder + "/run.sh' 2>/dev/null").c_str(), "r");
  std::size_t taken = 0;
  if (peer != nullptr) {
    std::string version = "caf";
    std::array<char, 256> line{};
    while (::fgets(line.data(), line.size(), peer) != nullptr) {
      char name[64] = {}, unit[8] = {};
      PeerFigure figure;
      if (std::sscanf(line.data(), "caf %63s", name) == 1) {
        version = std::string("caf ") + name;
      } else if (std::sscanf(line.data(), "%63s %7s %lf %lf %lf %zu", name, unit, &figure.median,
                             &figure.min, &figure.max, &figure.runs) == 6) {
        figure.name = name;
        figure.unit = unit;
        figure.peer = version;
        figures.compare(figure);
        ++taken;
      }
    }
    ::pclose(peer);
  }
  if (taken > 0) return;
  for (const std::string_view row : rows) figures.not_measured(std::string(row), "caf");
}

}  // namespace coterie::bench
