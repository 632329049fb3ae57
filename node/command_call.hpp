#pragma once
// `coterie call`: one call to a server of a running cluster, JSON in and out.

#include "node/command_line.hpp"

namespace coterie {

Command call_command();

}  // namespace coterie
