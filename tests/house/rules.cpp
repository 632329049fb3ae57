#include "tests/house/rules.hpp"

#include <algorithm>
#include <cctype>

#include "tests/house/tables.hpp"

namespace coterie::house {
namespace {

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// Tests and benchmarks may include and reach for everything.
bool is_product(const Source& source) {
  return source.is_cpp() && source.folder() != "tests" && source.folder() != "bench";
}

bool is_include(const Source& source, std::size_t line) {
  return std::ranges::count(source.includes, line, &Include::line) > 0;
}

const Module* find_module(std::string_view name) {
  const auto found = std::ranges::find(modules(), name, &Module::name);
  return found == modules().end() ? nullptr : &*found;
}

/// The module of <coterie/name>, empty if the table does not know it.
std::string_view module_of_public(std::string_view name) {
  for (const auto& header : public_headers()) {
    const bool many = header.name.ends_with('*');
    const std::string_view start = header.name.substr(0, header.name.size() - many);
    if (many ? name.starts_with(start) : name == start) return header.module;
  }
  return {};
}

bool may_include(std::string_view from, std::string_view to) {
  if (from == to) return true;
  const Module* module = find_module(from);
  return module && std::ranges::count(module->below, to) > 0;
}

bool starts_with_any(std::string_view path, std::span<const std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](auto prefix) { return path.starts_with(prefix); });
}

std::string unknown_public(std::string_view name) {
  return "public header <coterie/" + std::string(name) +
         "> has no module: add it to public_headers() in tests/house/tables.cpp";
}

/// What is wrong with one include of ours; empty: nothing.
std::string judge_include(const Source& source, const Include& include) {
  const std::string_view from = source.folder();
  const std::string_view to = std::string_view(include.path).substr(0, include.path.find('/'));
  if (to == "coterie" && !include.quoted) {
    const std::string_view name = std::string_view(include.path).substr(to.size() + 1);
    const std::string_view module = module_of_public(name);
    if (module.empty()) return unknown_public(name);
    if (from == "examples") return {};
    const std::string_view own =
        from == "include" ? module_of_public(source.path.substr(sizeof("include/coterie/") - 1))
                          : from;
    if (own.empty() || may_include(own, module)) return {};
    return std::string(own) + " may not include " + std::string(module) + " (<" + include.path +
           ">)";
  }
  if (!include.quoted) {
    return find_module(to) || to == "examples" ? "include our own \"" + include.path + "\" quoted"
                                               : std::string();
  }
  if (from == "include") return "a public header includes only <coterie/...>";
  if (from == "examples") {
    const std::string own = source.path.substr(0, source.path.find('/', sizeof("examples/") - 1));
    if (include.path.starts_with(own + "/")) return {};
    return "examples include only <coterie/...> and their own folder, not \"" + include.path + '"';
  }
  if (!find_module(to)) {
    return "spell \"" + include.path + "\" from the repository's root, or <coterie/...>";
  }
  if (may_include(from, to)) return {};
  return std::string(from) + " may not include " + std::string(to) + " (\"" + include.path + "\")";
}

}  // namespace

Violations check_layers(const Source& source) {
  Violations found;
  if (!is_product(source)) return found;
  if (source.path.starts_with("include/coterie/") &&
      module_of_public(source.path.substr(sizeof("include/coterie/") - 1)).empty()) {
    found.push_back(
        {source.path, 0, unknown_public(source.path.substr(sizeof("include/coterie/") - 1))});
  }
  for (const Include& include : source.includes) {
    std::string message = judge_include(source, include);
    if (!message.empty()) found.push_back({source.path, include.line, std::move(message)});
  }
  return found;
}

Violations check_libraries(const Source& source) {
  Violations found;
  if (!is_product(source)) return found;
  for (const Include& include : source.includes) {
    for (const Library& library : libraries()) {
      if (include.path.starts_with(library.prefix) &&
          !starts_with_any(source.path, library.places)) {
        found.push_back({source.path, include.line, "<" + include.path + "> does not belong here"});
      }
    }
    if (source.is_header() && include.path.starts_with("nlohmann/json.hpp")) {
      found.push_back({source.path, include.line,
                       "too heavy for a header: include it in the source, or json_fwd.hpp here"});
    }
  }
  return found;
}

std::vector<ReachFound> find_reaches(const Source& source) {
  std::vector<ReachFound> found;
  if (!is_product(source)) return found;
  for (const Reach& reach : reaches()) {
    for (const Include& include : source.includes) {
      if (std::ranges::count(reach.headers, include.path) > 0) {
        found.push_back({reach.what, include.line, "<" + include.path + ">"});
      }
    }
    for (std::size_t i = 0; i < source.code.size(); ++i) {
      for (const auto word : reach.words) {
        if (!mentions(source.code[i], word) || is_include(source, i + 1)) continue;
        found.push_back({reach.what, i + 1, std::string(word)});
      }
    }
  }
  return found;
}

