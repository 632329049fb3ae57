// The two written forms of a verdict: a report to read and a JSON to gate on.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "sim/verdict.hpp"

namespace coterie::sim {
namespace {

using Json = nlohmann::ordered_json;

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string seconds_text(Duration duration) {
  char text[48];
  std::snprintf(text, sizeof text, "%.3fs", milliseconds(duration) / 1'000);
  return text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string right(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string percentiles_text(const Percentiles& values) {
  return "p50 " + seconds_text(values.p50) + ", p99 " + seconds_text(values.p99) + ", max " +
         seconds_text(values.max);
}

std::string counts_text(const OutcomeCount& counts) {
  return std::to_string(counts.acknowledged) + " acknowledged, " + std::to_string(counts.refused) +
         " refused, " + std::to_string(counts.not_executed) + " not executed, " +
         std::to_string(counts.unknown) + " unknown";
}

Json percentiles_json(const Percentiles& values) {
  return {{"count", values.count},
          {"p50_ms", milliseconds(values.p50)},
          {"p99_ms", milliseconds(values.p99)},
          {"max_ms", milliseconds(values.max)}};
}

Json counts_json(const OutcomeCount& counts) {
  return {{"acknowledged", counts.acknowledged},
          {"refused", counts.refused},
          {"not_executed", counts.not_executed},
          {"unknown", counts.unknown}};
}

std::string_view result_word(Check::Result result) {
  switch (result) {
    case Check::Result::pass:
      return "pass";
    case Check::Result::fail:
      return "fail";
    case Check::Result::not_judged:
      return "not_judged";
  }
  return "not_judged";
}

}  // namespace

std::string to_text(const Verdict& verdict) {
  std::string text = verdict.scenario + "  (" + verdict.file + ", " +
                     std::string(to_string(verdict.engine)) + ", seed " +
                     std::to_string(verdict.seed) + ")\n";
  if (!verdict.events.empty()) text += "\nTime line\n";
  for (const Event& event : verdict.events) {
    text += "  " + right(seconds_text(event.at), 9) + "  " + padded(event.what, 8) + "  " +
            event.text + "\n";
  }
  if (!verdict.downtime_by_fault.empty()) {
    text += "\nDowntime per name, from the last answer before a fault to the first after it\n";
  }
  for (const FaultDowntime& fault : verdict.downtime_by_fault) {
    text += "  " + right(seconds_text(fault.at), 9) + "  " + fault.fault + ": ";
    text += fault.names.count == 0
                ? "no name was asked"
                : std::to_string(fault.names.count) + " names, " + percentiles_text(fault.names);
    if (fault.never_answered > 0) {
      text += "; " + std::to_string(fault.never_answered) + " never answered again";
    }
    text += "\n";
  }
  if (verdict.downtime.count > 0) {
    text += "  all faults: " + percentiles_text(verdict.downtime) + "\n";
  }
  text += "\nCommands: " + counts_text(verdict.outcomes) + "\n";
  for (const auto& [word, counts] : verdict.outcomes_by_word) {
    text += "  " + padded(word, 10) + counts_text(counts) + "\n";
  }
  text += "Latency: " + percentiles_text(verdict.latency) + "\n\nVerdict\n";
  for (const Check& check : verdict.checks) {
    text +=
        "  " + std::string(to_string(check.result)) + "  " + check.name + ": " + check.seen + "\n";
  }
  if (verdict.first_violation) {
    text += "\nFirst violation at " + seconds_text(verdict.first_violation->at) + ": " +
            verdict.first_violation->text + "\n";
    if (!verdict.replay_command.empty()) text += "Replay: " + verdict.replay_command + "\n";
  }
  return text + (passed(verdict) ? "\nPASS\n" : "\nFAIL\n");
}

std::string to_json_text(const Verdict& verdict) {
  Json json = {{"scenario", verdict.scenario},
               {"file", verdict.file},
               {"engine", to_string(verdict.engine)},
               {"seed", verdict.seed},
               {"passed", passed(verdict)},
               {"checks", Json::array()},
               {"events", Json::array()},
               {"downtime", percentiles_json(verdict.downtime)},
               {"downtime_by_fault", Json::array()},
               {"outcomes", counts_json(verdict.outcomes)},
               {"outcomes_by_op", Json::object()},
               {"latency", percentiles_json(verdict.latency)},
               {"first_violation", nullptr},
               {"replay", verdict.replay_command}};
  for (const Check& check : verdict.checks) {
    json["checks"].push_back(
        {{"name", check.name}, {"result", result_word(check.result)}, {"seen", check.seen}});
  }
  for (const Event& event : verdict.events) {
    json["events"].push_back(
        {{"at_ms", milliseconds(event.at)}, {"what", event.what}, {"text", event.text}});
  }
  for (const FaultDowntime& fault : verdict.downtime_by_fault) {
    Json entry = {{"at_ms", milliseconds(fault.at)}, {"fault", fault.fault}};
    entry.update(percentiles_json(fault.names));
    entry["never_answered"] = fault.never_answered;
    json["downtime_by_fault"].push_back(std::move(entry));
  }
  for (const auto& [word, counts] : verdict.outcomes_by_word) {
    json["outcomes_by_op"][word] = counts_json(counts);
  }
  if (verdict.first_violation) {
    json["first_violation"] = {{"at_ms", milliseconds(verdict.first_violation->at)},
                               {"text", verdict.first_violation->text}};
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace coterie::sim
