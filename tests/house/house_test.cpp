#include <gtest/gtest.h>

#include <algorithm>

#include "tests/house/rules.hpp"
#include "tests/house/tables.hpp"

namespace coterie::house {
namespace {

const std::vector<Source>& repository() {
  static const auto sources = read_repository(COTERIE_SOURCE_DIR);
  return sources;
}

void expect_kept(Violations (*rule)(const Source&)) {
  for (const Source& source : repository()) {
    for (const Violation& violation : rule(source)) {
      ADD_FAILURE() << violation.path << ":" << violation.line << ": " << violation.message;
    }
  }
}

TEST(House, IsReadWhole) {
  // Goal: the other tests of this file cannot pass because nothing was read.
  std::size_t headers = 0, sources = 0, includes = 0;
  for (const Source& source : repository()) {
    headers += source.is_header();
    sources += source.path.ends_with(".cpp");
    includes += source.includes.size();
  }
  EXPECT_GT(headers, 20u);
  EXPECT_GT(sources, 20u);
  EXPECT_GT(includes, 200u);
}

TEST(House, IncludesFollowTheLayers) { expect_kept(check_layers); }
TEST(House, EachLibraryIsKnownInItsOnePlace) { expect_kept(check_libraries); }
TEST(House, OnlyRealImplementationsReachForTheWorld) { expect_kept(check_reach); }
TEST(House, HeadersSayWhatTheyAre) { expect_kept(check_header); }
TEST(House, TypesHaveMeaningfulNames) { expect_kept(check_type_names); }
TEST(House, TextIsTidy) { expect_kept(check_text); }
TEST(House, NoTestIsDisabled) { expect_kept(check_tests_enabled); }

bool someone(std::string_view path, const auto& does) {
  return std::ranges::any_of(repository(), [&](const Source& source) {
    return source.path.starts_with(path) && does(source);
  });
}

TEST(House, WhatIsAllowedIsNeeded) {
  // Goal: the tables allow nothing that nobody does, so they say what the tree is like.
  for (const Implementation& row : implementations()) {
    for (const std::string_view what : row.what) {
      EXPECT_TRUE(someone(row.path,
                          [&](const Source& source) {
                            return std::ranges::count(find_reaches(source), what,
                                                      &ReachFound::what) > 0;
                          }))
          << row.path << " need not reach for the " << what;
    }
  }
  for (const Library& library : libraries()) {
    for (const std::string_view place : library.places) {
      EXPECT_TRUE(someone(place,
                          [&](const Source& source) {
                            return std::ranges::any_of(
                                source.includes, [&](const Include& include) {
                                  return std::string_view(include.path).starts_with(library.prefix);
                                });
                          }))
          << place << " need not know " << library.prefix;
    }
  }
  for (const LongFile& row : long_files()) {
    EXPECT_TRUE(someone(row.path, [](const Source& source) { return source.lines.size() > 400; }))
        << row.path << " may be like others";
  }
}

}  // namespace
}  // namespace coterie::house
