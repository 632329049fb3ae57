#pragma once
// Points in time as contracts record them: UTC, milliseconds, ISO 8601 "2026-01-02T03:04:05.120Z".
// Pure; any thread. The text is what contracts, events and workload files hold, always in the one
// canonical form that format_timestamp writes, so a replay ends in the same bytes.

#include <expected>
#include <string>
#include <string_view>

#include <coterie/time.hpp>

namespace contracts {

/// Years 0001 to 9999, seconds 00 to 59, one to three digits of fraction or none, and a final 'Z'.
/// Offsets and finer fractions are refused rather than converted or cut.
std::expected<coterie::WallTime, std::string> parse_timestamp(std::string_view text);

/// The canonical form: no fraction when it is zero, else exactly three digits.
std::string format_timestamp(coterie::WallTime time);

}  // namespace contracts
