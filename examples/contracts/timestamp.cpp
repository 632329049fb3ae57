#include "examples/contracts/timestamp.hpp"

#include <cstdio>

namespace contracts {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view shape = "dddd-dd-ddTdd:dd:dd";

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

unsigned number(std::string_view digits) {
  unsigned value = 0;
  for (const char c : digits) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

bool has_shape(std::string_view text) {
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i]) return false;
  }
  return true;
}

std::unexpected<std::string> refuse(std::string_view text, std::string_view why) {
  return std::unexpected("expected a time such as \"2026-01-02T03:04:05Z\", found \"" +
                         std::string(text.substr(0, 64)) + "\"" + std::string(why));
}

}  // namespace

std::expected<coterie::WallTime, std::string> parse_timestamp(std::string_view text) {
  if (text.size() < shape.size() + 1 || !has_shape(text)) return refuse(text, "");
  if (text.back() != 'Z') return refuse(text, ": times are UTC and end in Z");

  std::string_view fraction = text.substr(shape.size());
  fraction.remove_suffix(1);
  unsigned fraction_ms = 0;
  if (!fraction.empty()) {
    if (fraction.front() != '.') return refuse(text, "");
    fraction.remove_prefix(1);
    for (const char c : fraction) {
      if (!is_digit(c)) return refuse(text, "");
    }
    if (fraction.empty() || fraction.size() > 3) {
      return refuse(text, ": a fraction has one to three digits");
    }
    fraction_ms = number(fraction);
    for (std::size_t digits = fraction.size(); digits < 3; ++digits) fraction_ms *= 10;
  }

  const std::chrono::year_month_day date{
      std::chrono::year(static_cast<int>(number(text.substr(0, 4)))),
      std::chrono::month(number(text.substr(5, 2))), std::chrono::day(number(text.substr(8, 2)))};
  const unsigned hours = number(text.substr(11, 2));
  const unsigned minutes = number(text.substr(14, 2));
  const unsigned seconds = number(text.substr(17, 2));
  if (!date.ok() || date.year() < std::chrono::year(1)) {
    return refuse(text, ": there is no such day");
  }
  if (hours > 23 || minutes > 59 || seconds > 59) {
    return refuse(text, ": there is no such time of day");
  }
  return coterie::WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hours) +
         std::chrono::minutes(minutes) + std::chrono::seconds(seconds) + milliseconds(fraction_ms);
}

std::string format_timestamp(coterie::WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<milliseconds> clock{time - day};
  char text[64];
  int length = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  std::string result(text, static_cast<std::size_t>(length));
  if (clock.subseconds().count() != 0) {
    length =
        std::snprintf(text, sizeof text, ".%03d", static_cast<int>(clock.subseconds().count()));
    result.append(text, static_cast<std::size_t>(length));
  }
  return result + 'Z';
}

}  // namespace contracts
