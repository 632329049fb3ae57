#include "supervision/child_report.hpp"

#include "process/process.hpp"
#include "process/runtime.hpp"

namespace coterie::detail {

namespace {

std::string text(Shutdown how) {
  if (how.is_brutal_kill()) return "brutal_kill";
  if (how.wait() == infinity) return "infinity";
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(how.wait());
  return std::to_string(ms.count()) + "ms";
}

Offender offender(const ChildSpec& spec, const Pid& pid) {
  return {.id = spec.id,
          .pid = pid,
          .restart = std::string(to_string(spec.restart)),
          .shutdown = text(spec.effective_shutdown()),
          .type = spec.type == ChildType::worker ? "worker" : "supervisor"};
}

}  // namespace

std::string own_name() {
  const auto mine = info();
  if (!mine.registered_name.empty()) return mine.registered_name;
  return to_string(mine.pid, mine.pid.node);
}

void report_progress(const std::string& supervisor, const ChildSpec& spec, const Pid& pid) {
  Log& log = current_process().runtime().log();
  if (progress_wanted(log)) report(log, {.supervisor = supervisor, .started = offender(spec, pid)});
}

void report_supervisor(const std::string& supervisor, SupervisorReport::Context context,
                       const ExitReason& reason, const ChildSpec& spec, const Pid& pid) {
  Log& log = current_process().runtime().log();
  if (!supervisor_report_wanted(log)) return;
  report(log, SupervisorReport{.supervisor = supervisor,
                               .context = context,
                               .reason = reason,
                               .offender = offender(spec, pid)});
}

}  // namespace coterie::detail
