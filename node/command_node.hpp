#pragma once
// `coterie node`: the guardian, and under it, as the same program with two more arguments, the
// node. The guardian reads and checks everything first, so that a wrong file or argument starts
// nothing.

#include "node/command_line.hpp"

namespace coterie {

Command node_command();

}  // namespace coterie
