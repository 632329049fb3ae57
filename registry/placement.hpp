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

/// The directory is kept in so many parts, each by one member.
inline constexpr unsigned directory_partitions = 256;
unsigned directory_partition(std::string_view name) noexcept;

/// The member that keeps a partition, by the same order; null only in a view without members. Those
/// that drain or have no weight keep none while there are others.
const Member* primary(const View& view, unsigned partition);

}  // namespace coterie
