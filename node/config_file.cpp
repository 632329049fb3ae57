#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

#include "node/config.hpp"

namespace coterie {

// Bounds what a wrong path (a device, a database) can make of it.
constexpr std::streamsize file_bytes_max = 4 << 20;

std::expected<ClusterConfig, ConfigError> load_config(const std::string& path,
                                                      std::span<const ConfigOverride> overrides) {
  const auto refuse = [&](std::string message) {
    return std::unexpected(ConfigError{{path, 0, 0}, std::move(message)});
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return refuse("expected a cluster file, found none that can be read (" +
                  std::generic_category().message(errno) + "); see cluster-configs/local-3.toml");
  }
  std::string text(static_cast<std::size_t>(file_bytes_max) + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.gcount() == 0 && !file.eof())) {
    return refuse("expected a cluster file, found one that cannot be read (" +
                  std::generic_category().message(errno) + ")");
  }
  if (file.gcount() > file_bytes_max) return refuse("expected at most 4 MiB, found more");
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse_config(text, path, overrides);
}

}  // namespace coterie
