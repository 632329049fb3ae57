#include "node/config_watch.hpp"

#include <sys/stat.h>

namespace coterie {

ConfigWatch::ConfigWatch(std::string file, std::vector<ConfigOverride> overrides)
    : file_(std::move(file)), overrides_(std::move(overrides)), seen_(stamp_of(file_)) {}

ConfigWatch::Stamp ConfigWatch::stamp_of(const std::string& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return {};
  return {found.st_mtim.tv_sec, found.st_mtim.tv_nsec, found.st_size, found.st_ino};
}

std::optional<std::expected<ClusterConfig, ConfigError>> ConfigWatch::changed() {
  const Stamp now = stamp_of(file_);
  if (now == seen_) return std::nullopt;
  seen_ = now;
  return load_config(file_, overrides_);
}

}  // namespace coterie
