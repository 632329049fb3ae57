#pragma once
// What the rules of the house allow, as tables. To add a real implementation of a clock, a thread
// or a file, or a public header, add a line in tables.cpp and say why.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace coterie::house {

/// A module and those it may include besides itself.
struct Module {
  std::string_view name;
  std::vector<std::string_view> below;
};
std::span<const Module> modules();

/// A public header, or all that start alike ("detail/*"), and the module they belong to.
struct PublicHeader {
  std::string_view name;  // as in <coterie/name>
  std::string_view module;
};
std::span<const PublicHeader> public_headers();

/// A library's headers, and the places that may include them.
struct Library {
  std::string_view prefix;               // of the include's path
  std::vector<std::string_view> places;  // prefixes of paths
};
std::span<const Library> libraries();

/// A word or a system header through which code reaches the world outside its arguments.
struct Reach {
  std::string_view what;  // clock, thread, socket, file, environment, random, program, console ...
  std::vector<std::string_view> words;
  std::vector<std::string_view> headers;
};
std::span<const Reach> reaches();

/// A real implementation: files whose path starts with `path` may reach for `what`.
struct Implementation {
  std::string_view path;
  std::vector<std::string_view> what;
  std::string_view why;
};
std::span<const Implementation> implementations();

/// A file that may be longer than 400 lines (a test: 600).
struct LongFile {
  std::string_view path;
  std::size_t lines_max;
  std::string_view why;
};
std::span<const LongFile> long_files();

/// Words that no type's name may have, and the types that may all the same.
std::span<const std::string_view> forbidden_name_parts();
std::span<const std::string_view> allowed_type_names();

}  // namespace coterie::house
