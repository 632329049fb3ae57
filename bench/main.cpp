// coterie_bench local [--json FILE]: prints each figure and, with --json, writes them as lines.

#include <cstdio>
#include <cstring>
#include <string>

#include "bench/bench_line.hpp"

int main(int count, char** arguments) {
  std::string json;
  std::string what;
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--json") == 0 && i + 1 < count) {
      json = arguments[++i];
    } else if (what.empty() && arguments[i][0] != '-') {
      what = arguments[i];
    } else {
      what = "?";
    }
  }
  if (what != "local") {
    std::fprintf(stderr, "usage: coterie_bench local [--json FILE]\n");
    return 2;
  }
  coterie::bench::Figures figures(json);
  coterie::bench::measure_local(figures);
  return 0;
}
