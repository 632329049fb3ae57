#pragma once
// Files with one private key, as `coterie keygen` writes them: readable by their owner alone, never
// overwritten. Text of two lines, public = "..." and secret = "...", and lines that begin with #.

#include <expected>
#include <string>
#include <string_view>

#include "transport/admission.hpp"

namespace coterie {

/// Writes a new pair to `path`, mode 0600, and returns it once it is on the disk. The error, also
/// where there is such a file already, says what to do.
std::expected<CurveKeys, std::string> make_key_file(const std::string& path);

/// Refuses a file that others may read or write, that is somebody else's, or whose two keys do not
/// belong together.
std::expected<CurveKeys, std::string> read_key_file(const std::string& path);

/// What make_key_file writes. Pure; the error does not name the file.
std::expected<CurveKeys, std::string> parse_key_file(std::string_view text);

}  // namespace coterie
