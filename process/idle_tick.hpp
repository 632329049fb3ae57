#pragma once
// A server's own message at the end of its idle period.

#include <cstdint>

namespace coterie::detail {

/// `turn` of a period of zero, which any message ends; 0: from the timer of a longer one.
struct IdleTick {
  std::uint64_t turn = 0;
};

}  // namespace coterie::detail
