#include "sim/history.hpp"

#include <algorithm>
#include <unordered_set>

namespace coterie::sim {
namespace {

bool answered(const Operation& operation) {
  return operation.outcome == Outcome::acknowledged || operation.outcome == Outcome::refused;
}

void count(OutcomeCount& counts, Outcome outcome) {
  switch (outcome) {
    case Outcome::acknowledged:
      ++counts.acknowledged;
      return;
    case Outcome::refused:
      ++counts.refused;
      return;
    case Outcome::not_executed:
      ++counts.not_executed;
      return;
    case Outcome::unknown:
      ++counts.unknown;
      return;
  }
}

struct KeyTimes {
  std::vector<Duration> answers;  // sorted
  Duration last_invoked{};
};

std::map<std::string, KeyTimes, std::less<>> times_by_key(const History& history) {
  std::map<std::string, KeyTimes, std::less<>> keys;
  for (const Operation& operation : history) {
    KeyTimes& times = keys[operation.key];
    if (answered(operation)) times.answers.push_back(operation.completed);
    times.last_invoked = std::max(times.last_invoked, operation.invoked);
  }
  for (auto& [key, times] : keys) std::ranges::sort(times.answers);
  return keys;
}

/// The gap of one key around one fault; nothing when nobody asked the key any more.
std::optional<Downtime> gap_at(const std::string& key, const KeyTimes& times, std::size_t index,
                               Duration at, Duration end, Duration in_flight) {
  const auto& answers = times.answers;
  const auto after = std::ranges::upper_bound(answers, at);
  if (after == answers.end() && times.last_invoked < at) return std::nullopt;
  Duration from = after == answers.begin() ? at : *std::prev(after);
  std::optional<Downtime> longest;
  const auto consider = [&](Duration begin, Duration until, bool again) {
    if (longest && longest->length >= until - begin) return;
    longest = Downtime{key, index, begin, until - begin, again};
  };
  for (auto answer = after; answer != answers.end() && from <= at + in_flight; ++answer) {
    consider(from, *answer, true);
    from = *answer;
  }
  // Asked again after the last answer of all, and never answered.
  if (from <= at + in_flight && (answers.empty() || from >= answers.back()) &&
      times.last_invoked > from && end > from) {
    consider(from, end, false);
  }
  return longest;
}

}  // namespace

Operation operation_of(const OperationRecord& record, Time begin, std::uint64_t first_client) {
  Operation operation;
  operation.client = first_client + record.client;
  operation.key = record.operation.key;
  operation.word = record.operation.word;
  operation.request_id = record.operation.request_id;
  operation.bytes = record.operation.bytes;
  operation.invoked = record.invoked - begin;
  operation.completed = record.completed - begin;
  operation.outcome = record.outcome;
  operation.answer = record.answer;
  operation.error = record.error;
  return operation;
}

OutcomeCount count_outcomes(const History& history) {
  OutcomeCount counts;
  for (const Operation& operation : history) count(counts, operation.outcome);
  return counts;
}

std::map<std::string, OutcomeCount> count_outcomes_by_word(const History& history) {
  std::map<std::string, OutcomeCount> counts;
  for (const Operation& operation : history) count(counts[operation.word], operation.outcome);
  return counts;
}

Percentiles percentiles(std::vector<Duration> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const auto rank = [&](std::size_t percent) {
    return values[std::max<std::size_t>(1, (values.size() * percent + 99) / 100) - 1];
  };
  return {values.size(), rank(50), rank(99), values.back()};
}

Percentiles latencies(const History& history) {
  std::vector<Duration> values;
  for (const Operation& operation : history) {
    if (answered(operation)) values.push_back(operation.completed - operation.invoked);
  }
  return percentiles(std::move(values));
}

EffectAudit audit_effects(const History& history,
                          const std::map<std::string, Bytes, std::less<>>& last_answers,
                          const WorkloadModel& model) {
  std::map<std::pair<std::string, Bytes>, EffectFault> traces;
  const auto trace = [&](const std::string& key, const Bytes& effect) -> EffectFault& {
    EffectFault& entry = traces[{key, effect}];
    entry.key = key;
    entry.effect = effect;
    return entry;
  };
  for (const Operation& operation : history) {
    const auto effect = model.effect(operation.bytes);
    if (!effect) continue;
    EffectFault& entry = trace(operation.key, *effect);
    if (operation.outcome == Outcome::acknowledged) ++entry.acknowledged;
    if (operation.outcome == Outcome::acknowledged || operation.outcome == Outcome::unknown) {
      ++entry.possible;
    }
  }
  for (const auto& [key, answer] : last_answers) {
    for (const Bytes& effect : model.effects(answer)) ++trace(key, effect).found;
  }
  EffectAudit audit;
  for (const auto& [name, entry] : traces) {
    if (entry.found >= entry.acknowledged && entry.found <= entry.possible) continue;
    if (entry.found < entry.acknowledged) {
      audit.lost += entry.acknowledged - entry.found;
    } else {
      audit.doubled += entry.found - entry.possible;
    }
    if (audit.examples.size() < examples_max) audit.examples.push_back(entry);
  }
  return audit;
}

std::vector<std::string> repeated_request_ids(const History& history) {
  std::unordered_set<std::string_view> seen;
  std::vector<std::string> repeated;
  for (const Operation& operation : history) {
    if (operation.request_id.empty()) continue;
    if (!seen.insert(operation.request_id).second) repeated.push_back(operation.request_id);
  }
  return repeated;
}

std::vector<Downtime> downtimes(const History& history, std::span<const FaultMoment> faults,
                                Duration end, Duration in_flight) {
  const auto keys = times_by_key(history);
  std::vector<Downtime> list;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const auto add = [&](const std::string& key, const KeyTimes& times) {
      if (auto gap = gap_at(key, times, i, faults[i].at, end, in_flight)) {
        list.push_back(*std::move(gap));
      }
    };
    if (faults[i].keys.empty()) {
      for (const auto& [key, times] : keys) add(key, times);
      continue;
    }
    for (const std::string& key : faults[i].keys) {
      if (const auto found = keys.find(key); found != keys.end()) add(key, found->second);
    }
  }
  return list;
}

}  // namespace coterie::sim
