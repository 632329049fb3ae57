#pragma once
// What a node knows of its own runs: this one's incarnation, and the one before. The state
// directory keeps it on disk (StateDirectory); the simulator keeps it on a simulated one. One
// thread.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include <coterie/pid.hpp>

namespace coterie {

struct StateError {
  enum class Code : std::uint8_t {
    locked,     // a running node has it
    read_only,  // or not permitted
    full,
    corrupt,   // neither copy of the counter can be read
    newer,     // written by a later version of the program
    unusable,  // not a directory, an input or output error, ...
  };
  Code code = Code::unusable;
  std::string message;  // what was tried, what was found, what to do
};

class IncarnationStore {
 public:
  IncarnationStore() = default;
  IncarnationStore(const IncarnationStore&) = delete;
  IncarnationStore& operator=(const IncarnationStore&) = delete;
  virtual ~IncarnationStore() = default;

  virtual const Incarnation& incarnation() const noexcept = 0;
  /// The previous run, if there was one and it is proven to have ended.
  virtual const std::optional<Incarnation>& proven_dead() const noexcept = 0;
  /// The cluster has removed a run with this counter: the next start gets a greater one. Returns
  /// once that is on disk; never lowers anything.
  virtual std::expected<void, StateError> raise_to(std::uint64_t counter) = 0;
};

}  // namespace coterie
