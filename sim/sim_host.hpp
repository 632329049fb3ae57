#pragma once
// One machine of a simulated cluster: its clock and disk, what the node's state directory holds,
// and the guardian, which decides by the real one's core (node/guardian_core.hpp) and outlives the
// node's program. Runs that were killed are kept until they have unwound. Single-threaded.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/death_reporter.hpp"
#include "node/guardian_core.hpp"
#include "sim/sim_run.hpp"

namespace coterie::sim {

class SimHost {
 public:
  /// Outlived by `around`. `runs` counts the runs of all hosts.
  SimHost(SimSurroundings& around, const NodeSection& own, std::uint64_t& runs);
  SimHost(const SimHost&) = delete;
  SimHost& operator=(const SimHost&) = delete;

  const std::string& name() const noexcept { return own_.name; }

  // As people and faults do it. False: there is nothing to do it to.
  bool start();                  // a guardian, which starts the program
  bool end_program(int signal);  // SIGKILL, or a crash; the guardian lives
  bool end_guardian();           // the program lives on without one
  bool power_off();              // both in one instant: nobody tells
  bool stop();                   // SIGTERM
  bool pause(bool paused);       // SIGSTOP, SIGCONT
  /// The state directory is lost, with what it says of earlier runs.
  void lose_state() noexcept;

  bool guardian_runs() const noexcept { return core_ != nullptr; }
  SimRun* run() noexcept { return run_.get(); }
  std::optional<int> exit_code() const noexcept { return exit_code_; }

  SimNodeClock& clock() noexcept { return clock_; }
  /// After the clock was changed.
  void clock_changed() { schedule_tick(); }
  DiskTrouble& disk() noexcept { return disk_; }

  /// All runs have unwound.
  bool empty() const noexcept { return run_ == nullptr && corpses_.empty(); }

 private:
  void feed(const guardian::Event& event);
  void perform(const guardian::Action& action);
  void start_again();
  void start_child();
  void child_ended(const guardian::ExitStatus& status, bool tell);
  void schedule_tick();
  void report(const guardian::ReportDeath& death);
  void tell(const std::shared_ptr<struct SimReport>& report);
  void bury();

  SimSurroundings& around_;
  const NodeSection& own_;
  std::uint64_t& runs_;
  SimNodeClock clock_;
  DiskTrouble disk_;
  bool troubled_ = false;            // the disk, when the program started
  std::uint64_t counter_ = 0;        // of the state directory
  std::optional<Incarnation> last_;  // likewise
  Bytes voter_file_;                 // likewise
  std::unique_ptr<guardian::GuardianCore> core_;
  std::uint64_t guardian_ = 0;  // which one; reports of an earlier one end with it
  std::uint64_t tick_ = 0;      // the latest that was scheduled
  std::string token_;
  std::unique_ptr<SimRun> run_;
  std::vector<std::unique_ptr<SimRun>> corpses_;
  std::optional<int> exit_code_;
  std::optional<Death> death_;  // of the child that was just waited for
};

}  // namespace coterie::sim
