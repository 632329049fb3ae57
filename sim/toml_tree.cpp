#include "sim/toml_tree.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <coterie/nearest_word.hpp>
#include <sstream>
#include <tuple>

#include "process/duration_text.hpp"

namespace coterie::sim {
namespace {

Place place_of(const toml::source_region& region) {
  return {static_cast<std::uint32_t>(region.begin.line),
          static_cast<std::uint32_t>(region.begin.column)};
}

std::string written(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) { out << value; });
  return out.str();
}

TomlValue convert(const toml::node& node) {
  using Kind = TomlValue::Kind;
  TomlValue result;
  result.place = place_of(node.source());
  if (const auto* table = node.as_table()) {
    for (const auto& [key, value] : *table) {
      result.fields.push_back({std::string(key.str()), place_of(key.source()), convert(value)});
    }
    // The library sorts keys by name; errors and weights should follow the file.
    std::ranges::stable_sort(result.fields, {}, [](const TomlField& field) {
      return std::tuple(field.place.line, field.place.column);
    });
    return result;
  }
  result.toml = written(node);
  if (const auto* list = node.as_array()) {
    result.kind = Kind::list;
    for (const auto& item : *list) result.items.push_back(convert(item));
  } else if (const auto* text = node.as_string()) {
    result.kind = Kind::text;
    result.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    result.kind = Kind::integer;
    result.integer = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    result.kind = Kind::number;
    result.number = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    result.kind = Kind::boolean;
    result.boolean = boolean->get();
  } else {
    result.kind = Kind::other;
  }
  return result;
}

std::string_view name_of(TomlValue::Kind kind) {
  switch (kind) {
    case TomlValue::Kind::text:
      return "a text";
    case TomlValue::Kind::integer:
      return "an integer";
    case TomlValue::Kind::number:
      return "a number";
    case TomlValue::Kind::boolean:
      return "true or false";
    case TomlValue::Kind::list:
      return "a list";
    case TomlValue::Kind::table:
      return "a table";
    case TomlValue::Kind::other:
      return "a date or time";
  }
  return "something else";
}

void expect(const TomlValue& value, TomlValue::Kind kind) {
  if (value.kind == kind) return;
  throw TomlMistake{value.place, "expected " + std::string(name_of(kind)) + ", found " +
                                     std::string(name_of(value.kind))};
}

Duration parse_at(std::string_view text, Place place) {
  const auto duration = parse_duration(text);
  if (!duration) throw TomlMistake{place, duration.error()};
  return *duration;
}

}  // namespace

TomlValue parse_toml(std::string_view text) {
  try {
    return convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw TomlMistake{place_of(error.source()), std::string(error.description())};
  }
}

std::string placed(std::string_view file, Place place, std::string_view text) {
  return std::string(file) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) +
         ": " + std::string(text);
}

std::string text_of(const TomlValue& value) {
  expect(value, TomlValue::Kind::text);
  return value.text;
}

Duration duration_of(const TomlValue& value) {
  if (value.kind != TomlValue::Kind::text) {
    throw TomlMistake{value.place, "expected a duration in quotes such as \"250ms\", found " +
                                       std::string(name_of(value.kind))};
  }
  return parse_at(value.text, value.place);
}

Range range_of(const TomlValue& value) {
  if (value.kind != TomlValue::Kind::text) return {duration_of(value), duration_of(value)};
  const std::size_t dots = value.text.find("..");
  if (dots == std::string::npos) return {duration_of(value), duration_of(value)};
  const std::string_view text = value.text;
  const Range range{parse_at(text.substr(0, dots), value.place),
                    parse_at(text.substr(dots + 2), value.place)};
  if (range.most < range.least) {
    throw TomlMistake{value.place, "the range \"" + value.text + "\" ends before it begins"};
  }
  return range;
}

std::int64_t integer_of(const TomlValue& value, std::int64_t least, std::int64_t most) {
  expect(value, TomlValue::Kind::integer);
  if (value.integer < least || value.integer > most) {
    throw TomlMistake{value.place, "expected an integer " +
                                       (most == INT64_MAX ? "of at least " + std::to_string(least)
                                                          : "from " + std::to_string(least) +
                                                                " to " + std::to_string(most)) +
                                       ", found " + std::to_string(value.integer)};
  }
  return value.integer;
}

double number_of(const TomlValue& value) {
  if (value.kind == TomlValue::Kind::integer) return static_cast<double>(value.integer);
  expect(value, TomlValue::Kind::number);
  if (!std::isfinite(value.number)) {
    throw TomlMistake{value.place, "expected a finite number"};
  }
  return value.number;
}

bool boolean_of(const TomlValue& value) {
  expect(value, TomlValue::Kind::boolean);
  return value.boolean;
}

const std::vector<TomlValue>& list_of(const TomlValue& value) {
  expect(value, TomlValue::Kind::list);
  return value.items;
}

std::vector<Placed> texts_of(const TomlValue& value) {
  std::vector<Placed> list;
  for (const TomlValue& item : list_of(value)) list.push_back({text_of(item), item.place});
  return list;
}

TableReader::TableReader(const TomlValue& table, std::string what)
    : table_(table), what_(std::move(what)) {
  expect(table, TomlValue::Kind::table);
}

const TomlValue* TableReader::find(std::string_view key) {
  asked_.push_back(key);
  const auto found = std::ranges::find(table_.fields, key, &TomlField::key);
  return found == table_.fields.end() ? nullptr : &found->value;
}

const TomlValue& TableReader::require(std::string_view key) {
  const TomlValue* value = find(key);
  if (!value) {
    throw TomlMistake{table_.place, what_ + " needs the key \"" + std::string(key) + "\""};
  }
  return *value;
}

void TableReader::finish() const {
  for (const TomlField& field : table_.fields) {
    if (std::ranges::find(asked_, field.key) != asked_.end()) continue;
    throw TomlMistake{field.place,
                      "unknown key \"" + field.key + "\" in " + what_ + suggest(field.key, asked_)};
  }
}

}  // namespace coterie::sim
