#pragma once
// What a supervisor does when a child has ended: pure functions from the children, in start order,
// and the one that ended, to a plan. One file per strategy; the model is OTP's supervisor.erl.

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <coterie/supervisor.hpp>

namespace coterie::detail {

/// What one child's end asks for, whatever the strategy.
struct ExitDecision {
  enum class Act : std::uint8_t { restart, keep_spec, remove };
  Act act = Act::restart;
  bool report = true;  // child_terminated
};
ExitDecision decide_exit(Restart restart, const ExitReason& reason) noexcept;

/// A child as a strategy sees it.
struct ChildView {
  Restart restart = Restart::permanent;
  bool running = false;
};

/// Indexes into the children. Stop in this order, drop `remove`, then start in this order.
struct RestartPlan {
  std::vector<std::size_t> stop;
  std::vector<std::size_t> remove;
  std::vector<std::size_t> start;
  friend bool operator==(const RestartPlan&, const RestartPlan&) = default;
};

RestartPlan one_for_one(std::span<const ChildView> children, std::size_t failed);
RestartPlan one_for_all(std::span<const ChildView> children, std::size_t failed);
RestartPlan rest_for_one(std::span<const ChildView> children, std::size_t failed);
RestartPlan decide_restart(Strategy strategy, std::span<const ChildView> children,
                           std::size_t failed);

/// Whether the supervisor ends because a child ended by itself and was not restarted.
/// `significant_running`: significant children that still run.
bool decide_auto_shutdown(AutoShutdown policy, bool significant,
                          std::size_t significant_running) noexcept;

}  // namespace coterie::detail
