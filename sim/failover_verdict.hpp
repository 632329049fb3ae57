#pragma once
// What a run with real processes adds to the verdict on what the clients recorded: what was seen of
// two owners, whether every fault was played, whether the nodes stayed up and came back. Pure.

#include <string>
#include <vector>

#include "sim/failover_audit.hpp"
#include "sim/failover_claims.hpp"
#include "sim/verdict.hpp"

namespace coterie::sim {

/// "answer" events: for each fault, the first and the last of its names that answered again.
void add_first_answers(Evidence& evidence);

/// Adds to the line of P1, where the scenario judges it, what nodes claimed and what the journals
/// hold. Either may break the promise; neither can prove it.
/// `clocks_kept`: no clock left the bound that leases rest on. Else two may claim a name for a
/// while, and only their effects are judged.
void judge_ownership(Verdict& verdict, const ClaimLog& claims, const JournalAudit& journals,
                     bool clocks_kept = true);

struct RunFacts {
  std::vector<std::string> unplayed;  // faults
  std::vector<std::string> failed;    // nodes that ended unasked and stayed down
  std::vector<std::string> audit;     // what the workloads' audits found
  std::vector<std::string> expected_up;
  bool whole_at_end = false;
};
void judge_run(Verdict& verdict, const RunFacts& facts);

}  // namespace coterie::sim
