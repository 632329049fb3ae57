#pragma once
// What a benchmark prints: a line for people and, with --json, one JSON object a line. A figure is
// the median of several runs; durations and rates are measured with the caller's clock.

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace coterie::bench {

/// Of an odd number of samples; of an even one the upper of the two in the middle.
double median_of(std::vector<double> samples);

/// A figure of another system, measured in the same run.
struct PeerFigure {
  std::string name, unit, peer;
  double median = 0, min = 0, max = 0;
  std::size_t runs = 0;
};

class Figures {
 public:
  /// `json_path` empty: no file. An existing file is replaced. `only`: of the rows, those whose
  /// names begin with one of these, with commas between; empty: all.
  explicit Figures(std::string json_path, std::string only = {});
  ~Figures();
  /// Measures `run` `runs` times and writes median, least and greatest result.
  void measure(const std::string& name, const std::string& unit, int runs,
               const std::function<double()>& run);
  void measure(const std::string& name, const std::string& unit,
               const std::function<double()>& run) {
    measure(name, unit, 5, run);
  }
  /// Writes what was measured elsewhere.
  void report(const std::string& name, const std::string& unit, std::vector<double> results);
  /// Writes a peer's figure and how ours stands to it: above 1 ours is better.
  void compare(const PeerFigure& figure);
  /// Of what was measured here.
  double median(const std::string& name) const { return ours_.at(name); }
  /// Writes how one measured figure stands to another, where both were.
  void ratio(const std::string& name, const std::string& of, const std::string& to);
  void not_measured(const std::string& name, const std::string& peer);
  bool wanted(const std::string& name) const;

 private:
  std::string json_path_;
  std::vector<std::string> only_;
  std::string json_;
  std::map<std::string, double> ours_;  // medians
};

/// Figures of one node: local.*, registry.*, supervisor.*, timer.*.
void measure_local(Figures& figures);
/// The same of Erlang/OTP, by the programs in `folder`; "not measured" where it is not installed.
void measure_erlang(Figures& figures, const std::string& folder);
/// The same of CAF.
void measure_caf(Figures& figures, const std::string& folder);

}  // namespace coterie::bench
