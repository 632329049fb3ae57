#pragma once
// The voter's file on a simulated machine: it outlives the runs of the node's program, and a run
// that dies while it syncs leaves any part of what it wrote. Single-threaded.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "registry/voter_file.hpp"
#include "sim/sim_executor.hpp"
#include "sim/sim_store.hpp"

namespace coterie::sim {

/// One run's way to the file. `alive` says false when the run has died. Everything outlives it.
class SimVoterDisk final : public VoterDisk {
 public:
  SimVoterDisk(SimWorld& world, SimExecutor& executor, const DiskTrouble& trouble, Bytes& file,
               std::function<bool()> alive)
      : world_(world),
        executor_(executor),
        trouble_(trouble),
        file_(file),
        alive_(std::move(alive)) {}

  StorageResult<Bytes> read() override { return file_; }
  StorageResult<void> create(BytesView content) override;
  StorageResult<void> write(std::size_t offset, BytesView bytes) override;
  StorageResult<void> sync() override;

 private:
  bool wait();

  SimWorld& world_;
  SimExecutor& executor_;
  const DiskTrouble& trouble_;
  Bytes& file_;
  const std::function<bool()> alive_;
  std::vector<std::pair<std::size_t, Bytes>> unsynced_;
  const std::shared_ptr<bool> here_ = std::make_shared<bool>(true);
};

}  // namespace coterie::sim
