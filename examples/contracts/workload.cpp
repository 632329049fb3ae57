#include "examples/contracts/workload.hpp"

#include <algorithm>
#include <array>
#include <istream>
#include <ostream>
#include <span>
#include <unordered_set>

#include <coterie/nearest_word.hpp>
#include <nlohmann/json.hpp>

#include "examples/contracts/timestamp.hpp"

namespace contracts {
namespace {

using Json = nlohmann::ordered_json;
using namespace std::string_view_literals;

constexpr std::array op_words{"start"sv, "approve"sv, "reject"sv, "disburse"sv, "pay"sv, "get"sv};

std::span<const std::string_view> keys_of(Operation operation) {
  static constexpr std::array start{"request_id"sv, "contract"sv, "op"sv, "customer"sv,
                                    "asset_cost"sv, "profit"sv,   "at"sv};
  static constexpr std::array plain{"request_id"sv, "contract"sv, "op"sv, "at"sv};
  static constexpr std::array reject{"request_id"sv, "contract"sv, "op"sv, "reason"sv, "at"sv};
  static constexpr std::array pay{"request_id"sv, "contract"sv, "op"sv, "amount"sv, "at"sv};
  switch (operation) {
    case Operation::start:
      return start;
    case Operation::reject:
      return reject;
    case Operation::pay:
      return pay;
    case Operation::approve:
    case Operation::disburse:
    case Operation::get:
      return plain;
  }
  return plain;
}

struct Mistake {
  std::size_t column = 1;
  std::string text;
};

/// A key of the line's object and where it and its value stand, counted from 1.
struct Key {
  std::string name;
  std::size_t column = 1;
  std::size_t value_column = 1;
};

/// The places of the keys of the outermost object, in order. `line` is valid JSON.
std::vector<Key> find_keys(std::string_view line) {
  std::vector<Key> keys;
  int depth = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != '"') continue;
    const std::size_t begin = i;
    for (++i; i < line.size() && line[i] != '"'; ++i) {
      if (line[i] == '\\') ++i;
    }
    const std::size_t colon = line.find_first_not_of(" \t", i + 1);
    if (depth != 1 || colon == std::string_view::npos || line[colon] != ':') continue;
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    keys.push_back({"", begin + 1, value + 1});
  }
  return keys;
}

/// The object of one line with its keys' places; flat, each key once.
struct Object {
  Json json;
  std::vector<Key> keys;

  const Key* key(std::string_view name) const {
    const auto found = std::ranges::find(keys, name, &Key::name);
    return found == keys.end() ? nullptr : &*found;
  }
};

Object parse_object(std::string_view line) {
  std::vector<std::string> names;
  const auto note_keys = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1) names.push_back(parsed.get<std::string>());
    return true;
  };
  Object object;
  try {
    object.json = Json::parse(line, note_keys);
  } catch (const Json::parse_error& error) {
    std::string text = error.what();
    // The library's own place is redundant: "[json.exception...] parse error at line 1, column 2:
    // ".
    if (const auto at = text.find(": "); at != std::string::npos) text.erase(0, at + 2);
    throw Mistake{std::max<std::size_t>(1, std::min(error.byte, line.size() + 1)), text};
  } catch (const Json::exception& error) {
    throw Mistake{1, error.what()};
  }
  if (!object.json.is_object()) throw Mistake{1, "expected a JSON object with one command"};
  object.keys = find_keys(line);
  for (std::size_t i = 0; i < std::min(names.size(), object.keys.size()); ++i) {
    object.keys[i].name = names[i];
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw Mistake{object.keys[i].column, "the key \"" + names[i] + "\" stands twice"};
    }
  }
  return object;
}

const Json& require(const Object& object, std::string_view name) {
  const auto found = object.json.find(name);
  if (found == object.json.end()) {
    throw Mistake{1, "the key \"" + std::string(name) + "\" is missing"};
  }
  return *found;
}

std::size_t place(const Object& object, std::string_view name) {
  const Key* key = object.key(name);
  return key ? key->value_column : 1;
}

