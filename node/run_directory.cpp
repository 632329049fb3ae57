#include "node/run_directory.hpp"

#include <stdlib.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace coterie {

namespace fs = std::filesystem;

std::expected<RunDirectory, std::string> RunDirectory::make(const std::string& wanted,
                                                            std::string_view what) {
  std::error_code error;
  if (wanted.empty()) {
    const fs::path base = fs::temp_directory_path(error);
    if (error) return std::unexpected("no directory for temporary files: " + error.message());
    std::string name = (base / ("coterie-" + std::string(what) + "-XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr) {
      return std::unexpected(name + ": " + std::generic_category().message(errno));
    }
    return RunDirectory(name, false);
  }
  fs::create_directories(wanted, error);
  if (error) return std::unexpected(wanted + ": " + error.message());
  if (!fs::is_empty(wanted, error) || error) {
    return std::unexpected(wanted + ": expected a directory that is new or empty");
  }
  return RunDirectory(wanted, true);
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), keep_(other.keep_) {}

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  if (!keep_ && !path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace coterie
