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
#include "node/incarnation_store.hpp"
#include "process/ports/random.hpp"

namespace coterie {

/// What tells this machine, and this boot of it, from others. Empty where the system does not say.
struct MachineIdentity {
  std::string machine;
  std::string boot;
  static MachineIdentity read();
};

class StateDirectory final : public IncarnationStore {
 public:
  template <class T>
  using Result = std::expected<T, StateError>;

  /// Makes the directory if it is missing, locks it, raises the counter, and returns once the new
  /// incarnation is on disk.
  static Result<std::unique_ptr<StateDirectory>> open(const std::filesystem::path& path,
                                                      Random& random,
                                                      const MachineIdentity& machine);
  const std::filesystem::path& path() const noexcept { return path_; }
  const Incarnation& incarnation() const noexcept override { return record_.run; }

  const std::optional<Incarnation>& proven_dead() const noexcept override { return proven_dead_; }
  /// A remark for the log: a damaged copy was repaired, a copied directory. Empty: nothing.
  const std::string& remark() const noexcept { return remark_; }

  Result<void> raise_to(std::uint64_t counter) override;

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
