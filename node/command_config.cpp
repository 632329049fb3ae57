#include "node/command_config.hpp"

#include <CLI/CLI.hpp>

namespace coterie {

void add_config_options(CLI::App& app, ConfigOptions& options) {
  app.add_option("--config", options.file, "The cluster file (docs/configuration.md)")
      ->required()
      ->type_name("FILE");
  app.add_option("--set", options.settings,
                 "Another value for a key of the cluster file: --set lease.length=3s, "
                 "--set node.a.weight=50. May be repeated")
      ->type_name("KEY=VALUE")
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::expected<std::vector<ConfigOverride>, std::string> parse_settings(
    std::span<const std::string> settings) {
  std::vector<ConfigOverride> overrides;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return std::unexpected("--set " + setting + ": expected KEY=VALUE, such as lease.length=3s");
    }
    const std::string value = setting.substr(equals + 1);
    // The shell takes quotes away, so what is no TOML value is meant as text.
    auto parsed = parse_config_value(value);
    overrides.push_back({setting.substr(0, equals),
                         parsed ? *parsed : ConfigValue(value),
                         {"--set " + setting, 0, 0}});
  }
  return overrides;
}

std::expected<ClusterConfig, std::string> read_config(const ConfigOptions& options) {
  const auto overrides = parse_settings(options.settings);
  if (!overrides) return std::unexpected(overrides.error());
  auto config = load_config(options.file, *overrides);
  if (!config) return std::unexpected(to_string(config.error()));
  return std::move(*config);
}

}  // namespace coterie
