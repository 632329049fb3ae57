#pragma once
// A TOML document as plain values with their places, in the file's order, and a reader of tables
// that refuses what it was not asked for. Keeps the TOML library in one source file.
// Pure; one thread at a time.

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario.hpp"

namespace coterie::sim {

struct TomlField;

struct TomlValue {
  enum class Kind : std::uint8_t { text, integer, number, boolean, list, table, other };
  Kind kind = Kind::table;
  std::string text;
  std::int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  std::vector<TomlValue> items;
  std::vector<TomlField> fields;
  std::string toml;  // a scalar or list as TOML writes it
  Place place;
};

struct TomlField {
  std::string key;
  Place place;
  TomlValue value;
};

/// What is wrong and where; thrown inside the readers, never out of them.
struct TomlMistake {
  Place place;
  std::string text;
};

/// Throws TomlMistake.
TomlValue parse_toml(std::string_view text);

/// "FILE:LINE:COLUMN: text"
std::string placed(std::string_view file, Place place, std::string_view text);

// What a value must be, or a TomlMistake that says what was expected and found.
std::string text_of(const TomlValue& value);
Duration duration_of(const TomlValue& value);
/// "1s..6s" or "3s".
Range range_of(const TomlValue& value);
std::int64_t integer_of(const TomlValue& value, std::int64_t least, std::int64_t most = INT64_MAX);
double number_of(const TomlValue& value);
bool boolean_of(const TomlValue& value);
const std::vector<TomlValue>& list_of(const TomlValue& value);
std::vector<Placed> texts_of(const TomlValue& value);

/// Reads one table key by key and remembers which were asked for.
class TableReader {
 public:
  /// `what` names the table in errors: "[cluster]", "a fault \"kill\"".
  TableReader(const TomlValue& table, std::string what);

  const TomlValue* find(std::string_view key);
  const TomlValue& require(std::string_view key);
  /// Every key that was never asked for is a mistake; the nearest one that was is named.
  void finish() const;

  Place place() const noexcept { return table_.place; }

 private:
  const TomlValue& table_;
  std::string what_;
  std::vector<std::string_view> asked_;
};

}  // namespace coterie::sim
