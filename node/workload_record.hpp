#pragma once
// What a driven command came to, as its client saw it: the one record that replay's account, the
// demo's table and a failover test's verdict are made from. Plain values.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <coterie/time.hpp>
#include <coterie/workload.hpp>

namespace coterie {

enum class OperationOutcome : std::uint8_t {
  acknowledged,  // answered, and accepted
  refused,       // answered, and refused by the workload's rules
  not_executed,  // certainly did not run
  unknown,       // may have run, at any time after it was invoked, or never
};
std::string_view to_string(OperationOutcome outcome) noexcept;

/// All tries of one command, with one request id.
struct OperationRecord {
  std::uint64_t client = 0;
  WorkloadOperation operation;
  Time invoked{};    // before the first try left
  Time completed{};  // when the answer or the last error came
  OperationOutcome outcome = OperationOutcome::unknown;
  Bytes answer;       // of acknowledged and refused ones, in the workload's own form
  std::string error;  // of the others
  std::uint32_t attempts = 0;
};

/// The last answer of each key.
inline std::map<std::string, Bytes, std::less<>> last_answers(
    const std::vector<OperationRecord>& records) {
  std::map<std::string, Bytes, std::less<>> answers;
  for (const OperationRecord& record : records) {
    if (record.outcome <= OperationOutcome::refused) {
      answers.insert_or_assign(record.operation.key, record.answer);
    }
  }
  return answers;
}

/// The keys of which a command may have run, for all that its client knows.
inline std::set<std::string> unknown_keys(const std::vector<OperationRecord>& records) {
  std::set<std::string> keys;
  for (const OperationRecord& record : records) {
    if (record.outcome == OperationOutcome::unknown) keys.insert(record.operation.key);
  }
  return keys;
}

}  // namespace coterie
