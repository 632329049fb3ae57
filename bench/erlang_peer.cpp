// Erlang and Elixir beside us, in the same run: bench/peers/erlang measures the same workloads and
// prints a line of JSON a figure; here its names become ours and its figures stand beside ours as
// ratios. Where Erlang is not installed each row says so.

#include <stdio.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bench/bench_line.hpp"

namespace coterie::bench {
namespace {

struct Row {
  std::string_view ours;
  std::string_view theirs;
  std::string_view unit;
};

constexpr std::array<Row, 19> rows{{
    {"local.call.1c1s.p50", "local.call.1c1s.p50", "us"},
    {"local.call.1c1s", "local.call.1c1s", "1/s"},
    {"local.call.1000c1000s", "local.call.1000c1000s", "1/s"},
    {"local.cast.1p1s", "local.cast.1p1s", "1/s"},
    {"local.cast.2p1000s", "local.cast.2p1000s", "1/s"},
    {"local.spawn_exit", "local.spawn_exit.batched", "1/s"},
    {"local.spawn1M.per_s", "local.spawn1M.genserver", "1/s"},
    {"local.spawn1M.supervised.per_s", "dynsup.start_child", "1/s"},
    {"local.ring1000", "local.ring1000", "1/s"},
    {"local.pingpong", "local.pingpong", "1/s"},
    {"local.big", "local.big.120x5000", "1/s"},
    {"local.counting", "local.counting.1M", "1/s"},
    {"local.skynet1M.ms", "local.skynet1M", "ms"},
    {"registry.lookup", "registry.lookup.parts1", "1/s"},
    {"registry.via_call.p50", "registry.via_call.1c1s.parts1.p50", "us"},
    {"registry.register", "registry.register.1p.parts1", "1/s"},
    {"supervisor.restart.p50", "local.sup_restart.kill.nolog.p50", "us"},
    {"timer.set", "local.timer.set1M", "1/s"},
    {"timer.cancel", "local.timer.cancel1M", "1/s"},
}};

const Row* row_of(std::string_view theirs) {
  for (const Row& row : rows) {
    if (row.theirs == theirs) return &row;
  }
  return nullptr;
}

/// The text after `"key":` up to the next comma, brace or quote; empty if there is none.
std::string_view field(std::string_view line, std::string_view key) {
  const std::string mark = "\"" + std::string(key) + "\":";
  const std::size_t at = line.find(mark);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + mark.size());
  if (line.starts_with('"')) line.remove_prefix(1);
  return line.substr(0, line.find_first_of(",}\""));
}

double number(std::string_view text) { return std::strtod(std::string(text).c_str(), nullptr); }

void take_line(Figures& figures, std::string_view line) {
  const Row* row = row_of(field(line, "name"));
  if (row == nullptr) return;
  PeerFigure figure{std::string(row->ours), std::string(row->unit), "erlang"};
  // Two of its workloads take a fresh machine for each sample, and print only that.
  const bool single = field(line, "median").empty();
  figure.median = number(field(line, single ? "per_s" : "median"));
  figure.min = single ? figure.median : number(field(line, "min"));
  figure.max = single ? figure.median : number(field(line, "max"));
  figure.runs = single ? 1 : static_cast<std::size_t>(number(field(line, "runs")));
  figures.compare(figure);
}

bool installed() { return std::system("command -v erl elixir >/dev/null 2>&1") == 0; }

}  // namespace

void measure_erlang(Figures& figures, const std::string& folder) {
  if (!installed()) {
    for (const Row& row : rows) figures.not_measured(std::string(row.ours), "erlang");
    return;
  }
  const std::string command =
      "CFGS=${CFGS:-2:2} '" + folder + "/run.sh' local million registry dynsup 2>/dev/null";
  FILE* const peer = ::popen(command.c_str(), "r");
  if (peer == nullptr) return;
  std::array<char, 1024> line{};
  while (::fgets(line.data(), line.size(), peer) != nullptr) take_line(figures, line.data());
  ::pclose(peer);
}

}  // namespace coterie::bench
