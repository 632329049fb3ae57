#pragma once
// `coterie keygen`: makes the key of a node or of a client.

#include "node/command_line.hpp"

namespace coterie {

Command keygen_command();

}  // namespace coterie
