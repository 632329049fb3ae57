#pragma once
// A scenario that is drawn: a cluster of N nodes, work for it, and faults that a seed chooses, how
// often and which kinds at all. docs/failover-testing.md lists the kinds. Pure.

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/program.hpp>

#include "sim/failover_plan.hpp"

namespace coterie::sim {

inline constexpr std::size_t drawn_nodes_max = 200;

/// The words of the kinds of fault that can be drawn, for docs and tests.
std::span<const std::string_view> drawn_kinds();

struct DrawChoice {
  /// All engines meet the same work and faults.
  AgreementEngine agreement = AgreementEngine::store;
  NameKeeper names = NameKeeper::members;
  /// Words of drawn_kinds(): only these are drawn. Empty: all.
  std::vector<std::string> kinds{};
};

/// The error is a line: a program without a workload, too many nodes, an unknown kind. `program`
/// outlives the plan.
std::expected<FailoverPlan, std::string> draw_plan(const Program& program, std::size_t nodes,
                                                   std::uint64_t seed,
                                                   const DrawChoice& choice = {});

}  // namespace coterie::sim
