#include "node/node_log.hpp"

namespace coterie {

std::expected<std::unique_ptr<LogSink>, std::string> open_node_log(
    const LogSection& section, const std::string& state_directory, std::string_view prefix) {
  LogOptions options;
  options.format = section.format;
  options.file_bytes_max = section.file_bytes_max;
  options.files_max = section.files_max;
  if (!section.file.empty()) {
    const bool absolute = section.file.starts_with('/');
    options.file = absolute ? section.file : state_directory + '/' + section.file;
    options.file.insert(options.file.rfind('/') + 1, prefix);
  }
  return open_log(options);
}

void set_levels(Log& log, const LogSection& section) noexcept {
  log.set_level(section.level);
  for (std::size_t i = 0; i < section.modules.size(); ++i) {
    if (section.modules[i]) log.set_level(static_cast<LogModule>(i), *section.modules[i]);
  }
}

}  // namespace coterie
