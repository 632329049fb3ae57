#pragma once
// The guardian: the tiny parent of a node. It starts the node as its child, waits for it, and knows
// before anybody else, and for certain, that it has ended. One thread, no processes of coterie's,
// no connection of its own. It decides by node/guardian_core.hpp.
//
// When the guardian itself is killed the node goes on and sees it (GuardianLink::guardian_alive).
// In the state directory it keeps guardian.pid and node.pid, and guardian.lock so that there is one
// guardian of a directory at a time. It reaps whatever child it gets, so it may be pid 1.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <coterie/log.hpp>

#include "node/child_process.hpp"
#include "node/death_reporter.hpp"
#include "node/death_reports.hpp"
#include "node/guardian_core.hpp"
#include "node/pid_file.hpp"
#include "node/signal_source.hpp"

namespace coterie {

struct GuardianOptions {
  std::filesystem::path state_directory;  // made if it is missing
  std::vector<std::string> arguments;     // of this program: the node gets the same
  guardian::Policy policy;
  DeathReportsOptions reports;
  Duration exit_wait = std::chrono::seconds(2);  // for reports under way, when all is over
};

class Guardian final {
 public:
  using Options = GuardianOptions;
  /// From a program with one thread only. All outlive it. `clock` must be the machine's: the node
  /// reads the same.
  Guardian(const Clock& clock, Log& log, DeathReporter& reporter, Options options);
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;

  /// Starts the node and stays until it is over. Returns the program's exit code.
  int run();

 private:
  bool lock_directory();
  void feed(const guardian::Event& event);
  void perform(const guardian::Action& action);
  void start_child();
  void report(const guardian::ReportDeath& death);
  void wait_for_signal(Time until);
  void take_signals();
  void reap();
  void finish_reports();

  const Clock& clock_;
  Log& log_;
  const Options options_;
  guardian::GuardianCore core_;
  SignalSource signals_;
  DeathReports reports_;
  FileDescriptor lock_;
  PidFile guardian_pid_, node_pid_;
  std::optional<ChildProcess> child_;  // while it has not been waited for
  std::optional<int> exit_code_;
};

}  // namespace coterie
