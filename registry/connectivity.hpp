#pragma once
// Which members stay when some pairs of them no longer hear each other: the largest group in which
// everybody hears everybody. Pure and deterministic, so that all members that read the same rows
// come to the same answer. A maximum clique, found as a vertex cover of the broken pairs: in a
// healthy cluster there are none, so the search is empty; its steps are bounded.

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace coterie {

/// `ranked`: the members, the first configured one first. `broken`: pairs that do not hear each
/// other, in either order. Of equally large groups the one with the first-ranked member wins.
std::set<std::string> largest_connected_group(
    const std::vector<std::string>& ranked,
    const std::set<std::pair<std::string, std::string>>& broken);

}  // namespace coterie
