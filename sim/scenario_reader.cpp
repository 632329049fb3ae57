#include "sim/scenario_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <coterie/nearest_word.hpp>

#include "sim/fault_reader.hpp"
#include "sim/toml_tree.hpp"

namespace coterie::sim {
namespace {

using namespace std::string_view_literals;

/// The value of a word out of `all`, each spelled by to_string.
template <typename E, std::size_t N>
E word_of(const TomlValue& value, std::string_view what, const std::array<E, N>& all) {
  const std::string text = text_of(value);
  std::vector<std::string_view> known;
  for (const E candidate : all) {
    if (to_string(candidate) == text) return candidate;
    known.push_back(to_string(candidate));
  }
  throw TomlMistake{value.place,
                    "unknown " + std::string(what) + " \"" + text + "\"" + suggest(text, known)};
}

void read_head(const TomlValue& table, Scenario& scenario) {
  TableReader reader(table, "[scenario]");
  scenario.name = text_of(reader.require("name"));
  const TomlValue& duration = reader.require("duration");
  scenario.duration = duration_of(duration);
  if (scenario.duration <= Duration::zero()) {
    throw TomlMistake{duration.place, "the duration must be above zero"};
  }
  if (const TomlValue* engines = reader.find("engine")) {
    constexpr std::array all{Engine::sim, Engine::real};
    scenario.engines.clear();
    for (const TomlValue& item : list_of(*engines)) {
      scenario.engines.push_back(word_of(item, "engine", all));
    }
    if (scenario.engines.empty()) throw TomlMistake{engines->place, "\"engine\" is empty"};
  }
  if (const TomlValue* seed = reader.find("seed")) {
    scenario.seed = static_cast<std::uint64_t>(integer_of(*seed, 0));
  }
  reader.finish();
}

/// Flattens nested tables: `lease.length = "2s"` and `"lease.length" = "2s"` are the same.
void read_overrides(const TomlValue& table, const std::string& prefix,
                    std::vector<Override>& overrides) {
  for (const TomlField& field : table.fields) {
    const std::string key = prefix + field.key;
    if (field.value.kind == TomlValue::Kind::table) {
      read_overrides(field.value, key + ".", overrides);
      continue;
    }
    if (std::ranges::find(overrides, key, &Override::key) != overrides.end()) {
      throw TomlMistake{field.place, "\"" + key + "\" is overridden twice"};
    }
    overrides.push_back({key, field.value.toml, field.place});
  }
}

std::vector<Placed> read_node_list(const TomlValue& value) {
  std::vector<Placed> nodes = texts_of(value);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (nodes[i].text == nodes[j].text) {
        throw TomlMistake{nodes[i].place, "the node \"" + nodes[i].text + "\" stands twice"};
      }
    }
  }
  if (nodes.empty()) throw TomlMistake{value.place, "the list of nodes is empty"};
  return nodes;
}

void read_cluster(const TomlValue& table, Scenario& scenario) {
  TableReader reader(table, "[cluster]");
  const TomlValue& config = reader.require("config");
  scenario.cluster.config = {text_of(config), config.place};
  if (const TomlValue* nodes = reader.find("nodes")) {
    scenario.cluster.nodes = read_node_list(*nodes);
  }
  if (const TomlValue* overrides = reader.find("override")) {
    TableReader check(*overrides, "\"override\"");  // that it is a table
    read_overrides(*overrides, "", scenario.cluster.overrides);
  }
  reader.finish();
}

void read_ops(const TomlValue& table, const WorkloadKind& kind, WorkloadChoice& workload) {
  TableReader reader(table, "\"ops\"");
  std::int64_t sum = 0;
  for (const std::string& op : kind.ops) reader.find(op);
  reader.finish();
  for (const TomlField& field : table.fields) {
    workload.ops.emplace_back(field.key, integer_of(field.value, 0, 1'000'000));
    sum += workload.ops.back().second;
  }
  if (sum == 0) throw TomlMistake{table.place, "the weights of \"ops\" are all zero"};
}

WorkloadChoice read_workload_choice(const TomlValue& table, std::span<const WorkloadKind> kinds) {
  TableReader reader(table, "a workload");
  WorkloadChoice workload;
  workload.place = table.place;
  const TomlValue& word = reader.require("kind");
  workload.kind = {text_of(word), word.place};
  const auto kind = std::ranges::find(kinds, workload.kind.text, &WorkloadKind::name);
  if (kind == kinds.end()) {
    std::vector<std::string_view> known;
    for (const WorkloadKind& candidate : kinds) known.push_back(candidate.name);
    throw TomlMistake{word.place, "unknown workload \"" + workload.kind.text + "\"" +
                                      suggest(workload.kind.text, known)};
  }
  const TomlValue* file = reader.find("file");
  const TomlValue* keys = reader.find("keys");
  const TomlValue* ops = reader.find("ops");
  const TomlValue* clients = reader.find("clients");
  const TomlValue* rate = reader.find("rate");
  const TomlValue* on = reader.find("on");
  reader.finish();
  if (file && (keys || ops)) {
    throw TomlMistake{file->place, "\"file\" stands instead of \"keys\" and \"ops\", not beside"};
  }
  if (file) {
    workload.file = Placed{text_of(*file), file->place};
  } else {
    workload.keys = integer_of(reader.require("keys"), 1, 10'000'000);
  }
  if (ops) read_ops(*ops, *kind, workload);
  if (clients) workload.clients = integer_of(*clients, 1, 10'000);
  if (rate) workload.rate = integer_of(*rate, 0, 100'000'000);
  if (on) workload.on = read_node_list(*on);
  return workload;
}

Expectation read_expectation(const TomlValue& table) {
  TableReader reader(table, "an expectation");
  Expectation expectation;
  expectation.place = table.place;
  const TomlValue* node = reader.find("node");
  const TomlValue* state = reader.find("state");
  const TomlValue* running = reader.find("running");
  const TomlValue* at = reader.find("at");
  reader.finish();
  expectation.at = duration_of(at ? *at : reader.require("at"));
  if (running && (node || state)) {
    throw TomlMistake{running->place,
                      "an expectation has either \"node\" and \"state\" or \"running\""};
  }
  if (running) {
    TableReader inner(*running, "\"running\"");
    ExpectRunning what;
    what.kind = text_of(inner.require("kind"));
    what.count = integer_of(inner.require("count"), 0);
    if (const TomlValue* on = inner.find("on")) what.on = read_node_list(*on);
    inner.finish();
    expectation.what = std::move(what);
    return expectation;
  }
  constexpr std::array all{NodeState::joining, NodeState::active, NodeState::frozen,
                           NodeState::excluded, NodeState::down};
  const TomlValue& where = reader.require("node");
  expectation.what = ExpectState{{text_of(where), where.place},
                                 word_of(reader.require("state"), "state of a node", all)};
  return expectation;
}

/// "1%", "0.5%"; a share of 0 to 1.
double read_share(const TomlValue& value) {
  const std::string text = text_of(value);
  double percent = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, percent);
  if (error != std::errc() || std::string_view(end, last) != "%" || !(percent >= 0) ||
      percent > 100) {
    throw TomlMistake{value.place, "expected a share such as \"1%\", found \"" + text + "\""};
  }
  return percent / 100;
}

