#pragma once
// --config and --set, which every command that has to do with a cluster takes.

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "node/config.hpp"

namespace CLI {
class App;
}

namespace coterie {

struct ConfigOptions {
  std::string file;
  std::vector<std::string> settings;  // KEY=VALUE
};

/// `options` outlives the parsing.
void add_config_options(CLI::App& app, ConfigOptions& options);

/// "lease.length=2s": a value as TOML writes it, or a bare word, which is text. Pure.
std::expected<std::vector<ConfigOverride>, std::string> parse_settings(
    std::span<const std::string> settings);

/// The error is the line to show.
std::expected<ClusterConfig, std::string> read_config(const ConfigOptions& options);

}  // namespace coterie
