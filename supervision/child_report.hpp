#pragma once
// Supervisor and progress reports (OTP's SASL) from a supervisor's own words. Called in the
// supervisor's process.

#include <coterie/child_spec.hpp>

#include "process/report.hpp"

namespace coterie::detail {

/// The calling process's name if it has one, else its pid.
std::string own_name();

void report_progress(const std::string& supervisor, const ChildSpec& spec, const Pid& pid);
void report_supervisor(const std::string& supervisor, SupervisorReport::Context context,
                       const ExitReason& reason, const ChildSpec& spec, const Pid& pid);

}  // namespace coterie::detail
