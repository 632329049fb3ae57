#pragma once
// Reads the value of a key as what the key means: durations, sizes, numbers in a range, words.
// Errors say what was expected, what was found and what to write. Pure.

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "node/config.hpp"

namespace coterie::config_value {

template <class T>
using Result = std::expected<T, std::string>;

/// As a person wrote it: 5, "abc", true, ["a", "b"].
std::string show(const ConfigValue& value);

Result<std::string> text(const ConfigValue& value);
Result<bool> boolean(const ConfigValue& value);
Result<std::int64_t> integer(const ConfigValue& value, std::int64_t min, std::int64_t max);
Result<Duration> duration(const ConfigValue& value, Duration min, Duration max);
/// "64KiB", "16MiB", "1GiB", "100B", or an integer of bytes.
Result<std::size_t> size(const ConfigValue& value, std::size_t min, std::size_t max);
Result<std::vector<std::string>> texts(const ConfigValue& value);
/// In order of priority, equals of one priority in braces: ["a", "{b, c}"].
Result<std::vector<std::vector<std::string>>> groups(const ConfigValue& value);
/// One of `words`: its index.
Result<std::size_t> word(const ConfigValue& value, std::span<const std::string_view> words);
/// Letters, digits, '_', '-', '.'; at most 64.
Result<std::string> name(const ConfigValue& value);
/// host:port or [ipv6]:port.
Result<std::string> address(const ConfigValue& value);
/// 40 characters of Z85, as `coterie keygen` prints them.
Result<std::string> public_key(const ConfigValue& value);

/// "1536" -> "1536B", "65536" -> "64KiB".
std::string format_size(std::size_t bytes);

}  // namespace coterie::config_value
