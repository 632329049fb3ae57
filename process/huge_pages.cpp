#include "process/huge_pages.hpp"

#include <sys/mman.h>

#include <cstdint>

namespace coterie::detail {
namespace {

constexpr std::uintptr_t huge_page = std::uintptr_t{2} << 20;
// Of less the allocator may use the memory again, for small things.
constexpr std::size_t worth_it = 4 * huge_page;

}  // namespace

void reserve_huge(Bytes& bytes, std::size_t capacity) {
  if (capacity <= bytes.capacity()) return;
  bytes.reserve(capacity);
  if (capacity < worth_it) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::uintptr_t first = (begin + huge_page - 1) / huge_page * huge_page;
  const std::uintptr_t last = (begin + capacity) / huge_page * huge_page;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

}  // namespace coterie::detail
