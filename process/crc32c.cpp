#include "process/crc32c.hpp"

#include <array>
#include <cstddef>

namespace coterie {
namespace {

constexpr std::uint32_t polynomial = 0x82F63B78u;  // reflected

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

consteval Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? polynomial : 0u);
    tables[0][byte] = crc;
  }
  for (std::size_t slice = 1; slice < tables.size(); ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xFFu];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

constexpr std::uint32_t at(std::string_view bytes, std::size_t i) noexcept {
  return static_cast<unsigned char>(bytes[i]);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous) noexcept {
  std::uint32_t crc = ~previous;
  // Eight bytes a turn ("slicing by 8", Kounavis and Berry): about 2 GB/s without special
  // instructions.
  while (bytes.size() >= 8) {
    crc ^= at(bytes, 0) | at(bytes, 1) << 8 | at(bytes, 2) << 16 | at(bytes, 3) << 24;
    crc = tables[7][crc & 0xFFu] ^ tables[6][(crc >> 8) & 0xFFu] ^ tables[5][(crc >> 16) & 0xFFu] ^
          tables[4][crc >> 24] ^ tables[3][at(bytes, 4)] ^ tables[2][at(bytes, 5)] ^
          tables[1][at(bytes, 6)] ^ tables[0][at(bytes, 7)];
    bytes.remove_prefix(8);
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    crc = (crc >> 8) ^ tables[0][(crc ^ at(bytes, i)) & 0xFFu];
  }
  return ~crc;
}

}  // namespace coterie
