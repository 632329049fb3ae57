#pragma once
// `coterie journal`: what the storage of a cluster remembers, for operators.

#include "node/command_line.hpp"

namespace coterie {

Command journal_command();

}  // namespace coterie