Violations check_reach(const Source& source) {
  Violations violations;
  for (const ReachFound& found : find_reaches(source)) {
    const bool allowed = std::ranges::any_of(implementations(), [&](const auto& each) {
      return source.path.starts_with(each.path) && std::ranges::count(each.what, found.what) > 0;
    });
    if (allowed) continue;
    violations.push_back({source.path, found.line,
                          found.by + " reaches for the " + std::string(found.what) +
                              ": take it from a port, or list the real implementation in "
                              "tests/house/tables.cpp"});
  }
  return violations;
}

Violations check_header(const Source& source) {
  Violations found;
  if (!source.is_header()) return found;
  if (source.lines.empty() || source.lines[0] != "#pragma once") {
    found.push_back({source.path, 1, "a header starts with #pragma once"});
  } else if (source.lines.size() < 2 || !source.lines[1].starts_with("// ")) {
    found.push_back({source.path, 2, "after #pragma once a comment says what this header is"});
  }
  for (std::size_t i = 0; i < source.code.size(); ++i) {
    if (is_product(source) && mentions(source.code[i], "using namespace")) {
      found.push_back({source.path, i + 1, "using namespace in a header"});
    }
  }
  return found;
}

Violations check_type_names(const Source& source) {
  static constexpr std::string_view introducers[] = {"class",   "struct", "enum",    "union",
                                                     "concept", "using",  "typename"};
  Violations found;
  for (std::size_t i = 0; i < source.code.size(); ++i) {
    const std::string& line = source.code[i];
    std::string_view previous;
    for (std::size_t at = 0; at < line.size();) {
      if (!is_name_char(line[at])) {
        ++at;
        continue;
      }
      std::size_t end = at;
      while (end < line.size() && is_name_char(line[end])) ++end;
      const std::string_view word = std::string_view(line).substr(at, end - at);
      if (std::ranges::count(introducers, previous) > 0 &&
          std::ranges::count(allowed_type_names(), word) == 0) {
        for (const auto part : forbidden_name_parts()) {
          // A part is a whole word of the PascalCase name: Implicit has no Impl in it.
          for (auto p = word.find(part); p != word.npos; p = word.find(part, p + 1)) {
            const std::size_t after = p + part.size();
            if (after == word.size() || !std::islower(static_cast<unsigned char>(word[after]))) {
              found.push_back(
                  {source.path, i + 1,
                   std::string(word) + ": say what it is instead of " + std::string(part)});
            }
          }
        }
      }
      previous = word;
      at = end;
    }
  }
  return found;
}

Violations check_text(const Source& source) {
  static constexpr std::size_t columns_max = 100, lines_max = 400, test_lines_max = 600;
  static constexpr std::string_view marks[] = {
      "TO"
      "DO",
      "FIX"
      "ME",
      "X"
      "XX"};
  Violations found;
  const auto complain = [&](std::size_t line, std::string message) {
    found.push_back({source.path, line, std::move(message)});
  };
  bool formatted = true;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const std::string& line = source.lines[i];
    if (line.find("// clang-format o") != line.npos) formatted = line.ends_with("on");
    const auto columns = std::ranges::count_if(line, [](char c) { return (c & '\xC0') != '\x80'; });
    if (formatted && static_cast<std::size_t>(columns) > columns_max &&
        line.find("://") == line.npos && std::ranges::count(source.raw_literal_lines, i + 1) == 0) {
      complain(i + 1, std::to_string(columns) + " columns, at most 100");
    }
    if (line.find('\t') != line.npos) complain(i + 1, "a tab");
    if (line.ends_with(' ') || line.ends_with('\r')) complain(i + 1, "blanks at the line's end");
    for (const auto mark : marks) {
      if (mentions(line, mark)) complain(i + 1, std::string(mark) + ": finish it or file it");
    }
  }
  if (!source.text.empty() && !source.text.ends_with('\n')) {
    complain(source.lines.size(), "no line end at the end of the file");
  }
  if (source.is_cpp()) {
    const auto known = std::ranges::find(long_files(), source.path, &LongFile::path);
    const std::size_t limit = known != long_files().end()  ? known->lines_max
                              : source.folder() == "tests" ? test_lines_max
                                                           : lines_max;
    if (source.lines.size() > limit) {
      complain(0, std::to_string(source.lines.size()) + " lines, at most " + std::to_string(limit) +
                      ": split it");
    }
  }
  return found;
}

Violations check_tests_enabled(const Source& source) {
  Violations found;
  if (source.folder() != "tests") return found;
  for (std::size_t i = 0; i < source.code.size(); ++i) {
    if (source.code[i].find("DISABLED_") != std::string::npos) {
      found.push_back({source.path, i + 1, "a test that never runs: make it run or remove it"});
    }
  }
  return found;
}

}  // namespace coterie::house
