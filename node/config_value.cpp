#include "node/config_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <ranges>

#include <coterie/nearest_word.hpp>

#include "node/address.hpp"
#include "process/duration_text.hpp"

namespace coterie::config_value {
namespace {

struct Unit {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array units = {Unit{"GiB", std::size_t{1} << 30}, Unit{"MiB", std::size_t{1} << 20},
                              Unit{"KiB", std::size_t{1} << 10}, Unit{"B", 1}};

template <class T>
Result<T> expected(std::string_view what, const ConfigValue& found) {
  return std::unexpected("expected " + std::string(what) + ", found " + show(found));
}

std::string quoted(std::string_view text) {
  constexpr std::size_t shown_max = 60;
  std::string result = "\"";
  for (const char c : text.substr(0, shown_max)) {
    result += c < ' ' && c >= 0 ? '?' : c;  // an error is one line
  }
  return result + (text.size() > shown_max ? "...\"" : "\"");
}

Result<std::size_t> parse_size(std::string_view text, const ConfigValue& value) {
  constexpr std::string_view what = "a size with a unit (B, KiB, MiB, GiB) such as \"16MiB\"";
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return expected<std::size_t>(what, value);
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : units) {
    if (rest != unit.name) continue;
    if (number > std::numeric_limits<std::size_t>::max() / unit.bytes) break;
    return number * unit.bytes;
  }
  return expected<std::size_t>(what, value);
}

}  // namespace

std::string show(const ConfigValue& value) {
  struct Text {
    std::string operator()(bool held) const { return held ? "true" : "false"; }
    std::string operator()(std::int64_t held) const { return std::to_string(held); }
    std::string operator()(double held) const {
      std::array<char, 32> digits;
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), held).ptr;
      return {digits.data(), end};
    }
    std::string operator()(const std::string& held) const { return quoted(held); }
    std::string operator()(const std::vector<std::string>& held) const {
      std::string text = "[";
      for (const std::string& item : held) text += (text.size() > 1 ? ", " : "") + quoted(item);
      return text + ']';
    }
  };
  return std::visit(Text{}, value);
}

std::string format_size(std::size_t bytes) {
  for (const Unit& unit : units) {
    if (bytes != 0 && bytes % unit.bytes == 0) {
      return std::to_string(bytes / unit.bytes) + std::string(unit.name);
    }
  }
  return "0B";
}

Result<std::string> text(const ConfigValue& value) {
  if (const auto* held = std::get_if<std::string>(&value)) {
    if (held->find('\0') == held->npos) return *held;
  }
  return expected<std::string>("text in quotes", value);
}

Result<bool> boolean(const ConfigValue& value) {
  if (const auto* held = std::get_if<bool>(&value)) return *held;
  return expected<bool>("true or false", value);
}

Result<std::int64_t> integer(const ConfigValue& value, std::int64_t min, std::int64_t max) {
  const auto* held = std::get_if<std::int64_t>(&value);
  if (held != nullptr && *held >= min && *held <= max) return *held;
  return expected<std::int64_t>("an integer of " + std::to_string(min) + ".." + std::to_string(max),
                                value);
}

Result<Duration> duration(const ConfigValue& value, Duration min, Duration max) {
  const auto* held = std::get_if<std::string>(&value);
  if (held == nullptr) {
    return expected<Duration>(
        "a duration in quotes with a unit (us, ms, s, m, h) such as \"250ms\"", value);
  }
  const auto parsed = parse_duration(*held);
  if (!parsed) return std::unexpected(parsed.error());
  if (*parsed >= min && *parsed <= max) return *parsed;
  return expected<Duration>("a duration of " + format_duration(min) + ".." + format_duration(max),
                            value);
}

