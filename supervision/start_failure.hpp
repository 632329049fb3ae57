#pragma once
// A start that failed, in a supervisor's words.

#include <coterie/child_spec.hpp>

namespace coterie::detail {

ChildError start_failure(const StartError& error);
/// The reason that a report and an exit reason give for it.
ExitReason start_reason(const StartError& error);

}  // namespace coterie::detail
