#include "sim/fault_reader.hpp"

#include <algorithm>
#include <array>
#include <coterie/nearest_word.hpp>

#include "process/duration_text.hpp"

namespace coterie::sim {
namespace {

using namespace std::string_view_literals;

enum class Need : std::uint8_t { optional, required };

struct FieldRule {
  std::string_view key;
  Need need = Need::optional;
};

struct WordRule {
  FaultKind kind = FaultKind::kill;
  std::vector<FieldRule> fields;
};

constexpr FieldRule required(std::string_view key) { return {key, Need::required}; }

std::vector<WordRule> word_rules() {
  return {
      {FaultKind::kill, {required("node"), {"restart_after"}}},
      {FaultKind::power_off, {required("node"), {"restart_after"}}},
      {FaultKind::stop, {required("node"), {"restart_after"}}},
      {FaultKind::restart, {required("node")}},
      {FaultKind::replace, {required("node")}},
      {FaultKind::pause, {required("node"), {"for"}}},
      {FaultKind::resume, {required("node")}},
      {FaultKind::partition, {required("groups"), {"for"}}},
      {FaultKind::heal, {}},
      {FaultKind::one_way, {required("from"), required("to"), {"for"}}},
      {FaultKind::reset, {required("link"), {"times"}, {"over"}}},
      {FaultKind::delay, {required("link"), required("latency"), {"jitter"}, {"for"}}},
      {FaultKind::throttle, {required("link"), required("rate"), {"for"}}},
      {FaultKind::blackhole_large, {required("link"), required("bytes"), {"for"}}},
      {FaultKind::slow_disk, {required("node"), required("latency"), {"for"}}},
      {FaultKind::full_disk, {required("node"), {"latency"}, {"for"}}},
      {FaultKind::failing_fsync, {required("node"), {"latency"}, {"for"}}},
      {FaultKind::crash_name, {required("name"), {"reason"}}},
      {FaultKind::poison, {required("name")}},
      {FaultKind::slow_node, {required("node"), required("factor"), {"for"}}},
      {FaultKind::clock_rate, {required("node"), required("factor"), {"for"}}},
      {FaultKind::clock_jump, {required("node"), required("by")}},
      {FaultKind::clock_stop, {required("node"), {"for"}}},
  };
}

/// KIND/ID with something on both sides.
std::string read_name(std::string text, Place place) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
    throw TomlMistake{place,
                      "expected a name as KIND/ID, such as \"contracts/contract-7\", found "
                      "\"" +
                          text + "\""};
  }
  return text;
}

std::vector<std::vector<Placed>> read_groups(const TomlValue& value) {
  std::vector<std::vector<Placed>> groups;
  std::vector<std::string> seen;
  for (const TomlValue& item : list_of(value)) {
    groups.push_back(texts_of(item));
    for (const Placed& node : groups.back()) {
      if (std::ranges::find(seen, node.text) != seen.end()) {
        throw TomlMistake{node.place, "\"" + node.text + "\" stands in two groups"};
      }
      seen.push_back(node.text);
    }
  }
  if (groups.size() < 2) throw TomlMistake{value.place, "a partition has at least two groups"};
  return groups;
}

Duration read_signed_duration(const TomlValue& value) {
  std::string text = text_of(value);
  const bool negative = text.starts_with('-');
  if (negative) text.erase(0, 1);
  const auto duration = parse_duration(text);
  if (!duration) throw TomlMistake{value.place, duration.error()};
  return negative ? -*duration : *duration;
}

double read_factor(const TomlValue& value) {
  const double factor = number_of(value);
  if (factor <= 0) throw TomlMistake{value.place, "expected a factor above 0"};
  return factor;
}

void read_field(Action& action, std::string_view key, const TomlValue& value) {
  if (key == "node") action.node = read_selector(value);
  if (key == "restart_after") action.restart_after = range_of(value);
  if (key == "for") action.lasts = range_of(value);
  if (key == "groups") action.groups = read_groups(value);
  if (key == "from") action.from = read_selector(value);
  if (key == "to") action.to = read_selector(value);
  if (key == "link") {
    for (const TomlValue& item : list_of(value)) action.link.push_back(read_selector(item));
    if (action.link.size() != 2) throw TomlMistake{value.place, "a link is between two nodes"};
  }
  if (key == "times") action.times = integer_of(value, 1, 1'000'000);
  if (key == "over") action.over = duration_of(value);
  if (key == "latency") action.latency = duration_of(value);
  if (key == "jitter") action.jitter = duration_of(value);
  if (key == "rate") action.bytes_per_second = integer_of(value, 1);
  if (key == "bytes") action.bytes = integer_of(value, 0);
  if (key == "name") action.name = read_name(text_of(value), value.place);
  if (key == "reason") action.reason = text_of(value);
  if (key == "factor") action.factor = read_factor(value);
  if (key == "by") action.by = read_signed_duration(value);
}

