#include "process/base64.hpp"

#include <cstdint>

namespace coterie {
namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(BytesView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      const auto byte = i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u;
      group = group << 8 | byte;
    }
    const std::size_t used = bytes.size() - i < 3 ? bytes.size() - i + 1 : 4;
    for (std::size_t j = 0; j < 4; ++j) {
      text += j < used ? digits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

std::optional<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t group = 0;
    std::size_t padding = 0;
    for (const char c : text.substr(i, 4)) {
      const std::size_t digit = digits.find(c);
      if (c == '=') {
        ++padding;
      } else if (digit == digits.npos || padding != 0) {
        return std::nullopt;
      }
      group = group << 6 | (c == '=' ? 0u : static_cast<std::uint32_t>(digit));
    }
    if (padding > 2 || (padding != 0 && i + 4 != text.size())) return std::nullopt;
    for (std::size_t j = 0; j < 3 - padding; ++j) bytes += static_cast<char>(group >> (16 - 8 * j));
  }
  if (to_base64(bytes) != text) return std::nullopt;  // bits under the padding
  return bytes;
}

}  // namespace coterie
