#pragma once
// Base64 of RFC 4648 section 4, with padding. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>

#include <coterie/bytes.hpp>

namespace coterie {

std::string to_base64(BytesView bytes);
/// Nothing for any text that to_base64 would not write.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace coterie
