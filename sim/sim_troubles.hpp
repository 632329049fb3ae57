#pragma once
// Troubles that only a drawn run knows: what a store, a voter's disk, a machine or the network can
// do to whole nodes beyond the words of scenario files. Each has a word, which the time line shows.
// Begun and ended by SimTestedCluster; the functions keep nothing.

#include <span>
#include <string>
#include <string_view>

#include "sim/sim_cluster.hpp"

namespace coterie::sim {

enum class TroubleOf : std::uint8_t { node, link, cluster };

struct TroubleKind {
  std::string_view word;
  TroubleOf of = TroubleOf::node;
  /// Its nodes die of it, unasked: only for clusters whose guardians start them again.
  bool kills = false;
};

std::span<const TroubleKind> trouble_kinds();

/// `a`: the node, or one end of the link; `b`: the other end. False: there is no such word.
bool begin_trouble(SimCluster& cluster, std::string_view word, const std::string& a,
                   const std::string& b);
void end_trouble(SimCluster& cluster, std::string_view word, const std::string& a,
                 const std::string& b);

}  // namespace coterie::sim
