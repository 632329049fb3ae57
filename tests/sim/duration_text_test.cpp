// Goal: duration strings of cluster and scenario files mean exactly what they say, or are refused.
#include "process/duration_text.hpp"

#include <gtest/gtest.h>

namespace coterie {
namespace {

using namespace std::chrono_literals;

TEST(DurationText, ParsesEveryUnit) {
  EXPECT_EQ(parse_duration("7us"), Duration(7us));
  EXPECT_EQ(parse_duration("250ms"), Duration(250ms));
  EXPECT_EQ(parse_duration("2s"), Duration(2s));
  EXPECT_EQ(parse_duration("1m"), Duration(60s));
  EXPECT_EQ(parse_duration("3h"), Duration(3h));
  EXPECT_EQ(parse_duration("0s"), Duration(0));
}

TEST(DurationText, RefusesWhatIsNotAnIntegerWithAUnit) {
  for (const char* text : {"", "2", "s", "-1s", "+1s", "1.5s", " 1s", "1 s", "1s ", "1S", "1sec",
                           "0x1s", "99999999999999999999s", "3000000h"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().find(text), std::string::npos) << parsed.error();
  }
}

TEST(DurationText, FormatsWhatParsesBack) {
  for (const char* text : {"7us", "250ms", "1500ms", "2s", "90s", "1m", "3h"}) {
    EXPECT_EQ(format_duration(*parse_duration(text)), text);
  }
  EXPECT_EQ(format_duration(Duration(0)), "0s");
  EXPECT_EQ(format_duration(60s), "1m");
  EXPECT_EQ(format_duration(infinity), "infinity");
  EXPECT_EQ(format_duration(Duration(1'000'500)), "1000us");
}

}  // namespace
}  // namespace coterie
