#include "process/duration_text.hpp"

#include <array>
#include <charconv>

namespace coterie {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

// Largest first: the first one that divides a duration is the one it is written in.
constexpr std::array units{Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000},
                           Unit{"s", 1'000'000'000}, Unit{"ms", 1'000'000}, Unit{"us", 1'000}};

std::string expected_but(std::string_view text) {
  return "expected a duration such as \"250ms\", \"2s\" or \"1m\", found \"" + std::string(text) +
         "\"";
}

}  // namespace

std::expected<Duration, std::string> parse_duration(std::string_view text) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (end == text.data()) return std::unexpected(expected_but(text));
  const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    std::int64_t nanoseconds = 0;
    if (error == std::errc::result_out_of_range ||
        __builtin_mul_overflow(count, unit.nanoseconds, &nanoseconds)) {
      return std::unexpected("the duration \"" + std::string(text) +
                             "\" is longer than 292 years, the longest there is");
    }
    return Duration(nanoseconds);
  }
  return std::unexpected(expected_but(text) + (name.empty() ? " without a unit" : "") +
                         "; the units are us, ms, s, m, h");
}

std::string format_duration(Duration duration) {
  if (duration == infinity) return "infinity";
  const std::int64_t count = duration.count();
  if (count / 1'000 == 0) return "0s";
  for (const Unit& unit : units) {
    if (count % unit.nanoseconds == 0) {
      return std::to_string(count / unit.nanoseconds) + std::string(unit.name);
    }
  }
  return std::to_string(count / 1'000) + "us";
}

}  // namespace coterie