std::string text_field(const Object& object, std::string_view name) {
  const Json& value = require(object, name);
  if (!value.is_string()) {
    throw Mistake{place(object, name), "\"" + std::string(name) + "\" must be a text, is " +
                                           std::string(value.type_name())};
  }
  return value.get<std::string>();
}

std::string id_field(const Object& object, std::string_view name) {
  std::string text = text_field(object, name);
  if (text.empty() || text.size() > id_bytes_max) {
    throw Mistake{place(object, name), "\"" + std::string(name) + "\" must have 1 to " +
                                           std::to_string(id_bytes_max) + " bytes"};
  }
  return text;
}

std::int64_t integer_field(const Object& object, std::string_view name) {
  const Json& value = require(object, name);
  if (!value.is_number_integer()) {
    throw Mistake{place(object, name),
                  "\"" + std::string(name) + "\" must be an integer in minor units"};
  }
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    throw Mistake{place(object, name), "\"" + std::string(name) + "\" does not fit 64 bits"};
  }
  return value.get<std::int64_t>();
}

/// The time of a command; `start` and `get` record none, so theirs may be absent.
std::string time_field(const Object& object, bool required) {
  if (!required && !object.json.contains("at")) return {};
  std::string text = text_field(object, "at");
  if (const auto time = parse_timestamp(text); !time) {
    throw Mistake{place(object, "at"), time.error()};
  }
  return text;
}

void refuse_unknown_keys(const Object& object, Operation operation) {
  const auto known = keys_of(operation);
  for (const Key& key : object.keys) {
    if (std::ranges::find(known, key.name) != known.end()) continue;
    throw Mistake{key.column, "unknown key \"" + key.name + "\" for op \"" +
                                  std::string(to_string(operation)) + "\"" +
                                  coterie::suggest(key.name, known)};
  }
}

Command command_of(const Object& object, Operation operation, const std::string& contract) {
  switch (operation) {
    case Operation::start:
      return Start{contract, id_field(object, "customer"), integer_field(object, "asset_cost"),
                   integer_field(object, "profit"), time_field(object, false)};
    case Operation::approve:
      return Approve{time_field(object, true)};
    case Operation::reject:
      return Reject{object.json.contains("reason") ? text_field(object, "reason") : "",
                    time_field(object, true)};
    case Operation::disburse:
      return Disburse{time_field(object, true)};
    case Operation::pay:
      return Pay{integer_field(object, "amount"), time_field(object, true)};
    case Operation::get:
      time_field(object, false);
      return Get{};
  }
  return Get{};
}

WorkloadCommand parse_line(std::string_view line) {
  const Object object = parse_object(line);
  const std::string op = text_field(object, "op");
  const auto operation = operation_of(op);
  if (!operation) {
    throw Mistake{place(object, "op"),
                  "unknown op \"" + op + "\"" + coterie::suggest(op, op_words)};
  }
  refuse_unknown_keys(object, *operation);
  WorkloadCommand command;
  command.request_id = id_field(object, "request_id");
  command.contract = id_field(object, "contract");
  command.command = command_of(object, *operation, command.contract);
  return command;
}

std::string placed(std::string_view where, const Mistake& mistake) {
  return std::string(where) + ":" + std::to_string(mistake.column) + ": " + mistake.text;
}

enum class Read { line, end, too_long };

/// One line without its end. A line that is too long is not kept in memory beyond the bound.
Read read_line(std::istream& in, std::string& line, std::size_t bytes_max) {
  line.clear();
  std::streambuf& buffer = *in.rdbuf();
  for (int c = buffer.sbumpc();; c = buffer.sbumpc()) {
    if (c == std::char_traits<char>::eof()) return line.empty() ? Read::end : Read::line;
    if (c == '\n') break;
    if (line.size() == bytes_max) return Read::too_long;
    line += static_cast<char>(c);
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return Read::line;
}

void put_time(Json& object, const std::string& at) {
  if (!at.empty()) object["at"] = at;
}

}  // namespace

