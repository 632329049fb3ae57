#include "bench/bench_line.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace coterie::bench {

Figures::Figures(std::string json_path) : json_path_(std::move(json_path)) {}

Figures::~Figures() {
  if (json_path_.empty()) return;
  std::FILE* const file = std::fopen(json_path_.c_str(), "w");
  if (file == nullptr || std::fputs(json_.c_str(), file) < 0 || std::fclose(file) != 0) {
    std::fprintf(stderr, "coterie_bench: cannot write %s\n", json_path_.c_str());
  }
}

void Figures::measure(const std::string& name, const std::string& unit, int runs,
                      const std::function<double()>& run) {
  std::vector<double> results;
  for (int i = 0; i < runs; ++i) results.push_back(run());
  std::ranges::sort(results);
  const double median = results[results.size() / 2];
  std::printf("%-28s %14.3f %-6s (%.3f to %.3f, %d runs)\n", name.c_str(), median, unit.c_str(),
              results.front(), results.back(), runs);
  std::fflush(stdout);
  char line[256];
  std::snprintf(line, sizeof line,
                "{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,"
                "\"runs\":%d}\n",
                name.c_str(), unit.c_str(), median, results.front(), results.back(), runs);
  json_ += line;
}

}  // namespace coterie::bench
