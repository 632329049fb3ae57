#pragma once
// Figures of a cluster of real nodes, cluster.*, and of the journal, journal.*.

#include <cstddef>
#include <string>

#include "bench/bench_line.hpp"

namespace coterie::bench {

struct ClusterBench {
  std::string program;         // the stock program
  std::string names_program;   // of bench/nodes/names.cpp
  std::string config;          // of three nodes
  std::size_t names = 10'000;  // of cluster.names.*
  std::string journal{};       // of the nodes, in place of the file's; empty: that
};

/// Three nodes on this machine: from a death to the first answer, and many names.
void measure_cluster(Figures& figures, const ClusterBench& options);
/// Journalled commands of 256 callers, beside raw SQLite with batches of the same size.
void measure_journal(Figures& figures);

}  // namespace coterie::bench