void read_promises(const TomlValue& value, VerdictChoice& verdict) {
  static constexpr std::array known{"P1"sv, "P2"sv, "P3"sv, "P4"sv, "P5"sv, "P6"sv};
  verdict.promises.clear();
  for (const Placed& promise : texts_of(value)) {
    if (std::ranges::find(known, promise.text) == known.end()) {
      throw TomlMistake{promise.place,
                        "unknown promise \"" + promise.text + "\"" + suggest(promise.text, known)};
    }
    verdict.promises.push_back(promise.text);
  }
}

void read_verdict(const TomlValue& table, Scenario& scenario) {
  TableReader reader(table, "[verdict]");
  VerdictChoice& verdict = scenario.verdict;
  if (const TomlValue* promises = reader.find("promises")) read_promises(*promises, verdict);
  if (const TomlValue* value = reader.find("linearizable")) {
    verdict.linearizable = boolean_of(*value);
  }
  if (const TomlValue* value = reader.find("lost")) verdict.lost = integer_of(*value, 0);
  if (const TomlValue* value = reader.find("doubled")) verdict.doubled = integer_of(*value, 0);
  if (const TomlValue* value = reader.find("downtime")) {
    TableReader inner(*value, "\"downtime\"");
    if (const TomlValue* bound = inner.find("p50")) verdict.downtime.p50 = duration_of(*bound);
    if (const TomlValue* bound = inner.find("p99")) verdict.downtime.p99 = duration_of(*bound);
    if (const TomlValue* bound = inner.find("max")) verdict.downtime.max = duration_of(*bound);
    inner.finish();
  }
  if (const TomlValue* value = reader.find("unknown_max")) verdict.unknown_max = read_share(*value);
  if (const TomlValue* value = reader.find("reason")) verdict.reason = text_of(*value);
  reader.finish();
}

/// A misplaced unit in "every" must not plan millions of faults.
void check_repetitions(const Scenario& scenario) {
  constexpr std::int64_t repetitions_max = 10'000;
  for (const Fault& fault : scenario.faults) {
    const auto* repeated = std::get_if<FaultEvery>(&fault.when);
    if (!repeated) continue;
    const Duration span = repeated->until.value_or(scenario.duration) - repeated->after;
    if (span / repeated->every.least >= repetitions_max) {
      throw TomlMistake{fault.place, "this fault would happen more than " +
                                         std::to_string(repetitions_max) + " times"};
    }
  }
}

Scenario read_document(const TomlValue& document, std::span<const WorkloadKind> kinds) {
  Scenario scenario;
  TableReader reader(document, "a scenario file");
  const TomlValue* head = reader.find("scenario");
  const TomlValue* cluster = reader.find("cluster");
  const TomlValue* workloads = reader.find("workload");
  const TomlValue* faults = reader.find("fault");
  const TomlValue* expectations = reader.find("expect");
  const TomlValue* verdict = reader.find("verdict");
  reader.finish();
  read_head(head ? *head : reader.require("scenario"), scenario);
  read_cluster(cluster ? *cluster : reader.require("cluster"), scenario);
  if (workloads) {
    for (const TomlValue& item : list_of(*workloads)) {
      scenario.workloads.push_back(read_workload_choice(item, kinds));
    }
  }
  if (faults) {
    for (const TomlValue& item : list_of(*faults)) scenario.faults.push_back(read_fault(item));
  }
  if (expectations) {
    for (const TomlValue& item : list_of(*expectations)) {
      scenario.expectations.push_back(read_expectation(item));
    }
  }
  if (verdict) read_verdict(*verdict, scenario);
  check_repetitions(scenario);
  return scenario;
}

}  // namespace

std::expected<Scenario, std::string> read_scenario(std::string_view text, std::string_view file,
                                                   std::span<const WorkloadKind> kinds) {
  try {
    Scenario scenario = read_document(parse_toml(text), kinds);
    scenario.file = file;
    return scenario;
  } catch (const TomlMistake& mistake) {
    return std::unexpected(placed(file, mistake.place, mistake.text));
  }
}

}  // namespace coterie::sim
