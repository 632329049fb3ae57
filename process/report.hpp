#pragma once
// OTP's reports (SASL: proc_lib crash reports, supervisor and progress reports) as log records.
// Whoever notices makes one: the process layer for crashes, supervisors for the other two. Ask
// `wanted` first where building the struct costs. Any thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <coterie/exit_reason.hpp>
#include <coterie/log.hpp>
#include <coterie/pid.hpp>

namespace coterie {

/// A process ended with a reason that is not clean. Error level, module process.
struct CrashReport {
  std::string initial_call;  // the server's type, or the function that was spawned
  Pid pid;
  std::string name;                    // its registered name; empty: none
  std::vector<std::string> ancestors;  // parent first; names where there are names
  std::vector<std::string> callers{};  // of a task: who asked for it, nearest first
  std::vector<Pid> links;
  std::size_t mailbox_length = 0;
  std::string last_message;  // as text; empty: none
  std::string client;        // who sent the last message, and whether it lives; empty: unknown
  std::string state;         // as format_status shows it; empty: unknown
  ExitReason reason;         // with its trace
};

/// The child that a supervisor's report is about: its spec and its pid.
struct Offender {
  std::string id;
  Pid pid;               // none if it never started
  std::string restart;   // permanent, transient, temporary
  std::string shutdown;  // brutal_kill, infinity or a duration
  std::string type;      // worker, supervisor
};

/// Error level, module supervision.
struct SupervisorReport {
  enum class Context : std::uint8_t { start_error, child_terminated, shutdown_error, shutdown };
  std::string supervisor;  // its name or pid
  Context context = Context::child_terminated;
  ExitReason reason;
  Offender offender;
};

/// A child was started. Debug level, module supervision: below what a log shows unless it is asked
/// to, as in OTP, where the level `notice` hides it. A node may start a million.
struct ProgressReport {
  std::string supervisor;
  Offender started;
};

std::string_view to_string(SupervisorReport::Context context) noexcept;

inline bool crash_wanted(const Log& log) noexcept {
  return log.enabled(LogModule::process, LogLevel::error);
}
inline bool supervisor_report_wanted(const Log& log) noexcept {
  return log.enabled(LogModule::supervision, LogLevel::error);
}
inline bool progress_wanted(const Log& log) noexcept {
  return log.enabled(LogModule::supervision, LogLevel::debug);
}

void report(Log& log, const CrashReport& crash);
void report(Log& log, const SupervisorReport& supervisor);
void report(Log& log, const ProgressReport& progress);

}  // namespace coterie
