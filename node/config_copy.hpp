#pragma once
// A cluster file for a cluster of its own: the same words with some keys changed and every path
// absolute, so that it may lie in another directory. Tests and the demo run real nodes with it,
// which only know how to read files. Pure.

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "node/config.hpp"

namespace coterie {

/// The text of a file that says what `text` says with `overrides`. Comments and order are lost.
std::expected<std::string, ConfigError> copy_config(std::string_view text, const std::string& file,
                                                    std::span<const ConfigOverride> overrides);

}  // namespace coterie
