#include "sim/sim_voter_disk.hpp"

#include <algorithm>
#include <chrono>

namespace coterie::sim {
namespace {

constexpr std::size_t sector = 512;
constexpr Duration skipped_sync = std::chrono::seconds(1);
constexpr Duration sync_min = std::chrono::microseconds(100);
constexpr Duration sync_spread = std::chrono::milliseconds(8);

}  // namespace

bool SimVoterDisk::wait() {
  const auto extra =
      world_.random().below(static_cast<std::uint64_t>(Duration(sync_spread).count()));
  executor_.sleep_world(sync_min + Duration(static_cast<Duration::rep>(extra)) + trouble_.latency +
                        trouble_.sync_latency);
  return alive_();
}

StorageResult<void> SimVoterDisk::create(BytesView content) {
  if (!wait()) return std::unexpected(StorageError{.message = "dead"});
  file_ = Bytes(content);
  return {};
}

StorageResult<void> SimVoterDisk::write(std::size_t offset, BytesView bytes) {
  unsynced_.emplace_back(offset, Bytes(bytes));
  return {};
}

// Some sectors arrive at once, the others only if the run lives until the end.
StorageResult<void> SimVoterDisk::sync() {
  if (!alive_()) return std::unexpected(StorageError{.message = "dead"});
  if (trouble_.sync_skipped) {
    world_.post_at(after(world_.now(), skipped_sync),
                   [this, here = std::weak_ptr(here_), writes = std::exchange(unsynced_, {})] {
                     if (here.expired() || !alive_()) return;
                     for (const auto& [at, bytes] : writes) file_.replace(at, bytes.size(), bytes);
                   });
    return {};
  }
  for (const auto& [offset, bytes] : unsynced_) {
    for (std::size_t at = 0; at < bytes.size(); at += sector) {
      if (world_.random().below(2) == 0) continue;
      const std::size_t size = std::min(sector, bytes.size() - at);
      file_.replace(offset + at, size, bytes, at, size);
    }
  }
  if (trouble_.in_sync) std::function(trouble_.in_sync)();
  if (!wait()) return std::unexpected(StorageError{.message = "dead"});
  if (trouble_.sync_fails > 0 &&
      static_cast<double>(world_.random().below(1'000'000)) < trouble_.sync_fails * 1e6) {
    unsynced_.clear();  // as the kernel does: what is not on the disk is forgotten
    return std::unexpected(StorageError{.message = "simulated: the disk does not sync"});
  }
  for (const auto& [offset, bytes] : unsynced_) file_.replace(offset, bytes.size(), bytes);
  unsynced_.clear();
  return {};
}

}  // namespace coterie::sim
