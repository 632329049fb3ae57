// Goal: times are recorded exactly, in one canonical form, or refused.
#include "examples/contracts/timestamp.hpp"

#include <gtest/gtest.h>

namespace contracts {
namespace {

TEST(Timestamp, CanonicalTextSurvivesARoundTrip) {
  for (const char* text :
       {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.001Z", "2026-01-02T03:04:05.120Z",
        "1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
        "2024-02-29T00:00:00Z"}) {
    const auto time = parse_timestamp(text);
    ASSERT_TRUE(time) << time.error();
    EXPECT_EQ(format_timestamp(*time), text);
  }
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:01.5Z")->time_since_epoch().count(), 1500);
}

TEST(Timestamp, ShortFractionsBecomeCanonical) {
  EXPECT_EQ(format_timestamp(*parse_timestamp("2026-01-02T03:04:05.5Z")),
            "2026-01-02T03:04:05.500Z");
  EXPECT_EQ(format_timestamp(*parse_timestamp("2026-01-02T03:04:05.000Z")), "2026-01-02T03:04:05Z");
}

TEST(Timestamp, RefusesWhatItCannotKeepExactly) {
  for (const char* text :
       {"", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05+01:00",
        "2026-01-02 03:04:05Z", "2026-01-02T03:04:05.1234Z", "2026-01-02T03:04:05.Z",
        "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:60Z", "2026-01-02T03:04:05ZZ", "2026-01-02T03:04:05.-1Z"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

}  // namespace
}  // namespace contracts
