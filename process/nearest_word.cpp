#include <coterie/nearest_word.hpp>

#include <algorithm>
#include <array>

namespace coterie {
namespace {

constexpr std::size_t length_max = 64;

/// Optimal string alignment: Levenshtein's distance with swaps of neighbours, in three rows.
std::size_t distance(std::string_view a, std::string_view b) {
  using Row = std::array<std::size_t, length_max + 1>;
  Row before{};
  Row last{};
  Row row{};
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known) {
  std::string_view nearest;
  std::size_t best = length_max + 1;
  if (word.size() > length_max) return nearest;
  for (const std::string_view candidate : known) {
    if (candidate.size() > length_max) continue;
    const std::size_t edits = distance(word, candidate);
    // Two thirds of the longer word replaced is not a slip of the finger any more.
    if (edits < best && 3 * edits < 2 * std::max(word.size(), candidate.size())) {
      best = edits;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string suggest(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view nearest = nearest_word(word, known);
  if (!nearest.empty()) return "; did you mean \"" + std::string(nearest) + "\"?";
  std::string text = "; known are ";
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (i > 0) text += ", ";
    text += known[i];
  }
  return known.empty() ? std::string() : text;
}

}  // namespace coterie
