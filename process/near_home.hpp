#pragma once
// Where a key stands in a table of open addressing, when most keys count up, as pids and references
// do: sixteen in a row stand side by side, in one cache line of an index, so that a table of
// millions is filled line by line and not with a cache miss for each; the lines are spread by
// Fibonacci hashing (Knuth 6.4), which sets those that follow one another far apart.

#include <cstddef>
#include <cstdint>

namespace coterie::detail {

/// `slots`: a multiple of 16, below 2^36.
inline std::size_t near_home(std::uint64_t key, std::size_t slots) noexcept {
  const std::uint64_t spread = (key >> 4) * 0x9E3779B97F4A7C15ull;
  return static_cast<std::size_t>((spread >> 32) * (slots / 16) >> 32) * 16 + (key & 15);
}

}  // namespace coterie::detail
