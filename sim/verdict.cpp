#include "sim/verdict.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include "process/duration_text.hpp"

namespace coterie::sim {
namespace {

using Result = Check::Result;

/// Measured, so nobody wants more digits.
std::string whole_ms(Duration duration) {
  return format_duration(std::chrono::ceil<std::chrono::milliseconds>(duration));
}

std::string share_text(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g%%", share * 100);
  return text;
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  constexpr std::size_t shown = 5;
  for (std::size_t i = 0; i < std::min(names.size(), shown); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > shown) text += " and " + std::to_string(names.size() - shown) + " more";
  return text;
}

std::string expectation_text(const Expectation& expectation) {
  std::string text = "expect at " + format_duration(expectation.at) + ": ";
  if (const auto* state = std::get_if<ExpectState>(&expectation.what)) {
    return text + state->node.text + " is " + std::string(to_string(state->state));
  }
  const auto& running = std::get<ExpectRunning>(expectation.what);
  text += std::to_string(running.count) + " " + running.kind + " run once each";
  for (std::size_t i = 0; i < running.on.size(); ++i) {
    text += (i == 0 ? " on " : ", ") + running.on[i].text;
  }
  return text;
}

/// Collects checks and remembers the earliest violation.
class Judge {
 public:
  Judge(const Scenario& scenario, const Evidence& evidence, const SearchLimits& limits)
      : scenario_(scenario), evidence_(evidence), limits_(limits) {}

  Verdict run() {
    verdict_.scenario = scenario_.name;
    verdict_.file = scenario_.file;
    verdict_.engine = evidence_.engine;
    verdict_.seed = evidence_.seed;
    verdict_.replay_command = evidence_.replay_command;
    for (const WorkloadEvidence& workload : evidence_.workloads) examine(workload);
    verdict_.outcomes = count_outcomes(all_);
    verdict_.outcomes_by_word = count_outcomes_by_word(all_);
    verdict_.latency = latencies(all_);
    report_downtime();

    check_expectations();
    check_promises();
    check_linearizable();
    check_effects();
    check_unknown();
    check_downtime();
    order_events();
    return std::move(verdict_);
  }

 private:
  void add(std::string name, Result result, std::string seen) {
    verdict_.checks.push_back({std::move(name), result, std::move(seen)});
  }
  void add(std::string name, bool met, std::string seen) {
    add(std::move(name), met ? Result::pass : Result::fail, std::move(seen));
  }
  void violation(Duration at, std::string text) {
    if (verdict_.first_violation && verdict_.first_violation->at <= at) return;
    verdict_.first_violation = FirstViolation{at, std::move(text)};
  }

  void examine(const WorkloadEvidence& workload) {
    const History history = judged(workload);
    const auto order = check_linearizability(history, *workload.model, limits_);
    keys_ += order.keys;
    for (const Violation& found : order.violations) {
      const Operation& operation = history[found.operation];
      violating_keys_.push_back(found.key);
      violation(operation.completed, operation.word + " " + operation.request_id + " on " +
                                         found.key + " by client " +
                                         std::to_string(operation.client) + " answered " +
                                         found.found + "; by the rules " + found.expected);
    }
    undecided_.insert(undecided_.end(), order.undecided.begin(), order.undecided.end());

    const std::set<std::string> withheld = quarantined_keys(workload);
    History audited = workload.history;
    std::erase_if(audited, [&](const Operation& one) { return withheld.contains(one.key); });
    const auto audit = audit_effects(audited, workload.last_answers, *workload.model);
    lost_ += audit.lost;
    doubled_ += audit.doubled;
    effects_.insert(effects_.end(), audit.examples.begin(), audit.examples.end());
    const auto repeated = repeated_request_ids(workload.history);
    repeated_.insert(repeated_.end(), repeated.begin(), repeated.end());
    find_silent_keys(workload, withheld);
    find_overdue(workload);
    all_.insert(all_.end(), workload.history.begin(), workload.history.end());
  }

  History judged(const WorkloadEvidence& workload) {
    History history = workload.history;
    if (!evidence_.clocks_left) return history;
    unjudged_ += std::erase_if(history, [&](const Operation& one) {
      return (one.outcome == Outcome::acknowledged || one.outcome == Outcome::refused) &&
             one.completed >= *evidence_.clocks_left && one.invoked < evidence_.end &&
             workload.model->keeps_state(one.bytes, one.answer);
    });
    return history;
  }

  /// The names that this scenario poisoned and that are refused for it: that is what a cluster
  /// should do with them. What they hold is in their journals, where no client can look.
  std::set<std::string> quarantined_keys(const WorkloadEvidence& workload) {
    std::set<std::string> keys;
    const auto add_poisoned = [&](const Action& action) {
      const std::string prefix = workload.kind + "/";
      if (action.kind != FaultKind::poison || !action.name.starts_with(prefix)) return;
      const std::string key = action.name.substr(prefix.size());
      if (workload.last_answers.contains(key)) return;
      const auto last =
          std::ranges::find_if(workload.history.rbegin(), workload.history.rend(),
                               [&](const Operation& operation) { return operation.key == key; });
      if (last == workload.history.rend() || last->error.find("quarantined") == std::string::npos) {
        return;
      }
      if (keys.insert(key).second) quarantined_.push_back(key);
    };
    for (const Fault& fault : scenario_.faults) {
      if (const auto* at = std::get_if<FaultAt>(&fault.when)) {
        add_poisoned(at->action);
      } else {
        for (const Action& one : std::get<FaultEvery>(fault.when).pick) add_poisoned(one);
      }
    }
    return keys;
  }

