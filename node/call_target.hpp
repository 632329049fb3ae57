#pragma once
// What `coterie call` calls: "contracts/contract-7" or "ledger@b", and "approve". Pure.

#include <expected>
#include <string>
#include <string_view>

#include "process/envelope.hpp"

namespace coterie {

struct CallTarget {
  Target to;
  std::string node;    // the only one that may be asked; empty: any
  std::string prefix;  // of types that are written without a dot
};

/// REGISTRY/KEY, NAME or NAME@NODE. The error says what was expected and found.
std::expected<CallTarget, std::string> parse_call_target(std::string_view text);

/// The type_name that is meant: "approve" for contracts/... is contracts.approve.
std::string full_type(const CallTarget& target, std::string_view type);

}  // namespace coterie
