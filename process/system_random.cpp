#include "process/system_random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace coterie {
namespace {

std::uint64_t kernel_entropy() {
  std::uint64_t bits = 0;
  // Up to 256 bytes come whole; a signal may interrupt only the wait for the pool at boot.
  while (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return bits;
}

}  // namespace

SystemRandom::SystemRandom() : numbers_(kernel_entropy()) {}

}  // namespace coterie
