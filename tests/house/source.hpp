#pragma once
// A source file as the rules of the house see it: its lines as written, and the same lines with
// comments and literals blanked, so that a rule about code never trips over a sentence.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::house {

struct Include {
  std::size_t line = 0;  // counted from 1
  std::string path;
  bool quoted = false;  // "..." rather than <...>
};

struct Source {
  std::string path;  // from the repository's root, with '/'
  std::string text;
  std::vector<std::string> lines;
  std::vector<std::string> code;  // same length; empty unless it is C++
  std::vector<Include> includes;
  std::vector<std::size_t> raw_literal_lines;  // counted from 1: those that clang-format keeps

  bool is_cpp() const { return is_header() || path.ends_with(".cpp"); }
  bool is_header() const { return path.ends_with(".hpp"); }
  /// The first folder of the path: the module, for most.
  std::string_view folder() const;
};

Source parse(std::string path, std::string text);

/// Every file of the repository that the rules are about: C++, CMake, scripts, TOML.
std::vector<Source> read_repository(const std::filesystem::path& root);

/// Whether `word` stands in `line` as a whole word. A word that starts with `::` must not have a
/// name before it: "::open" is found in `::open(` but not in `Streams::open(`.
bool mentions(std::string_view line, std::string_view word);

}  // namespace coterie::house
