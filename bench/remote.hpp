#pragma once
// Figures of two nodes: remote.*, beside raw ZeroMQ's in the same run.

#include <string>

#include "bench/bench_line.hpp"

namespace coterie::bench {

/// `peers`: the folder with the programs of others; empty: none of them.
void measure_remote(Figures& figures, const std::string& peers);

}  // namespace coterie::bench
