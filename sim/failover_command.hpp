#pragma once
// `coterie failover`: plays a scenario file with real processes and prints the verdict. The
// composition root of a failover test: directory, signals, cluster, load, run. One thread: main's.

#include <cstdint>
#include <optional>
#include <string>

#include <coterie/program.hpp>

#include "node/command_line.hpp"

namespace coterie::sim {

struct FailoverOptions {
  std::string scenario;               // file
  std::string json;                   // file for the verdict as JSON; empty: none
  std::optional<std::uint64_t> seed;  // instead of the scenario's
  std::string keep;                   // directory for state and logs, kept; empty: a temporary one
  std::string program = "/proc/self/exe";  // whose `node` command the nodes run
};

/// The program's exit code: 0 pass, 1 fail, 2 the file or its cluster is wrong, 130 interrupted.
int play_failover(const FailoverOptions& options, const Program& program);

Command failover_command();

}  // namespace coterie::sim
