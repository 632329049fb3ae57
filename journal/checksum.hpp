#pragma once
// Checksums of what the journal stores. Pure; any thread.

#include <cstdint>
#include <string_view>

namespace coterie::detail {

/// CRC32C of a list of fields. Lengths are included, so a byte that moves from one field to the
/// next changes it.
class Checksum {
 public:
  explicit Checksum(std::uint32_t previous = 0) noexcept : value_(previous) {}
  Checksum& add(std::uint64_t number) noexcept;
  Checksum& add(std::string_view field) noexcept;
  std::uint32_t value() const noexcept { return value_; }

 private:
  std::uint32_t value_;
};

}  // namespace coterie::detail