Result<std::size_t> size(const ConfigValue& value, std::size_t min, std::size_t max) {
  std::size_t bytes = 0;
  if (const auto* number = std::get_if<std::int64_t>(&value); number != nullptr && *number >= 0) {
    bytes = static_cast<std::size_t>(*number);
  } else if (const auto* held = std::get_if<std::string>(&value)) {
    const auto parsed = parse_size(*held, value);
    if (!parsed) return parsed;
    bytes = *parsed;
  } else {
    return expected<std::size_t>("a size such as \"16MiB\"", value);
  }
  if (bytes >= min && bytes <= max) return bytes;
  return expected<std::size_t>("a size of " + format_size(min) + ".." + format_size(max), value);
}

Result<std::vector<std::string>> texts(const ConfigValue& value) {
  if (const auto* held = std::get_if<std::vector<std::string>>(&value)) return *held;
  return expected<std::vector<std::string>>("a list of texts such as [\"contracts\"]", value);
}

Result<std::vector<std::vector<std::string>>> groups(const ConfigValue& value) {
  using Groups = std::vector<std::vector<std::string>>;
  constexpr std::string_view what =
      "names in order of priority, equals in braces, such as [\"a\", \"{b, c}\"]";
  const auto* held = std::get_if<std::vector<std::string>>(&value);
  if (held == nullptr || held->empty()) return expected<Groups>(what, value);
  Groups groups;
  for (std::string_view text : *held) {
    const bool braces = text.starts_with('{') && text.ends_with('}');
    if (braces) text = text.substr(1, text.size() - 2);
    std::vector<std::string>& group = groups.emplace_back();
    for (const auto part : std::views::split(text, ',')) {
      std::string_view one(part.begin(), part.end());
      one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
      one = one.substr(0, one.find_last_not_of(' ') + 1);
      if (!name(std::string(one))) return expected<Groups>(what, value);
      group.emplace_back(one);
    }
    if (group.empty() || (group.size() > 1 && !braces)) return expected<Groups>(what, value);
  }
  return groups;
}

Result<std::size_t> word(const ConfigValue& value, std::span<const std::string_view> words) {
  const auto* held = std::get_if<std::string>(&value);
  for (std::size_t i = 0; held != nullptr && i < words.size(); ++i) {
    if (words[i] == *held) return i;
  }
  std::string what = "one of";
  for (const std::string_view known : words) {
    what += (what.size() > 6 ? ", " : " ") + quoted(known);
  }
  auto error = expected<std::size_t>(what, value);
  if (held == nullptr) return error;
  const std::string_view near = nearest_word(*held, words);
  if (near.empty()) return error;
  return std::unexpected(error.error() + "; did you mean " + quoted(near) + '?');
}

Result<std::string> name(const ConfigValue& value) {
  constexpr std::size_t length_max = 64;
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  const auto* held = std::get_if<std::string>(&value);
  if (held != nullptr && !held->empty() && held->size() <= length_max &&
      held->find_first_not_of(allowed) == held->npos && held->front() != '.' &&
      held->front() != '-') {
    return *held;
  }
  return expected<std::string>("a name of 1..64 letters, digits, '_', '-' and '.'", value);
}

Result<std::string> public_key(const ConfigValue& value) {
  constexpr std::string_view z85 =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  const auto* held = std::get_if<std::string>(&value);
  const auto good = [&] {
    if (held == nullptr || held->size() != 40) return false;
    // Each five characters are a number of 32 bits.
    for (std::size_t at = 0; at < held->size(); at += 5) {
      std::uint64_t number = 0;
      for (const char c : held->substr(at, 5)) {
        const std::size_t digit = z85.find(c);
        if (digit == z85.npos) return false;
        number = number * 85 + digit;
      }
      if (number > 0xffffffffu) return false;
    }
    return true;
  };
  if (good()) return *held;
  return expected<std::string>("a public key of 40 characters, as `coterie keygen` prints it",
                               value);
}

Result<std::string> address(const ConfigValue& value) {
  const auto* held = std::get_if<std::string>(&value);
  if (held == nullptr) {
    return expected<std::string>("an address in quotes such as \"127.0.0.1:7101\"", value);
  }
  if (const auto parsed = parse_address(*held); !parsed) return std::unexpected(parsed.error());
  return *held;
}

}  // namespace coterie::config_value
