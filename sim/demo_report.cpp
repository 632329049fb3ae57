#include "sim/demo_report.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>

#include "sim/history.hpp"
#include "sim/linearizability.hpp"

namespace coterie::sim {
namespace {

constexpr std::size_t faults_shown = 10;

void append(History& history, const std::vector<OperationRecord>& records, Time begin) {
  for (const OperationRecord& record : records) history.push_back(operation_of(record, begin));
}

std::vector<std::string> unanswered(const std::vector<OperationRecord>& records) {
  std::vector<std::string> faults;
  for (const OperationRecord& record : records) {
    if (record.outcome <= OperationOutcome::refused) continue;
    faults.push_back(record.operation.request_id + " (" + record.operation.word + ' ' +
                     record.operation.key + "): " + record.error);
  }
  return faults;
}

std::vector<std::string> misplaced(const DemoFacts& facts, const std::set<std::string>& names) {
  std::map<std::string, std::vector<std::string>> homes;
  for (const auto& [node, list] : facts.after) {
    for (const std::string& name : list) homes[name].push_back(node);
  }
  std::vector<std::string> faults;
  for (const std::string& name : names) {
    const auto found = homes.find(name);
    if (found == homes.end()) {
      faults.push_back(name + " runs nowhere");
    } else if (found->second.size() > 1) {
      faults.push_back(name + " runs on " + found->second[0] + " and " + found->second[1]);
    }
  }
  return faults;
}

std::string seconds(Duration duration) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f s", std::chrono::duration<double>(duration).count());
  return text;
}

/// First and last answer of the names that lived on the killed node.
std::optional<std::pair<Duration, Duration>> answers_again(const DemoFacts& facts) {
  std::optional<std::pair<Duration, Duration>> found;
  for (const OperationRecord& probe : facts.probes) {
    const Duration waited = probe.completed - facts.killed_at;
    if (!found) found.emplace(waited, waited);
    found->first = std::min(found->first, waited);
    found->second = std::max(found->second, waited);
  }
  return found;
}

std::size_t count(const NamesByNode& names, const std::string& node) {
  const auto found = names.find(node);
  return found == names.end() ? 0 : found->second.size();
}

}  // namespace

std::vector<DemoCheck> judge(const DemoFacts& facts, const Workload& workload) {
  std::set<std::string> names;
  for (const WorkloadOperation& operation : facts.operations) names.insert(operation.key);
  const auto last = last_answers(facts.last_reads);
  History history;
  const Time begin = facts.records.empty() ? Time{} : facts.records.front().invoked;
  append(history, facts.records, begin);
  const EffectAudit effects = audit_effects(history, last, workload.model());
  append(history, facts.probes, begin);
  append(history, facts.last_reads, begin);

  std::vector<DemoCheck> checks;
  auto ended = unanswered(facts.records);
  if (facts.records.size() != facts.operations.size()) {
    ended.push_back(std::to_string(facts.records.size()) + " of " +
                    std::to_string(facts.operations.size()) + " commands were driven");
  }
  checks.push_back({"every command was acknowledged or refused", std::move(ended)});
  auto silent = unanswered(facts.probes);
  checks.push_back({"every name of the killed node answers again", std::move(silent)});

  DemoCheck lost{"no acknowledged command is lost", {}};
  DemoCheck doubled{"no command was applied twice", {}};
  for (const EffectFault& fault : effects.examples) {
    const std::string line = fault.key + ": \"" + fault.effect + "\" was acknowledged " +
                             std::to_string(fault.acknowledged) + " times, is there " +
                             std::to_string(fault.found) + " times";
    (fault.found > fault.possible ? doubled : lost).faults.push_back(line);
  }
  if (effects.lost > 0 && lost.faults.empty()) {
    lost.faults.push_back(std::to_string(effects.lost) + " are lost");
  }
  if (effects.doubled > 0 && doubled.faults.empty()) {
    doubled.faults.push_back(std::to_string(effects.doubled) + " were applied twice");
  }
  checks.push_back(std::move(lost));
  checks.push_back(std::move(doubled));

  DemoCheck order{"every answer fits one order of the commands of its name", {}};
  const LinearizabilityResult search = check_linearizability(history, workload.model());
  for (const Violation& violation : search.violations) {
    order.faults.push_back(violation.key + ": " + history[violation.operation].request_id +
                           " answered " + violation.found + ", expected " + violation.expected);
  }
  for (const std::string& key : search.undecided) order.faults.push_back(key + ": undecided");
  checks.push_back(std::move(order));

  checks.push_back({"exactly one payout for each disbursed contract", facts.audit});
  auto differences = unanswered(facts.last_reads);
  std::ranges::move(workload.compare(facts.operations, last), std::back_inserter(differences));
  checks.push_back({"every contract is, field by field, as the rules make it in one thread",
                    std::move(differences)});
  checks.push_back({"every name runs once", misplaced(facts, names)});
  DemoCheck back{"the killed node is back", {}};
  if (!facts.rejoin) back.faults.push_back("node " + facts.killed + " did not become active again");
  checks.push_back(std::move(back));
  return checks;
}

bool passed(const std::vector<DemoCheck>& checks) noexcept {
  return std::ranges::all_of(checks, [](const DemoCheck& check) { return check.faults.empty(); });
}

std::string to_text(const DemoFacts& facts, const std::vector<DemoCheck>& checks) {
  std::string text = to_text(account_of(facts.records, facts.operations.size(), facts.took)) + '\n';
  char line[200];
  std::snprintf(line, sizeof line, "%-8s %16s %16s\n", "node", "names before", "names after");
  text += line;
  for (const std::string& node : facts.nodes) {
    std::snprintf(line, sizeof line, "%-8s %16zu %16zu%s\n", node.c_str(),
                  count(facts.before, node), count(facts.after, node),
                  node == facts.killed ? "   killed (SIGKILL)" : "");
    text += line;
  }
  text += '\n';
  if (const auto answers = answers_again(facts)) {
    text += "from the kill to the first answer of a name that lived there  " +
            seconds(answers->first) + '\n';
    text += "                  to the last name answering again            " +
            seconds(answers->second) + '\n';
  }
  if (facts.rejoin) {
    text += "                  to the node being active again              " +
            seconds(*facts.rejoin) + '\n';
  }
  text += '\n';
  for (const DemoCheck& check : checks) {
    text += (check.faults.empty() ? "PASS  " : "FAIL  ") + check.promise + '\n';
    for (std::size_t i = 0; i < std::min(check.faults.size(), faults_shown); ++i) {
      text += "      " + check.faults[i] + '\n';
    }
    if (check.faults.size() > faults_shown) {
      text += "      and " + std::to_string(check.faults.size() - faults_shown) + " more\n";
    }
  }
  return text;
}

}  // namespace coterie::sim
