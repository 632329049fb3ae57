#include "process/misuse.hpp"

#include <cstdio>
#include <cstdlib>

namespace coterie::detail {

void misuse(const char* who, const char* what) noexcept {
  std::fprintf(stderr, "coterie: %s: %s\n", who, what);
  std::abort();
}

}  // namespace coterie::detail
