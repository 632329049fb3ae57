#pragma once
// One failover test, of real processes or of simulated ones: starts the nodes, plays the timeline
// while the clients work, waits until all is quiet, reads and audits, and hands over the evidence.
// Decisions are those of FailoverDirector, FailoverWatch and FailoverExpectations; this is the loop
// around them. One thread, which is the one that made the cluster.

#include <expected>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/failover_audit.hpp"
#include "sim/failover_claims.hpp"
#include "sim/failover_director.hpp"
#include "sim/failover_expectations.hpp"
#include "sim/failover_load.hpp"
#include "sim/failover_questions.hpp"
#include "sim/failover_verdict.hpp"
#include "sim/failover_watch.hpp"
#include "sim/scenario.hpp"
#include "sim/tested_cluster.hpp"
#include "sim/verdict.hpp"

namespace coterie::sim {

struct FailoverRunOptions {
  std::vector<std::string> nodes;  // that start
  Engine engine = Engine::real;
  std::uint64_t seed = 1;
  /// In place of those that the scenario and the seed give: some of them.
  std::optional<std::vector<PlannedFault>> faults{};
  std::string replay_command;
  Duration start_wait = std::chrono::seconds(30);  // for all nodes to be active
  Duration quiet_wait = std::chrono::seconds(30);  // for the cluster to be whole at the end
  Duration read_wait = std::chrono::seconds(15);   // for every key to answer then
  Duration leave_wait = std::chrono::seconds(15);  // for the nodes to leave; then they are killed
  /// Told once: the timeline is over, and with it every fault.
  std::function<void()> faults_over = [] {};
  /// Asked while all is to become quiet: what else has to be so.
  std::function<bool()> settled = [] { return true; };
  /// Asked at the end: since when a clock has left the bound that leases rest on, if one has.
  std::function<std::optional<Time>()> clocks_left = [] { return std::nullopt; };
  /// One line for people about what begins now.
  std::function<void(const std::string&)> progress = [](const std::string&) {};
};

/// Why there is no verdict. Its exit code: 1, or 2 when file or cluster are to blame.
struct FailoverRunError {
  int exit_code = 1;
  std::string message;
  std::string violation{};  // simulated: the first one that the checkers saw; it may be why
};

class FailoverRun final {
 public:
  /// `cluster` starts nothing yet. `wait` sleeps, or returns false when somebody wants to end. All
  /// outlive the run.
  FailoverRun(const Clock& clock, const Scenario& scenario, TestedCluster& cluster,
              FailoverLoad& load, std::function<bool(Duration)> wait, FailoverRunOptions options);

  /// The verdict on the whole run.
  std::expected<Verdict, FailoverRunError> run();
  /// The timeline's begin, once it has begun.
  Time began() const noexcept { return begin_; }

 private:
  using Step = std::expected<void, FailoverRunError>;
  Step start();
  Step play();
  Step settle();
  void finish();
  Verdict judge_all();

  bool tick();  // looks, asks, takes answers; false: interrupted
  void look();
  void ask();
  void perform(const std::vector<Deed>& deeds);
  void node_ended(const NodeFacts& node);
  void audit();
  std::vector<std::string> expected_up() const;
  Duration now() const { return clock_.now() - begin_; }
  FailoverRunError interrupted() const;
  void collect(std::vector<Event> events);

  const Clock& clock_;
  const Scenario& scenario_;
  TestedCluster& cluster_;
  FailoverLoad& load_;
  const std::function<bool(Duration)> wait_;
  const FailoverRunOptions options_;
  const Duration end_;  // of the timeline

  FailoverDirector director_;
  FailoverWatch watch_;
  FailoverExpectations expectations_;
  FailoverQuestions questions_;
  ClaimLog claims_;
  std::optional<Sighting> sighting_;  // the latest one
  std::vector<NodeFacts> facts_;

  Time begin_{};
  Duration clients_end_{};
  Duration next_status_{};
  Duration next_sighting_{};
  bool playing_ = false;  // ends of nodes are somebody's fault
  bool whole_at_end_ = false;
  JournalAudit journals_;
  std::vector<Event> events_;
  std::vector<std::string> failed_;  // nodes that ended and stayed down, unasked
};

}  // namespace coterie::sim