std::expected<WorkloadCommand, std::string> parse_command_line(std::string_view line,
                                                               std::string_view where) {
  try {
    return parse_line(line);
  } catch (const Mistake& mistake) {
    return std::unexpected(placed(where, mistake));
  }
}

std::expected<Workload, std::string> read_workload(std::istream& in, std::string_view file_name,
                                                   const WorkloadLimits& limits) {
  Workload workload;
  std::unordered_set<std::string> request_ids;
  std::string line;
  for (std::size_t number = 1;; ++number) {
    const std::string where = std::string(file_name) + ":" + std::to_string(number);
    const Read outcome = read_line(in, line, limits.line_bytes_max);
    if (outcome == Read::end) break;
    if (outcome == Read::too_long) {
      return std::unexpected(placed(
          where, {limits.line_bytes_max + 1,
                  "the line is longer than " + std::to_string(limits.line_bytes_max) + " bytes"}));
    }
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (workload.size() == limits.commands_max) {
      return std::unexpected(placed(
          where, {1, "more than " + std::to_string(limits.commands_max) + " commands in a file"}));
    }
    auto command = parse_command_line(line, where);
    if (!command) return std::unexpected(std::move(command.error()));
    if (!request_ids.insert(command->request_id).second) {
      return std::unexpected(
          placed(where, {line.find(command->request_id) + 1,
                         "the request id \"" + command->request_id + "\" stood before"}));
    }
    workload.push_back(*std::move(command));
  }
  if (in.bad()) return std::unexpected(std::string(file_name) + ": cannot be read");
  return workload;
}

std::string to_line(const WorkloadCommand& command) {
  Json object = {{"request_id", command.request_id},
                 {"contract", command.contract},
                 {"op", to_string(operation_of(command.command))}};
  struct Visitor {
    Json& json;
    void operator()(const Start& start) const {
      json["customer"] = start.customer_id;
      json["asset_cost"] = start.asset_cost;
      json["profit"] = start.profit_amount;
      put_time(json, start.at);
    }
    void operator()(const Approve& approve) const { put_time(json, approve.at); }
    void operator()(const Reject& reject) const {
      json["reason"] = reject.reason;
      put_time(json, reject.at);
    }
    void operator()(const Disburse& disburse) const { put_time(json, disburse.at); }
    void operator()(const Pay& pay) const {
      json["amount"] = pay.amount;
      put_time(json, pay.at);
    }
    void operator()(const Get&) const {}
  };
  std::visit(Visitor{object}, command.command);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write_workload(const Workload& workload, std::ostream& out) {
  for (const WorkloadCommand& command : workload) out << to_line(command) << '\n';
}

Reference run_reference(const Workload& workload, const Policy& policy) {
  Reference reference;
  reference.outcomes.reserve(workload.size());
  std::map<std::string, std::optional<Contract>, std::less<>> contracts;
  for (const WorkloadCommand& command : workload) {
    std::optional<Contract>& contract = contracts[command.contract];
    auto event = decide(contract, command.command, policy);
    if (event && *event) replay(contract, **event);
    reference.outcomes.push_back(event ? std::nullopt : std::optional(std::move(event.error())));
  }
  for (auto& [id, contract] : contracts) {
    if (contract) reference.contracts.emplace(id, *std::move(contract));
  }
  return reference;
}

std::vector<ContractDifference> compare(
    const std::map<std::string, Contract, std::less<>>& expected,
    const std::map<std::string, Contract, std::less<>>& found) {
  std::vector<ContractDifference> list;
  for (const auto& [id, contract] : expected) {
    const auto other = found.find(id);
    if (other == found.end()) {
      list.push_back({.contract = id, .fields = {}, .missing = true, .unexpected = false});
    } else if (auto fields = compare(contract, other->second); !fields.empty()) {
      list.push_back({id, std::move(fields), false, false});
    }
  }
  for (const auto& [id, contract] : found) {
    if (expected.contains(id)) continue;
    list.push_back({.contract = id, .fields = {}, .missing = false, .unexpected = true});
  }
  return list;
}

}  // namespace contracts
