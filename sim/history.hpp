#pragma once
// What the clients of a run saw: every operation with its times and its outcome. The verdict rests
// on this and on nothing that nodes say of themselves. Plain values and pure functions over them;
// the driver keeps one list per client and joins them at the end.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <coterie/bytes.hpp>
#include <coterie/time.hpp>
#include <coterie/workload_model.hpp>

#include "node/workload_record.hpp"

namespace coterie::sim {

using Outcome = OperationOutcome;

/// One command as its client saw it; retries with the same request id are one operation.
struct Operation {
  std::uint64_t client = 0;
  std::string key;
  std::string word;  // "pay"
  std::string request_id;
  Bytes bytes;           // the command, in the workload's own form
  Duration invoked{};    // since the timeline began
  Duration completed{};  // when the answer or the error came
  Outcome outcome = Outcome::unknown;
  Bytes answer;       // of acknowledged and refused ones, in the workload's own form
  std::string error;  // of the others
};

using History = std::vector<Operation>;

/// A driven command on the timeline that began at `begin`. Clients count from `first_client` on.
Operation operation_of(const OperationRecord& record, Time begin, std::uint64_t first_client = 0);

struct OutcomeCount {
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
  std::uint64_t not_executed = 0;
  std::uint64_t unknown = 0;
  std::uint64_t all() const noexcept { return acknowledged + refused + not_executed + unknown; }
  friend bool operator==(const OutcomeCount&, const OutcomeCount&) = default;
};
OutcomeCount count_outcomes(const History& history);
std::map<std::string, OutcomeCount> count_outcomes_by_word(const History& history);

struct Percentiles {
  std::size_t count = 0;
  Duration p50{};
  Duration p99{};
  Duration max{};
  friend bool operator==(const Percentiles&, const Percentiles&) = default;
};
/// By nearest rank: a value that was measured, never one in between. Zeros of an empty list.
Percentiles percentiles(std::vector<Duration> values);
/// Of the answered operations.
Percentiles latencies(const History& history);

/// A trace that is there too seldom or too often at the end.
struct EffectFault {
  std::string key;
  Bytes effect;
  std::uint64_t acknowledged = 0;  // operations of this trace that were acknowledged
  std::uint64_t possible = 0;      // those, and the unknown ones
  std::uint64_t found = 0;
};
struct EffectAudit {
  std::uint64_t lost = 0;             // acknowledged and not there
  std::uint64_t doubled = 0;          // there more often than anybody can have asked for
  std::vector<EffectFault> examples;  // the first ones, at most `examples_max`
};
inline constexpr std::size_t examples_max = 20;

/// Compares the traces in the last answer of each key with what was asked for. A key without a
/// last answer counts as one without traces: everything acknowledged of it is lost.
EffectAudit audit_effects(const History& history,
                          const std::map<std::string, Bytes, std::less<>>& last_answers,
                          const WorkloadModel& model);

/// Request ids that two operations share: a fault of the driver, which makes a verdict worthless.
std::vector<std::string> repeated_request_ids(const History& history);

/// A fault that may have taken names down. `keys` empty: it may have been any.
struct FaultMoment {
  Duration at{};
  std::vector<std::string> keys;
};

struct Downtime {
  std::string key;
  std::size_t fault = 0;  // its index
  Duration from{};        // the last answer before; the fault itself if there was none
  Duration length{};
  bool answered_again = true;  // false: not until the end, and `length` counts to there
};

/// For each fault and key, the longest gap between two answers that the fault lies in. An answer
/// within `in_flight` after the fault may have been on its way already and does not end the gap.
/// Keys that were never asked anything from the fault on are left out: nobody waited for them.
std::vector<Downtime> downtimes(const History& history, std::span<const FaultMoment> faults,
                                Duration end, Duration in_flight = std::chrono::milliseconds(100));

}  // namespace coterie::sim
