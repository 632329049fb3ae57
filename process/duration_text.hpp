#pragma once
// Durations as configuration and scenario files write them: an integer and a unit, "250ms".
// Pure; any thread. Fractions are refused on purpose: "1500ms" says the same without rounding.

#include <expected>
#include <string>
#include <string_view>

#include <coterie/time.hpp>

namespace coterie {

/// Units: us, ms, s, m, h. No sign, no blanks, no fraction. The error says what was expected and
/// what was found, for the caller to prefix with file:line:column.
std::expected<Duration, std::string> parse_duration(std::string_view text);

/// The shortest text in the largest unit that parses back to the same value; below one microsecond
/// it is cut off. `infinity` reads "infinity", which parse_duration refuses.
std::string format_duration(Duration duration);

}  // namespace coterie
