#pragma once
// Contracts as JSON text, field by field under the names of the document they come from, and the
// differences between two contracts. Pure; any thread.

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "examples/contracts/rules.hpp"

namespace contracts {

/// One line, fields in the struct's order, times as ISO 8601 text, absent times as null. Bytes
/// that are not UTF-8 are written as U+FFFD.
std::string to_json_text(const Contract& contract);
/// Unknown fields are ignored and missing ones keep their default, as in messages; a wrong type or
/// state is an error.
std::expected<Contract, std::string> contract_from_json(std::string_view text);

struct FieldDifference {
  std::string field;  // "payments[0].amount"
  std::string expected;
  std::string found;
  friend bool operator==(const FieldDifference&, const FieldDifference&) = default;
};
/// Every field that differs, in the struct's order; empty when the contracts are equal.
std::vector<FieldDifference> compare(const Contract& expected, const Contract& found);

}  // namespace contracts
