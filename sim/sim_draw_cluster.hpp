#pragma once
// The cluster file of a drawn run: so many nodes, one of the documented leases. Pure.

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "node/config.hpp"

namespace coterie::sim {

struct Lease {
  std::string_view interval, length;
  Duration length_max;
};
// The documented profiles.
inline constexpr std::array<Lease, 3> leases{{{"200ms", "2s", std::chrono::seconds(2)},
                                              {"60ms", "600ms", std::chrono::milliseconds(600)},
                                              {"150ms", "3s", std::chrono::seconds(3)}}};

/// `hosted`: the kinds, as TOML writes them.
std::string cluster_text(std::size_t nodes, const Lease& lease, const std::string& hosted,
                         bool respawn, AgreementEngine agreement, NameKeeper names);

}  // namespace coterie::sim
