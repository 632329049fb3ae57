#pragma once
// Where a name should live: weighted rendezvous hashing. Every node that has the same view computes
// the same order with no word exchanged, and a member that joins or leaves moves only the names
// that it gains or loses, its share. Pure. (Thaler and Ravishankar 1998; weights as in
// Schindelhauer and Schomaker 2005: score = -ln(h) / weight, the least wins.)
//
// The order must come out the same on every platform and in every version, so the hash is our own
// and fixed, and the logarithm is computed in integers; golden values in the test keep it so:
//   text hash   FNV-1a, 64 bits, over the bytes of kind, a zero byte, and key
//   mixed       splitmix64's finalizer of (text hash xor mixed FNV-1a of the member's name)

#include <cstdint>
#include <string_view>
#include <vector>

#include "process/ports/agreement.hpp"

namespace coterie {

/// The name's 64-bit hash.
std::uint64_t placement_hash(std::string_view kind, std::string_view key) noexcept;

/// The members that list `kind` among their kinds, are not draining and have a weight, best home
/// first. O(members). Pointers into `view`.
std::vector<const Member*> homes(const View& view, std::string_view kind, std::string_view key);

/// The best home alone; null when no member hosts the kind.
const Member* home(const View& view, std::string_view kind, std::string_view key);

}  // namespace coterie
