#pragma once
// All of some bytes into an open file: a write may be interrupted, or take only a part.

#include <cstddef>
#include <string_view>

namespace coterie {

/// 0, or the errno of the write that failed; what was written before it stays. Not synced.
int write_all(int file, std::string_view bytes, std::size_t offset) noexcept;

}  // namespace coterie
