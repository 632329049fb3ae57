#pragma once
// Notices that the cluster file was written again, so that keys can change while nodes run. Looks
// only when it is asked; one thread.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "node/config.hpp"

namespace coterie {

class ConfigWatch {
 public:
  /// `overrides` as at the start.
  ConfigWatch(std::string file, std::vector<ConfigOverride> overrides);

  /// Nothing: it is as it was. A file that cannot be taken is an error once.
  std::optional<std::expected<ClusterConfig, ConfigError>> changed();

 private:
  struct Stamp {
    std::int64_t seconds = 0, nanoseconds = 0, bytes = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  static Stamp stamp_of(const std::string& file);

  const std::string file_;
  const std::vector<ConfigOverride> overrides_;
  Stamp seen_;
};

}  // namespace coterie
