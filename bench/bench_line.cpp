#include "bench/bench_line.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <utility>

namespace coterie::bench {

double median_of(std::vector<double> samples) {
  const auto middle = samples.begin() + std::ssize(samples) / 2;
  std::ranges::nth_element(samples, middle);
  return *middle;
}

Figures::Figures(std::string json_path, std::string only) : json_path_(std::move(json_path)) {
  std::istringstream names(std::move(only));
  for (std::string name; std::getline(names, name, ',');) only_.push_back(std::move(name));
}

bool Figures::wanted(const std::string& name) const {
  return only_.empty() ||
         std::ranges::any_of(only_, [&](const std::string& o) { return name.starts_with(o); });
}

Figures::~Figures() {
  if (json_path_.empty()) return;
  std::FILE* const file = std::fopen(json_path_.c_str(), "w");
  if (file == nullptr || std::fputs(json_.c_str(), file) < 0 || std::fclose(file) != 0) {
    std::fprintf(stderr, "coterie_bench: cannot write %s\n", json_path_.c_str());
  }
}

void Figures::measure(const std::string& name, const std::string& unit, int runs,
                      const std::function<double()>& run) {
  if (!wanted(name)) return;
  std::vector<double> results;
  for (int i = 0; i < runs; ++i) results.push_back(run());
  report(name, unit, std::move(results));
}

void Figures::report(const std::string& name, const std::string& unit,
                     std::vector<double> results) {
  if (results.empty() || !wanted(name)) return;
  std::ranges::sort(results);
  const double median = results[results.size() / 2];
  ours_[name] = median;
  std::printf("%-28s %14.3f %-6s (%.3f to %.3f, %zu runs)\n", name.c_str(), median, unit.c_str(),
              results.front(), results.back(), results.size());
  std::fflush(stdout);
  char line[256];
  std::snprintf(line, sizeof line,
                "{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,"
                "\"runs\":%zu}\n",
                name.c_str(), unit.c_str(), median, results.front(), results.back(),
                results.size());
  json_ += line;
}

void Figures::compare(const PeerFigure& figure) {
  if (!wanted(figure.name)) return;
  const auto ours = ours_.find(figure.name);
  const bool less_is_better = figure.unit == "us" || figure.unit == "ms" || figure.unit == "B";
  double ratio = 0;
  if (ours != ours_.end() && figure.median > 0 && ours->second > 0) {
    ratio = less_is_better ? figure.median / ours->second : ours->second / figure.median;
  }
  std::printf("%-28s %14.3f %-6s (%.3f to %.3f, %zu runs)  %s; ours is %.2f times as good\n",
              figure.name.c_str(), figure.median, figure.unit.c_str(), figure.min, figure.max,
              figure.runs, figure.peer.c_str(), ratio);
  std::fflush(stdout);
  char line[256];
  std::snprintf(line, sizeof line,
                "{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.6g,\"min\":%.6g,"
                "\"max\":%.6g,\"runs\":%zu,\"peer\":\"%s\"}\n",
                figure.name.c_str(), figure.unit.c_str(), figure.median, figure.min, figure.max,
                figure.runs, figure.peer.c_str());
  json_ += line;
}

void Figures::ratio(const std::string& name, const std::string& of, const std::string& to) {
  if (ours_.contains(of) && ours_.contains(to))
    report(name, "ratio", {ours_.at(of) / ours_.at(to)});
}

void Figures::not_measured(const std::string& name, const std::string& peer) {
  if (!wanted(name)) return;
  std::printf("%-28s   not measured         %s\n", name.c_str(), peer.c_str());
}

}  // namespace coterie::bench
