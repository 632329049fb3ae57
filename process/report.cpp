#include "process/report.hpp"

#include <array>

namespace coterie {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text = "[";
  for (const auto& part : parts) {
    if (text.size() > 1) text += ',';
    text += part;
  }
  return text + ']';
}

std::string joined(const std::vector<Pid>& pids) {
  std::vector<std::string> parts;
  parts.reserve(pids.size());
  for (const Pid& pid : pids) parts.push_back(to_string(pid));
  return joined(parts);
}

}  // namespace

std::string_view to_string(SupervisorReport::Context context) noexcept {
  switch (context) {
    case SupervisorReport::Context::start_error:
      return "start_error";
    case SupervisorReport::Context::child_terminated:
      return "child_terminated";
    case SupervisorReport::Context::shutdown_error:
      return "shutdown_error";
    case SupervisorReport::Context::shutdown:
      return "shutdown";
  }
  return "unknown";
}

void report(Log& log, const CrashReport& crash) {
  if (!crash_wanted(log)) return;
  const std::string ancestors = joined(crash.ancestors);
  const std::string callers = crash.callers.empty() ? "" : joined(crash.callers);
  const std::string links = joined(crash.links);
  // The long ones come last, so that a cut line loses those first.
  const std::array<LogField, 13> fields{{
      {"report", "crash"},
      {"initial_call", crash.initial_call},
      {"pid", crash.pid},
      {"name", crash.name},
      {"reason", crash.reason},
      {"ancestors", ancestors},
      {"callers", callers},
      {"mailbox", crash.mailbox_length},
      {"last_message", crash.last_message},
      {"client", crash.client},
      {"links", links},
      {"trace", crash.reason.trace()},
      {"state", crash.state},
  }};
  log.write(LogModule::process, LogLevel::error, "process crashed", fields);
}

void report(Log& log, const SupervisorReport& supervisor) {
  if (!supervisor_report_wanted(log)) return;
  const Offender& child = supervisor.offender;
  const std::array<LogField, 9> fields{{
      {"report", "supervisor"},
      {"supervisor", supervisor.supervisor},
      {"context", supervisor.context},
      {"child", child.id},
      {"pid", child.pid},
      {"restart", child.restart},
      {"shutdown", child.shutdown},
      {"type", child.type},
      {"reason", supervisor.reason},
  }};
  log.write(LogModule::supervision, LogLevel::error, "supervisor report", fields);
}

void report(Log& log, const ProgressReport& progress) {
  if (!progress_wanted(log)) return;
  const Offender& child = progress.started;
  const std::array<LogField, 7> fields{{
      {"report", "progress"},
      {"supervisor", progress.supervisor},
      {"child", child.id},
      {"pid", child.pid},
      {"restart", child.restart},
      {"shutdown", child.shutdown},
      {"type", child.type},
  }};
  log.write(LogModule::supervision, LogLevel::debug, "child started", fields);
}

}  // namespace coterie
