#pragma once
// Workload files: recorded commands, one JSON object a line, as `coterie replay` drives them and as
// scenarios name them (docs: "Workload files"). Reading, writing, and the reference run that a
// replay is compared with. Pure but for the streams handed in; any thread.
//
//   {"request_id":"r-000020","contract":"contract-7","op":"pay","amount":5000000,
//    "at":"2026-01-03T09:00:00Z"}                                  (on one line)

#include <cstddef>
#include <expected>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examples/contracts/contract_json.hpp"
#include "examples/contracts/rules.hpp"

namespace contracts {

struct WorkloadCommand {
  std::string request_id;
  std::string contract;
  Command command;
  friend bool operator==(const WorkloadCommand&, const WorkloadCommand&) = default;
};
using Workload = std::vector<WorkloadCommand>;

struct WorkloadLimits {
  std::size_t line_bytes_max = 65'536;
  std::size_t commands_max = 10'000'000;
};

/// All commands, or the first mistake as "FILE:LINE:COLUMN: what is wrong". Refused are: what is
/// not a flat JSON object, unknown or missing or repeated keys, unknown ops, wrong types, integers
/// beyond 64 bits, times that are none, and a request id that stood before. Amounts are not judged
/// here: a workload may hold commands that the rules refuse. Blank lines are skipped.
std::expected<Workload, std::string> read_workload(std::istream& in, std::string_view file_name,
                                                   const WorkloadLimits& limits = {});
/// One line without its end; `where` is "FILE:LINE".
std::expected<WorkloadCommand, std::string> parse_command_line(std::string_view line,
                                                               std::string_view where);

/// The line without its end; parse_command_line gives the same command back.
std::string to_line(const WorkloadCommand& command);
void write_workload(const Workload& workload, std::ostream& out);

/// All commands applied in one thread to the pure rules, those of one contract in order.
struct Reference {
  std::map<std::string, Contract, std::less<>> contracts;
  std::vector<std::optional<Refusal>> outcomes;  // per command; nothing: accepted
};
Reference run_reference(const Workload& workload, const Policy& policy = {});

/// One contract that is not as the reference has it. `found` empty: it does not exist.
struct ContractDifference {
  std::string contract;
  std::vector<FieldDifference> fields;  // empty when one side is missing
  bool missing = false;                 // the reference has it, the cluster has not
  bool unexpected = false;              // the cluster has it, the reference has not
};
std::vector<ContractDifference> compare(
    const std::map<std::string, Contract, std::less<>>& expected,
    const std::map<std::string, Contract, std::less<>>& found);

}  // namespace contracts
