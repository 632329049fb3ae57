#pragma once
// Stopping children as OTP does: monitor first, so that a child which unlinked cannot hang its
// supervisor; `shutdown`, a wait, then `kill`; afterwards neither a DOWN nor an EXIT of the child
// is left in the mailbox. These functions run in the supervisor's process and park it.

#include <optional>
#include <span>
#include <vector>

#include <coterie/child_spec.hpp>

namespace coterie::detail {

/// Nothing, or the wrong reason with which the child ended: to be reported as shutdown_error.
std::optional<ExitReason> shut_down(const Pid& child, Shutdown how, Restart restart);

struct Ending {
  Pid child;
  Shutdown how = std::chrono::seconds(5);
  Restart restart = Restart::permanent;
  std::optional<ExitReason> wrong;  // filled in: to be reported
};
/// All at once, in no order. O(n log n).
void shut_down_all(std::span<Ending> children);

/// Whether a child that was told to stop may end with that reason unreported. Pure.
bool expected_end(Shutdown how, Restart restart, const ExitReason& reason) noexcept;

}  // namespace coterie::detail
