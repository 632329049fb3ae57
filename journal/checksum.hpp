#pragma once
// CRC32C (Castagnoli, the polynomial of iSCSI and ext4) over what is stored, so that a flipped bit
// is refused instead of replayed. Pure; any thread.

#include <cstdint>
#include <string_view>

namespace coterie::detail {

/// Continues from `previous`, the checksum of the bytes before.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous = 0) noexcept;

/// Checksum of a list of fields. Lengths are included, so a byte that moves from one field to the
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
