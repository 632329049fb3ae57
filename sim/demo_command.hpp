#pragma once
// `coterie demo`: about a minute that shows what the program is for, and checks every promise that
// it makes on the way. Composition root; one thread: main's.

#include "node/command_line.hpp"

namespace coterie::sim {

Command demo_command();

}  // namespace coterie::sim
