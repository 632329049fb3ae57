#pragma once
// The load of a failover test: what its clients do while nodes die, and what they saw. The run
// (failover_run.hpp) drives it by this port; WorkloadLoad (failover_workloads.hpp) is the real one.
// Driven by one thread; where a function blocks it says so.

#include <expected>
#include <string>
#include <vector>

#include <coterie/time.hpp>

#include "sim/verdict.hpp"

namespace coterie::sim {

class FailoverLoad {
 public:
  FailoverLoad() = default;
  FailoverLoad(const FailoverLoad&) = delete;
  FailoverLoad& operator=(const FailoverLoad&) = delete;
  virtual ~FailoverLoad() = default;

  /// Brings every name into being. Blocks; the error says which could not be started and why.
  virtual std::expected<void, std::string> start_names() = 0;
  /// The clients begin.
  virtual void begin() = 0;
  /// The clients finish the commands under way. Blocks, at most for the deadline of one.
  virtual void end() = 0;
  /// Reads every key, again and again where needed, until `until`. Blocks.
  virtual void read_all(Time until) = 0;

  /// After all of it. Times count from `begin`.
  virtual std::vector<WorkloadEvidence> evidence(Time begin) const = 0;
  /// The deadline of each command.
  virtual Duration call_timeout() const = 0;
  /// What the workloads' own audits found wrong; one line each.
  virtual std::vector<std::string> audit() const = 0;
};

}  // namespace coterie::sim
