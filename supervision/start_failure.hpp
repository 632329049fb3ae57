#pragma once
// Starts of children, and how they fail, in a supervisor's words.

#include <coterie/child_spec.hpp>

namespace coterie::detail {

/// Runs a spec's start; an exception of the user's is a failed start, as in supervisor.erl.
StartResult run_start(const std::function<StartResult()>& start);
ChildError start_failure(const StartError& error);
/// The reason that a report and an exit reason give for it.
ExitReason start_reason(const StartError& error);

}  // namespace coterie::detail
