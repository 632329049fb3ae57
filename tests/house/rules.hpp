#pragma once
// The rules of the house, each a function from one source file to what breaks it. Pure: the test
// of the repository and the samples that test the rules themselves call the same functions.

#include <string>
#include <string_view>
#include <vector>

#include "tests/house/source.hpp"

namespace coterie::house {

struct Violation {
  std::string path;
  std::size_t line = 0;  // 0: the file as a whole
  std::string message;   // what was found, and what to do
};
using Violations = std::vector<Violation>;

/// Include edges follow the layers; quoted includes are spelled from the repository's root.
Violations check_layers(const Source& source);
/// Each library is known in its one place.
Violations check_libraries(const Source& source);
/// What a file of the product reaches for, whether it may or not.
struct ReachFound {
  std::string_view what;  // a row of reaches()
  std::size_t line = 0;
  std::string by;  // the word or the header
};
std::vector<ReachFound> find_reaches(const Source& source);
/// Clocks, threads, sockets, files, environment, randomness: only in real implementations.
Violations check_reach(const Source& source);
/// `#pragma once`, then a comment that says what this is; no `using namespace`.
Violations check_header(const Source& source);
/// No Manager, Helper, Util or Impl in the name of a type.
Violations check_type_names(const Source& source);
/// Width (but not where clang-format is off or keeps a raw literal), tabs, blanks at line ends,
/// marks of unfinished work, length of the file.
Violations check_text(const Source& source);
/// No test is disabled. (One that skips itself fails ./run test.)
Violations check_tests_enabled(const Source& source);

}  // namespace coterie::house
