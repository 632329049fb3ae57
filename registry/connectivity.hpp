#pragma once
// Which members stay when some pairs of them no longer hear each other: the largest group in which
// everybody hears everybody. Pure and deterministic, so that all members that read the same reports
// come to the same answer. A maximum clique, found as a vertex cover of the broken pairs: in a
// healthy cluster there are none, so the search is empty; its steps are bounded.
// What a member reports is whom it does not hear: in a healthy cluster of hundreds, nothing.

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "process/ports/agreement.hpp"

namespace coterie {

/// Of one member: it hears all members of that view but those.
struct HeardReport {
  std::uint64_t view = 0;
  std::set<std::string> missing;
  friend bool operator==(const HeardReport&, const HeardReport&) = default;
};

/// What a node that knows `view` reports, itself left out.
HeardReport report_of(const View& view, std::string_view self, const std::set<std::string>& heard);

/// `ranked`: the members, the first configured one first. `broken`: pairs that do not hear each
/// other, by their places, in either order. Of equally large groups the one with the first-ranked
/// member wins.
std::set<std::string> largest_connected_group(
    const std::vector<std::string>& ranked,
    const std::vector<std::pair<std::size_t, std::size_t>>& broken);

/// The same of the members of `view`, from what they report. Pairs are judged by members whose
/// report is of a view that they are in; null: there is none. Who came later than a report is not
/// heard by its author yet. O(members + what is missing), and the search.
std::set<std::string> largest_connected_group(
    const View& view, const std::vector<std::string>& configured,
    const std::function<const HeardReport*(const Member& member)>& report);

}  // namespace coterie
