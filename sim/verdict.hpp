#pragma once
// The verdict on a run: what the scenario asked for against what the clients recorded, one line
// each, and the reports around it. judge() is pure: evidence in, verdict out; the driver collects
// the evidence, prints to_text and writes to_json_text. Exit codes: 0 pass, 1 fail; 2 (the file or
// its cluster is wrong) never gets as far as a verdict.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/linearizability.hpp"
#include "sim/scenario.hpp"

namespace coterie::sim {

/// Something that happened, for the time line: a fault, a view, a death, a freeze, a restart.
struct Event {
  Duration at{};
  std::string what;  // one word: "fault", "view", "death", "freeze", "restart", "answer", "skipped"
  std::string text;
};

/// What the driver saw when an expectation's moment had come, in the scenario's order.
struct Observation {
  bool met = false;
  std::string seen;  // "active", "200 running: a 97, b 103"
};

struct WorkloadEvidence {
  std::string kind;
  const WorkloadModel* model = nullptr;  // outlives judge()
  History history;
  /// The answer of a read of each key when all was quiet; absent: it did not answer.
  std::map<std::string, Bytes, std::less<>> last_answers;
};

struct Evidence {
  Engine engine = Engine::real;
  std::uint64_t seed = 1;
  std::string replay_command;        // "coterie failover FILE --seed 7"
  Duration end{};                    // when the clients stopped
  Duration call_timeout = infinity;  // each command's deadline
  /// Since when a clock has been beyond the bound that leases rest on. An owner may then answer
  /// from what it knows for as long as it does not know better, and only effects are promised:
  /// reads and refusals that were answered later are not judged, but for the last ones, when all is
  /// quiet.
  std::optional<Duration> clocks_left{};
  Duration timeout_slack = std::chrono::seconds(1);
  std::vector<Observation> observations;
  std::vector<FaultMoment> faults;       // those that were played
  std::vector<std::string> fault_texts;  // beside them: "kill b, restarted after 4s"
  std::vector<Event> events;
  std::vector<WorkloadEvidence> workloads;
};

struct Check {
  enum class Result : std::uint8_t { pass, fail, not_judged };
  std::string name;  // "P3 nothing acknowledged is lost"
  Result result = Result::pass;
  std::string seen;
};

struct FaultDowntime {
  std::string fault;
  Duration at{};
  Percentiles names;               // over the names that were asked
  std::size_t never_answered = 0;  // of them, until the end
};

struct FirstViolation {
  Duration at{};
  std::string text;
};

struct Verdict {
  std::string scenario;
  std::string file;
  Engine engine = Engine::real;
  std::uint64_t seed = 1;
  std::string replay_command;
  std::vector<Check> checks;
  std::vector<Event> events;  // in the order of time
  std::vector<FaultDowntime> downtime_by_fault;
  Percentiles downtime;  // over all faults and names
  OutcomeCount outcomes;
  std::map<std::string, OutcomeCount> outcomes_by_word;
  Percentiles latency;
  std::optional<FirstViolation> first_violation;
};

Verdict judge(const Scenario& scenario, const Evidence& evidence, const SearchLimits& limits = {});

bool passed(const Verdict& verdict) noexcept;
/// 0 pass, 1 fail.
int exit_code(const Verdict& verdict) noexcept;

/// For people: the checks, the time line, the reports; lines end in '\n'.
std::string to_text(const Verdict& verdict);
/// The same as one JSON object; durations in milliseconds.
std::string to_json_text(const Verdict& verdict);

std::string_view to_string(Check::Result result) noexcept;

}  // namespace coterie::sim
