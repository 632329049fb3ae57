#include "process/slab.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "process/sanitizers.hpp"

#ifdef COTERIE_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace coterie::detail {
namespace {

constexpr std::size_t huge_page = 2u << 20;
constexpr std::size_t small_page = 4u << 10;

std::size_t rounded(std::size_t bytes) noexcept {
  return (bytes + small_page - 1) / small_page * small_page;
}

}  // namespace

void* take_slab(std::size_t bytes) {
  const std::size_t wanted = rounded(bytes);
  // More than wanted, so that an aligned piece is inside; the rest goes back.
  void* mapping = ::mmap(nullptr, wanted + huge_page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  const auto begin = reinterpret_cast<std::uintptr_t>(mapping);
  const std::size_t before = (huge_page - begin % huge_page) % huge_page;
  auto* slab = static_cast<std::byte*>(mapping) + before;
  if (before > 0) ::munmap(mapping, before);
  if (before < huge_page) ::munmap(slab + wanted, huge_page - before);
  // Only advice: small pages do as well. A huge page that the slab does not fill would be waste.
  ::madvise(slab, wanted / huge_page * huge_page, MADV_HUGEPAGE);
#ifdef COTERIE_ASAN
  __lsan_register_root_region(slab, wanted);  // what only a process owns is not leaked
#endif
  return slab;
}

void give_slab(void* slab, std::size_t bytes) noexcept {
#ifdef COTERIE_ASAN
  __lsan_unregister_root_region(slab, rounded(bytes));
#endif
  ::munmap(slab, rounded(bytes));
}

}  // namespace coterie::detail
