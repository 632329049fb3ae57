#include "journal/checksum.hpp"

#include <gtest/gtest.h>

#include <string>

#include "process/crc32c.hpp"

namespace coterie::detail {
namespace {

// The checksum is the published CRC32C, so that other programs can check a journal.
TEST(Checksum, HasTheCheckValuesOfRfc3720) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(""), 0u);
}

// Continuing from a checksum gives that of the whole, wherever it is cut.
TEST(Checksum, Continues) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc32c(text.substr(cut), crc32c(text.substr(0, cut))), crc32c(text));
  }
}

// A byte that moves from one field to its neighbour is noticed.
TEST(Checksum, CoversTheBordersOfFields) {
  EXPECT_NE(Checksum().add("ab").add("c").value(), Checksum().add("a").add("bc").value());
}

}  // namespace
}  // namespace coterie::detail