  std::string quarantined_text() const {
    if (quarantined_.empty()) return {};
    return " but those that poison put into quarantine: " + names_text(quarantined_);
  }

  void find_silent_keys(const WorkloadEvidence& workload, const std::set<std::string>& withheld) {
    std::vector<std::string> keys;
    for (const Operation& operation : workload.history) keys.push_back(operation.key);
    std::ranges::sort(keys);
    const auto rest = std::ranges::unique(keys);
    keys.erase(rest.begin(), rest.end());
    for (const std::string& key : keys) {
      if (!workload.last_answers.contains(key) && !withheld.contains(key)) silent_.push_back(key);
    }
  }

  void find_overdue(const WorkloadEvidence& workload) {
    if (evidence_.call_timeout == infinity) return;
    const Duration most = evidence_.call_timeout + evidence_.timeout_slack;
    for (const Operation& operation : workload.history) {
      if (operation.invoked < Duration::zero()) continue;  // a name's start, with more time
      const Duration took = operation.completed - operation.invoked;
      longest_call_ = std::max(longest_call_, took);
      if (took <= most) continue;
      ++overdue_;
      violation(operation.completed, operation.word + " " + operation.request_id + " on " +
                                         operation.key + " took " + format_duration(took) +
                                         " with a deadline of " +
                                         format_duration(evidence_.call_timeout));
    }
  }

  void report_downtime() {
    const auto list = downtimes(all_, evidence_.faults, evidence_.end);
    std::vector<Duration> lengths;
    std::vector<std::vector<Duration>> by_fault(evidence_.faults.size());
    verdict_.downtime_by_fault.resize(evidence_.faults.size());
    for (std::size_t i = 0; i < evidence_.faults.size(); ++i) {
      verdict_.downtime_by_fault[i].at = evidence_.faults[i].at;
      if (i < evidence_.fault_texts.size()) {
        verdict_.downtime_by_fault[i].fault = evidence_.fault_texts[i];
      }
    }
    for (const Downtime& downtime : list) {
      lengths.push_back(downtime.length);
      by_fault[downtime.fault].push_back(downtime.length);
      if (downtime.answered_again) continue;
      ++verdict_.downtime_by_fault[downtime.fault].never_answered;
      violation(downtime.from, downtime.key + " never answered again");
    }
    for (std::size_t i = 0; i < by_fault.size(); ++i) {
      verdict_.downtime_by_fault[i].names = percentiles(std::move(by_fault[i]));
    }
    verdict_.downtime = percentiles(std::move(lengths));
  }

  // The promises are judged by the bounds that the file sets, so that loosening one is enough.
  bool ordered() const { return violating_keys_.empty() && undecided_.empty(); }
  bool lost_met() const { return lost_ <= static_cast<std::uint64_t>(scenario_.verdict.lost); }
  bool doubled_met() const {
    return doubled_ <= static_cast<std::uint64_t>(scenario_.verdict.doubled);
  }

  void check_expectations() {
    for (std::size_t i = 0; i < scenario_.expectations.size(); ++i) {
      const Expectation& expectation = scenario_.expectations[i];
      if (i >= evidence_.observations.size()) {
        add(expectation_text(expectation), Result::fail, "its moment was not reached");
        violation(expectation.at, expectation_text(expectation) + ": not reached");
        continue;
      }
      const Observation& observation = evidence_.observations[i];
      add(expectation_text(expectation), observation.met, observation.seen);
      if (!observation.met) {
        violation(expectation.at, expectation_text(expectation) + ", seen: " + observation.seen);
      }
    }
  }

  void check_promises() {
    for (const std::string& promise : scenario_.verdict.promises) {
      if (promise == "P1") {
        add("P1 one owner", (ordered() || !scenario_.verdict.linearizable) && doubled_met(),
            std::to_string(keys_ - violating_keys_.size() - undecided_.size()) + " of " +
                std::to_string(keys_) + " names behaved as one owner's");
      } else if (promise == "P2") {
        add("P2 it comes back", silent_.empty(),
            silent_.empty() ? "every name answered at the end" + quarantined_text()
                            : std::to_string(silent_.size()) +
                                  " names did not answer at the end: " + names_text(silent_));
      } else if (promise == "P3") {
        add("P3 nothing acknowledged is lost", lost_met(),
            std::to_string(lost_) + " lost of " + std::to_string(verdict_.outcomes.acknowledged) +
                " acknowledged");
      } else if (promise == "P4") {
        add("P4 truthful outcomes", doubled_met() && repeated_.empty(),
            repeated_.empty() ? std::to_string(doubled_) + " effects beyond what the outcomes allow"
                              : "request ids used twice by the clients: " + names_text(repeated_));
      } else if (promise == "P5") {
        add("P5 no silent loss", Result::not_judged, "what clients record cannot show it");
      } else if (promise == "P6") {
        const bool known = evidence_.call_timeout != infinity;
        add("P6 bounded",
            !known          ? Result::not_judged
            : overdue_ == 0 ? Result::pass
                            : Result::fail,
            known ? "the longest call took " + whole_ms(longest_call_) + " with a deadline of " +
                        format_duration(evidence_.call_timeout)
                  : "the calls had no deadline");
      }
    }
  }

