#pragma once
// What a benchmark prints: a line for people and, with --json, one JSON object a line. A figure is
// the median of several runs; durations and rates are measured with the caller's clock.

#include <functional>
#include <string>
#include <vector>

namespace coterie::bench {

class Figures {
 public:
  /// `json_path` empty: no file. An existing file is replaced.
  explicit Figures(std::string json_path);
  ~Figures();
  /// Measures `run` `runs` times and writes median, least and greatest result.
  void measure(const std::string& name, const std::string& unit, int runs,
               const std::function<double()>& run);

 private:
  std::string json_path_;
  std::string json_;
};

/// Figures of one node: local.*.
void measure_local(Figures& figures);

}  // namespace coterie::bench
