#pragma once
// Large pieces of memory that are filled from their beginning: the table of processes. In huge
// pages where the system has them; a million processes would fault in a million small ones.

#include <cstddef>

namespace coterie::detail {

/// Zeroed, aligned to 2 MiB. Throws std::bad_alloc.
void* take_slab(std::size_t bytes);
void give_slab(void* slab, std::size_t bytes) noexcept;

}  // namespace coterie::detail
