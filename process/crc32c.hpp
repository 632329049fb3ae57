#pragma once
// CRC32C (Castagnoli, the polynomial of iSCSI and ext4) over what is stored, so that a flipped bit
// is refused instead of believed. Pure; any thread.

#include <cstdint>
#include <string_view>

namespace coterie {

/// Continues from `previous`, the checksum of the bytes before.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous = 0) noexcept;

}  // namespace coterie
