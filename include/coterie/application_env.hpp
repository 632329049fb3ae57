#pragma once
// An application's environment: settings by name, from its own defaults and, over them, the section
// [applications.NAME] of the cluster file. Elixir's Application.get_env and fetch_env!.
//
//   const auto port  = get_env<std::uint16_t>("shop", "port", 8080);
//   const auto every = fetch_env<Duration>("shop", "limits.interval");   // "250ms"
//
// For processes of a node on which the application is loaded; any of them may ask and, with
// put_env, change it, for this run of the node. A value of another type than asked for is a mistake
// in the file or the program: std::invalid_argument says what was expected and what was found.

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <coterie/time.hpp>

namespace coterie {

using EnvValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;
/// A key of a table inside the section is "table.key".
using ApplicationEnv = std::map<std::string, EnvValue>;

namespace detail {

std::optional<EnvValue> find_env(const std::string& application, const std::string& key);
[[noreturn]] void missing_env(const std::string& application, const std::string& key);
/// Throw when `value` is none.
bool env_boolean(const std::string& where, const EnvValue& value);
std::int64_t env_integer(const std::string& where, const EnvValue& value, std::int64_t min,
                         std::int64_t max);
double env_number(const std::string& where, const EnvValue& value);
std::string env_text(const std::string& where, const EnvValue& value);
Duration env_duration(const std::string& where, const EnvValue& value);
std::vector<std::string> env_texts(const std::string& where, const EnvValue& value);

template <class T>
T env_as(const std::string& where, const EnvValue& value) {
  if constexpr (std::is_same_v<T, EnvValue>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    return env_boolean(where, value);
  } else if constexpr (std::integral<T>) {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    constexpr bool wide = std::cmp_greater(std::numeric_limits<T>::max(), most);
    return static_cast<T>(
        env_integer(where, value, static_cast<std::int64_t>(std::numeric_limits<T>::min()),
                    wide ? most : static_cast<std::int64_t>(std::numeric_limits<T>::max())));
  } else if constexpr (std::floating_point<T>) {
    return static_cast<T>(env_number(where, value));
  } else if constexpr (std::is_same_v<T, Duration>) {
    return env_duration(where, value);
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    return env_texts(where, value);
  } else {
    static_assert(std::is_same_v<T, std::string>,
                  "an environment holds bool, numbers, std::string, Duration and lists of text");
    return env_text(where, value);
  }
}

}  // namespace detail

/// Nothing if it is not set.
template <class T>
std::optional<T> get_env(const std::string& application, const std::string& key) {
  const auto value = detail::find_env(application, key);
  if (!value) return std::nullopt;
  return detail::env_as<T>(application + ": " + key, *value);
}
template <class T>
T get_env(const std::string& application, const std::string& key,
          const std::type_identity_t<T>& otherwise) {
  return get_env<T>(application, key).value_or(otherwise);
}
/// Throws std::invalid_argument if it is not set.
template <class T>
T fetch_env(const std::string& application, const std::string& key) {
  auto value = get_env<T>(application, key);
  if (!value) detail::missing_env(application, key);
  return std::move(*value);
}
/// All of it.
ApplicationEnv get_all_env(const std::string& application);
/// Throws std::invalid_argument if this node has loaded no application at all.
void put_env(const std::string& application, const std::string& key, EnvValue value);
void delete_env(const std::string& application, const std::string& key);

}  // namespace coterie
