#pragma once
// Bytes on the wire and on disk. std::string holds them: it is small when they are few, every
// library here takes it, and it is never assumed to be text.

#include <string>
#include <string_view>

namespace coterie {
using Bytes = std::string;
using BytesView = std::string_view;
}  // namespace coterie
