#include "journal/checksum.hpp"

#include <array>

#include "process/crc32c.hpp"

namespace coterie::detail {

Checksum& Checksum::add(std::uint64_t number) noexcept {
  std::array<char, 8> bytes{};
  for (auto& byte : bytes) {
    byte = static_cast<char>(number & 0xFFu);
    number >>= 8;
  }
  value_ = crc32c({bytes.data(), bytes.size()}, value_);
  return *this;
}

Checksum& Checksum::add(std::string_view field) noexcept {
  add(static_cast<std::uint64_t>(field.size()));
  value_ = crc32c(field, value_);
  return *this;
}

}  // namespace coterie::detail
