#pragma once
// Draws workloads from a seed: the same seed gives the same commands on every machine. It runs the
// pure rules along, so that most commands are ones their contract accepts, whatever the weights,
// and the rest are wrong in every way the rules know. One thread at a time.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <coterie/time.hpp>

#include "examples/contracts/workload.hpp"

namespace contracts {

/// Weights of the operations drawn; scenario files spell them `ops = { approve = 2, ... }`.
struct Mix {
  unsigned approve = 2;
  unsigned reject = 1;
  unsigned disburse = 2;
  unsigned pay = 6;
  unsigned get = 10;
  unsigned invalid = 1;
};

struct GeneratorOptions {
  std::uint64_t seed = 1;
  std::size_t contracts = 500;  // contract-0 ... contract-499; starting others makes it more
  Mix mix;
  std::string first_at = "2026-01-02T03:04:05Z";  // each command is a second later than the last
};

class WorkloadGenerator {
 public:
  explicit WorkloadGenerator(GeneratorOptions options);

  /// The start of contract number `index`.
  WorkloadCommand start(std::size_t index);
  /// A command for one of the contracts started so far; there must be one.
  WorkloadCommand next();
  /// The same for one contract, as a client that owns it draws them.
  WorkloadCommand next_for(std::size_t index);

 private:
  enum class Kind : std::uint8_t { approve, reject, disburse, pay, get, invalid };

  std::uint64_t draw();
  std::uint64_t below(std::uint64_t bound);
  Kind draw_kind();
  bool accepts(std::size_t index, Kind kind) const;
  WorkloadCommand make(std::size_t index, Command command);
  Command valid_command(std::size_t index, Kind kind);
  Command invalid_command(std::size_t index);
  std::string next_at();

  GeneratorOptions options_;
  std::uint64_t state_;
  std::uint64_t made_ = 0;
  std::uint64_t clock_s_ = 0;
  coterie::WallTime first_at_;
  std::vector<std::size_t> started_;
  std::vector<std::optional<Contract>> contracts_;
};

/// `contracts` starts and `commands` other commands: a fifth of the contracts is started before
/// anything else, the others on the way, all of them within the first half. At least one contract.
Workload make_workload(std::uint64_t seed, std::size_t contracts, std::size_t commands,
                       const Mix& mix = {});

}  // namespace contracts
