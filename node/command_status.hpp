#pragma once
// `coterie status`: every node of a cluster asked at once and shown side by side.

#include "node/command_line.hpp"

namespace coterie {

Command status_command();

}  // namespace coterie
