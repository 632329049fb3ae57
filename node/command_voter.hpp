#pragma once
// `coterie voter admit`: a voter whose disk was lost gets its vote back. `coterie recover`: a
// majority of the voters is lost for good, and the others go on without it.

#include "node/command_line.hpp"

namespace coterie {

Command voter_command();
Command recover_command();

}  // namespace coterie
