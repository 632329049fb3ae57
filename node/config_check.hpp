#pragma once
// What must hold between the keys of a cluster file. Pure.

#include <functional>
#include <optional>
#include <string>

#include "node/config.hpp"

namespace coterie {

/// Where a key was written ("lease.length", "node.0.listen"), or the nearest place that was.
using ConfigPlaces = std::function<ConfigPlace(const std::string& path)>;

/// The first rule that is broken. Fills in nothing.
std::optional<ConfigError> check_config(const ClusterConfig& config, const ConfigPlaces& places);

}  // namespace coterie