void apart(const NodeSelector& one, const NodeSelector& other) {
  if (one.kind != NodeSelector::Kind::name || !(one == other)) return;
  throw TomlMistake{other.place, "expected two nodes, found \"" + one.text + "\" twice"};
}

/// The action of a table whose other keys, if it is a fault of its own, the caller has asked for.
Action read_action(const TomlValue& table, std::span<const std::string_view> other_keys) {
  TableReader probe(table, "a fault");
  const TomlValue& word = probe.require("do");
  const std::string text = text_of(word);
  const std::vector<WordRule> rules = word_rules();
  const auto rule = std::ranges::find(
      rules, text, [](const WordRule& candidate) { return to_string(candidate.kind); });
  if (rule == rules.end()) {
    std::vector<std::string_view> known;
    for (const WordRule& candidate : rules) known.push_back(to_string(candidate.kind));
    throw TomlMistake{word.place, "unknown fault \"" + text + "\"" + suggest(text, known)};
  }

  Action action;
  action.kind = rule->kind;
  action.place = word.place;
  TableReader reader(table, "the fault \"" + text + "\"");
  reader.find("do");
  for (const std::string_view key : other_keys) reader.find(key);
  std::vector<std::pair<std::string_view, const TomlValue*>> present;
  for (const FieldRule& field : rule->fields) {
    if (const TomlValue* value = reader.find(field.key)) present.emplace_back(field.key, value);
  }
  // Unknown keys first: a misspelt one explains a missing one.
  reader.finish();
  for (const FieldRule& field : rule->fields) {
    if (field.need == Need::required) reader.require(field.key);
  }
  for (const auto& [key, value] : present) read_field(action, key, *value);
  if (action.from && action.to) apart(*action.from, *action.to);
  if (action.link.size() == 2) apart(action.link[0], action.link[1]);
  return action;
}

FaultEvery read_every(const TomlValue& table) {
  TableReader reader(table, "a repeated fault");
  FaultEvery fault;
  const TomlValue& every = reader.require("every");
  fault.every = range_of(every);
  if (fault.every.least <= Duration::zero()) {
    throw TomlMistake{every.place, "\"every\" must be above zero"};
  }
  if (const TomlValue* after = reader.find("after")) fault.after = duration_of(*after);
  if (const TomlValue* until = reader.find("until")) {
    fault.until = duration_of(*until);
    if (*fault.until < fault.after) {
      throw TomlMistake{until->place, "\"until\" is before \"after\""};
    }
  }
  if (const TomlValue* max_down = reader.find("max_down")) {
    fault.max_down = static_cast<unsigned>(integer_of(*max_down, 0, 1'000));
  }
  const TomlValue* pick = reader.find("pick");
  reader.finish();
  if (!pick) reader.require("pick");
  for (const TomlValue& item : list_of(*pick)) fault.pick.push_back(read_action(item, {}));
  if (fault.pick.empty()) throw TomlMistake{pick->place, "\"pick\" is empty"};
  return fault;
}

}  // namespace

NodeSelector read_selector(const TomlValue& value) {
  NodeSelector selector{.kind = NodeSelector::Kind::name, .text = text_of(value), .place = {}};
  selector.place = value.place;
  const std::string text = selector.text;
  const auto special = [&](NodeSelector::Kind kind, std::string rest) {
    selector.kind = kind;
    selector.text = std::move(rest);
    return selector;
  };
  if (text.empty()) throw TomlMistake{value.place, "expected a node, found an empty text"};
  if (text == "*") return special(NodeSelector::Kind::any, "");
  if (text == "voter") return special(NodeSelector::Kind::voter, "");
  if (text == "most_names") return special(NodeSelector::Kind::most_names, "");
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return selector;
  const std::string prefix = text.substr(0, colon);
  const std::string name = text.substr(colon + 1);
  if (prefix == "owner") {
    return special(NodeSelector::Kind::owner, read_name(name, value.place));
  }
  if (prefix == "primary") {
    return special(NodeSelector::Kind::primary, read_name(name, value.place));
  }
  constexpr std::array prefixes{"owner"sv, "primary"sv};
  throw TomlMistake{value.place,
                    "unknown node selector \"" + prefix + ":\"" + suggest(prefix, prefixes)};
}

Fault read_fault(const TomlValue& table) {
  TableReader probe(table, "a fault");
  const TomlValue* at = probe.find("at");
  const TomlValue* every = probe.find("every");
  if (at && every) {
    throw TomlMistake{every->place, "a fault has either \"at\" or \"every\", not both"};
  }
  if (every) return {read_every(table), table.place};
  constexpr std::array other_keys{"at"sv, "every"sv};
  FaultAt fault;
  fault.action = read_action(table, other_keys);
  if (!at) throw TomlMistake{table.place, "a fault needs the key \"at\" or \"every\""};
  fault.at = duration_of(*at);
  return {std::move(fault), table.place};
}

}  // namespace coterie::sim
