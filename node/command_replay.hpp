#pragma once
// `coterie replay`: drives the commands of a workload file against a running cluster and accounts
// for every one of them.

#include "node/command_line.hpp"

namespace coterie {

Command replay_command();

}  // namespace coterie
