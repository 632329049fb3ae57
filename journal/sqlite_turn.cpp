#include "journal/sqlite_turn.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace coterie::detail {
namespace {

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

SqliteTurn::SqliteTurn(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}

SqliteTurn::SqliteTurn(SqliteTurn&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

SqliteTurn& SqliteTurn::operator=(SqliteTurn&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

SqliteTurn::~SqliteTurn() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// Shared, of the open file: several openers may want at once, and none excludes the owner.
void SqliteTurn::want() {
  auto lock = whole_file(F_RDLCK);
  ::fcntl(descriptor_, F_OFD_SETLK, &lock);
}

void SqliteTurn::done() {
  auto lock = whole_file(F_UNLCK);
  ::fcntl(descriptor_, F_OFD_SETLK, &lock);
}

void SqliteTurn::give_way() const {
  auto lock = whole_file(F_WRLCK);
  if (::fcntl(descriptor_, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return;
  ::usleep(2000);  // twice the interval at which a waiting connection polls
}

}  // namespace coterie::detail
