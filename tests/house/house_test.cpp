#include <gtest/gtest.h>

#include "tests/house/rules.hpp"

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

}  // namespace
}  // namespace coterie::house