  void check_linearizable() {
    if (!scenario_.verdict.linearizable) {
      add("linearizable", Result::not_judged, dropped());
      return;
    }
    std::string seen =
        std::to_string(keys_) + " names, " + std::to_string(all_.size()) + " commands";
    if (unjudged_ > 0) {
      seen += ", without " + std::to_string(unjudged_) +
              " reads and refusals after clocks had left the bound";
    }
    if (!violating_keys_.empty()) seen += "; not so: " + names_text(violating_keys_);
    if (!undecided_.empty()) seen += "; too hard to decide: " + names_text(undecided_);
    add("linearizable", ordered(), seen);
  }

  void check_effects() {
    const VerdictChoice& choice = scenario_.verdict;
    std::string losses;
    std::string doubles;
    for (const EffectFault& fault : effects_) {
      const bool is_loss = fault.found < fault.acknowledged;
      std::string& text = is_loss ? losses : doubles;
      if (text.size() < 300) {
        text += (text.empty() ? ": " : ", ") + fault.key + " \"" + fault.effect + "\" asked for " +
                std::to_string(is_loss ? fault.acknowledged : fault.possible) + " times, found " +
                std::to_string(fault.found);
      }
      violation(evidence_.end, "at the end " + fault.key + " has \"" + fault.effect + "\" " +
                                   std::to_string(fault.found) + " times, acknowledged " +
                                   std::to_string(fault.acknowledged) + ", possible " +
                                   std::to_string(fault.possible));
    }
    add("lost, at most " + std::to_string(choice.lost), lost_met(), std::to_string(lost_) + losses);
    add("doubled, at most " + std::to_string(choice.doubled), doubled_met(),
        std::to_string(doubled_) + doubles);
  }

  void check_unknown() {
    const OutcomeCount& counts = verdict_.outcomes;
    const double share =
        counts.all() == 0 ? 0
                          : static_cast<double>(counts.unknown) / static_cast<double>(counts.all());
    add("unknown outcomes, at most " + share_text(scenario_.verdict.unknown_max),
        share <= scenario_.verdict.unknown_max,
        std::to_string(counts.unknown) + " of " + std::to_string(counts.all()) + ", " +
            share_text(share));
  }

  void check_downtime() {
    const DowntimeBound& bound = scenario_.verdict.downtime;
    const auto check = [&](const char* name, std::optional<Duration> most, Duration seen) {
      if (!most) return;
      const bool met = seen <= *most;
      add("downtime " + std::string(name) + ", at most " + format_duration(*most), met,
          whole_ms(seen));
    };
    check("p50", bound.p50, verdict_.downtime.p50);
    check("p99", bound.p99, verdict_.downtime.p99);
    check("max", bound.max, verdict_.downtime.max);
  }

  std::string dropped() const {
    return scenario_.verdict.reason.empty() ? "dropped by the file, which gives no reason"
                                            : "dropped: " + scenario_.verdict.reason;
  }

  void order_events() {
    verdict_.events = evidence_.events;
    std::ranges::stable_sort(verdict_.events, {}, &Event::at);
  }

  const Scenario& scenario_;
  const Evidence& evidence_;
  const SearchLimits& limits_;
  Verdict verdict_;
  History all_;
  std::size_t keys_ = 0;
  std::size_t unjudged_ = 0;
  std::vector<std::string> violating_keys_;
  std::vector<std::string> undecided_;
  std::vector<std::string> silent_;
  std::vector<std::string> quarantined_;  // as poison of this scenario asked for
  std::vector<std::string> repeated_;
  std::vector<EffectFault> effects_;
  std::uint64_t lost_ = 0;
  std::uint64_t doubled_ = 0;
  std::uint64_t overdue_ = 0;
  Duration longest_call_{};
};

}  // namespace

Verdict judge(const Scenario& scenario, const Evidence& evidence, const SearchLimits& limits) {
  Verdict verdict = Judge(scenario, evidence, limits).run();
  // A violation that nothing judges is no reason to replay anything.
  if (passed(verdict)) verdict.first_violation.reset();
  return verdict;
}

bool passed(const Verdict& verdict) noexcept {
  return std::ranges::none_of(verdict.checks,
                              [](const Check& check) { return check.result == Result::fail; });
}

int exit_code(const Verdict& verdict) noexcept { return passed(verdict) ? 0 : 1; }

std::string_view to_string(Check::Result result) noexcept {
  switch (result) {
    case Result::pass:
      return "PASS";
    case Result::fail:
      return "FAIL";
    case Result::not_judged:
      return "----";
  }
  return "----";
}

}  // namespace coterie::sim
