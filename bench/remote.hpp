#pragma once
// Figures of two nodes: remote.*, beside raw ZeroMQ's in the same run; and of many: mesh50.*.

#include <string>

#include "bench/bench_line.hpp"

namespace coterie::bench {

/// `peers`: the folder with the programs of others; empty: none of them.
void measure_remote(Figures& figures, const std::string& peers);
/// Fifty nodes on this machine, each connected with all: mesh50.*, what one of them costs.
void measure_mesh(Figures& figures);

}  // namespace coterie::bench
