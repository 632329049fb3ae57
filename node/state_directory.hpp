#pragma once
// A node's state directory: the lock that one run of it holds at a time, and the counter that no
// two runs share. Opened by the node (not its guardian) before anything else; one thread.
//
//   lock         flock'ed while the node runs; text: the holder's pid
//   incarnation  the counter, twice (node/incarnation_record.hpp)
//   node.pid, guardian.pid, guardian.lock   written by the guardian
//
// The lock proves the previous run dead, because the kernel lets go of it only with the process.
// It proves nothing for a directory that was copied or restored, moved to another machine, or
// whose machine was booted since (a cloned machine looks like that): see proven_dead().

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "node/file_descriptor.hpp"
#include "node/incarnation_record.hpp"
#include "process/ports/random.hpp"

namespace coterie {

/// What tells this machine, and this boot of it, from others. Empty where the system does not say.
struct MachineIdentity {
  std::string machine;
  std::string boot;
  static MachineIdentity read();
};

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

class StateDirectory final {
 public:
  template <class T>
  using Result = std::expected<T, StateError>;

  /// Makes the directory if it is missing, locks it, raises the counter, and returns once the new
  /// incarnation is on disk.
  static Result<std::unique_ptr<StateDirectory>> open(const std::filesystem::path& path,
                                                      Random& random,
                                                      const MachineIdentity& machine);
  StateDirectory(const StateDirectory&) = delete;
  StateDirectory& operator=(const StateDirectory&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  const Incarnation& incarnation() const noexcept { return record_.run; }

  /// The previous run, if there was one and it is proven to have ended.
  const std::optional<Incarnation>& proven_dead() const noexcept { return proven_dead_; }
  /// A remark for the log: a damaged copy was repaired, a copied directory. Empty: nothing.
  const std::string& remark() const noexcept { return remark_; }

  /// The cluster has removed a run with this counter: the next start gets a greater one. Returns
  /// once that is on disk; never lowers anything.
  Result<void> raise_to(std::uint64_t counter);

 private:
  StateDirectory() = default;
  Result<void> lock();
  Result<std::optional<IncarnationRecord>> read();
  Result<void> create(const IncarnationRecord& record);
  Result<void> write(const IncarnationRecord& record);
  StateError failed(const std::string& what, int error) const;

  std::filesystem::path path_;
  FileDescriptor directory_, lock_, file_;
  std::size_t first_copy_ = 0;  // the other one is known to be whole
  IncarnationRecord record_;
  std::optional<Incarnation> proven_dead_;
  std::string remark_;
};

}  // namespace coterie
