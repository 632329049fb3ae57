#pragma once
// What a process learns of other nodes, whoever finds out: the public <coterie/nodes.hpp>, and
// views of the agreement. node/ feeds it from the distribution and the agreement.

#include <cstdint>
#include <string_view>

#include <coterie/nodes.hpp>

#include "process/ports/agreement.hpp"
#include "process/ports/distribution.hpp"

namespace coterie {

/// To subscribers of node events, beside NodeUp and NodeDown.
struct ViewChanged {
  static constexpr std::string_view type_name = "coterie.view_changed";
  std::uint64_t number = 0;
};

}  // namespace coterie
