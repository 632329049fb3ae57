#pragma once
// "did you mean": the known word nearest to one that is not known. For error messages about keys
// and words in configuration, scenario and workload files. Pure; any thread.

#include <span>
#include <string>
#include <string_view>

namespace coterie {

/// The known word with the fewest insertions, deletions, replacements and swaps of neighbours
/// between it and `word`; the first of several. Empty when `known` is empty or nothing is nearer
/// than replacing most of the word. O(known x length^2); words above 64 bytes are never near.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known);

/// `; did you mean "lease"?`, or when nothing is near `; known are a, b, c`.
std::string suggest(std::string_view word, std::span<const std::string_view> known);

}  // namespace coterie
