#include "process/write_all.hpp"

#include <unistd.h>

#include <cerrno>

namespace coterie {

int write_all(int file, std::string_view bytes, std::size_t offset) noexcept {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
    offset += static_cast<std::size_t>(wrote);
  }
  return 0;
}

}  // namespace coterie
