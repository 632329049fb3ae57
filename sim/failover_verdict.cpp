#include "sim/failover_verdict.hpp"

#include <algorithm>
#include <map>

#include "process/duration_text.hpp"

namespace coterie::sim {
namespace {

std::string joined(const std::vector<std::string>& lines, std::string_view between) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : std::string(between)) + line;
  return text;
}

void add(Verdict& verdict, std::string name, bool met, std::string seen) {
  verdict.checks.push_back(
      {std::move(name), met ? Check::Result::pass : Check::Result::fail, std::move(seen)});
}

}  // namespace

void add_first_answers(Evidence& evidence) {
  History all;
  for (const WorkloadEvidence& workload : evidence.workloads) {
    all.insert(all.end(), workload.history.begin(), workload.history.end());
  }
  struct Ends {
    const Downtime* first = nullptr;
    const Downtime* last = nullptr;
    std::size_t count = 0;
  };
  std::map<std::size_t, Ends> ends;
  const auto list = downtimes(all, evidence.faults, evidence.end);
  for (const Downtime& downtime : list) {
    if (!downtime.answered_again) continue;
    const auto end = [](const Downtime& one) { return one.from + one.length; };
    Ends& of_fault = ends[downtime.fault];
    ++of_fault.count;
    if (of_fault.first == nullptr || end(downtime) < end(*of_fault.first)) {
      of_fault.first = &downtime;
    }
    if (of_fault.last == nullptr || end(downtime) > end(*of_fault.last)) of_fault.last = &downtime;
  }
  for (const auto& [fault, found] : ends) {
    const auto tell = [&](const Downtime& downtime, const std::string& which) {
      const Duration at = downtime.from + downtime.length;
      const Duration since = at - evidence.faults[fault].at;
      evidence.events.push_back(
          {at, "answer",
           downtime.key + " answers, " + which + " of " + std::to_string(found.count) + " names, " +
               format_duration(std::chrono::floor<std::chrono::milliseconds>(since)) +
               " after the fault"});
    };
    tell(*found.first, "the first");
    if (found.last != found.first) tell(*found.last, "the last");
  }
}

void judge_ownership(Verdict& verdict, const ClaimLog& claims, const JournalAudit& journals,
                     bool clocks_kept) {
  const auto line = std::ranges::find_if(
      verdict.checks, [](const Check& check) { return check.name.starts_with("P1"); });
  if (line == verdict.checks.end()) return;
  std::vector<std::string> found{line->seen};
  if (claims.doubles().empty()) {
    found.push_back("no name claimed by two nodes in " + std::to_string(claims.sightings()) +
                    " sightings");
  } else {
    const DoubleClaim& first = claims.doubles().front();
    found.push_back(std::to_string(claims.doubles().size()) +
                    " names claimed by two nodes in two sightings in a row, first " + first.name +
                    " by " + first.first + " and " + first.second +
                    (clocks_kept ? "" : ": clocks had left the bound that forbids it"));
    if (clocks_kept) line->result = Check::Result::fail;
    if (clocks_kept && (!verdict.first_violation || first.at < verdict.first_violation->at)) {
      verdict.first_violation = FirstViolation{
          first.at, first.name + " is claimed by " + first.first + " and " + first.second};
    }
  }
  if (!journals.faults.empty()) {
    found.push_back("journals: " + joined(journals.faults, ", "));
    line->result = Check::Result::fail;
  } else if (!journals.unreadable.empty()) {
    found.push_back("journals cannot be read: " + journals.unreadable);
    line->result = Check::Result::fail;
  } else {
    found.push_back(std::to_string(journals.events) + " events of " +
                    std::to_string(journals.streams) + " journals, " +
                    std::to_string(journals.owners) +
                    " owners one after another, none older after a newer");
  }
  line->seen = joined(found, "; ");
}

void judge_run(Verdict& verdict, const RunFacts& facts) {
  add(verdict, "every fault was played", facts.unplayed.empty(),
      facts.unplayed.empty() ? "yes" : joined(facts.unplayed, "; "));
  add(verdict, "no node failed by itself", facts.failed.empty(),
      facts.failed.empty() ? "none did" : joined(facts.failed, "; "));
  add(verdict, "whole at the end", facts.whole_at_end,
      facts.expected_up.empty() ? "no node was to be up"
      : facts.whole_at_end      ? joined(facts.expected_up, ", ") + " active and connected"
                           : joined(facts.expected_up, ", ") + " are not all active and connected");
  if (!facts.audit.empty()) {
    std::vector<std::string> lines = facts.audit;
    if (lines.size() > 5) {
      const std::size_t more = lines.size() - 5;
      lines.resize(5);
      lines.push_back("and " + std::to_string(more) + " more");
    }
    add(verdict, "the workload's own audit", false, joined(lines, "; "));
  }
}

}  // namespace coterie::sim
