#pragma once
// The [[fault]] tables of a scenario file: one row per word, with the fields it takes.
// Internal to the scenario reader; throws TomlMistake.

#include "sim/scenario.hpp"
#include "sim/toml_tree.hpp"

namespace coterie::sim {

Fault read_fault(const TomlValue& table);

/// "*", "voter", "owner:KIND/ID", "primary:KIND/ID", "most_names" or a node's name.
NodeSelector read_selector(const TomlValue& value);

}  // namespace coterie::sim
