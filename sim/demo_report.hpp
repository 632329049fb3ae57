#pragma once
// What the demo saw and what it makes of it: the figures of its table and its checks, as text.
// Plain values; pure.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <coterie/workload.hpp>

#include "node/replay_account.hpp"

namespace coterie::sim {

/// Names per node at one moment.
using NamesByNode = std::map<std::string, std::vector<std::string>>;

struct DemoFacts {
  std::vector<std::string> nodes;
  std::vector<WorkloadOperation> operations;  // of the workload file
  std::vector<OperationRecord> records;       // what they came to
  std::vector<OperationRecord> probes;        // reads of the names that lived on the killed node
  std::vector<OperationRecord> last_reads;    // of every name, at the end
  std::vector<std::string> audit;             // what the workload's audit found wrong
  Duration took{};                            // of the workload
  std::string killed;                         // node
  Time killed_at{};
  NamesByNode before;              // right before the kill
  NamesByNode after;               // at the end
  std::optional<Duration> rejoin;  // from the kill to the node being active again
};

/// One promise: kept, or what was seen instead.
struct DemoCheck {
  std::string promise;
  std::vector<std::string> faults;
};

std::vector<DemoCheck> judge(const DemoFacts& facts, const Workload& workload);
bool passed(const std::vector<DemoCheck>& checks) noexcept;
std::string to_text(const DemoFacts& facts, const std::vector<DemoCheck>& checks);

}  // namespace coterie::sim
