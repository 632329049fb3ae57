#include "sim/sim_voter_disk.hpp"

#include <algorithm>
#include <chrono>

namespace coterie::sim {
namespace {

constexpr std::size_t sector = 512;
constexpr Duration sync_min = std::chrono::microseconds(100);
constexpr Duration sync_spread = std::chrono::milliseconds(8);

}  // namespace

bool SimVoterDisk::wait() {
  const auto extra =
      world_.random().below(static_cast<std::uint64_t>(Duration(sync_spread).count()));
  executor_.sleep_world(sync_min + Duration(static_cast<Duration::rep>(extra)) + trouble_.latency);
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
  for (const auto& [offset, bytes] : unsynced_) {
    for (std::size_t at = 0; at < bytes.size(); at += sector) {
      if (world_.random().below(2) == 0) continue;
      const std::size_t size = std::min(sector, bytes.size() - at);
      file_.replace(offset + at, size, bytes, at, size);
    }
  }
  if (!wait()) return std::unexpected(StorageError{.message = "dead"});
  for (const auto& [offset, bytes] : unsynced_) file_.replace(offset, bytes.size(), bytes);
  unsynced_.clear();
  return {};
}

}  // namespace coterie::sim
