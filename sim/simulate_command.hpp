#pragma once
// `coterie simulate`: whole clusters in one thread, over many seeds, and what is left of a failing
// one when every fault that it does not need is gone. One thread: main's.

#include "node/command_line.hpp"

namespace coterie::sim {

Command simulate_command();

}  // namespace coterie::sim
