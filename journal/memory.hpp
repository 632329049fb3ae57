#pragma once
// Storage in memory: for one process, tests and simulations. It is the reference for the other
// engines and loses everything with the process. All functions may be called from any thread.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "journal/records_core.hpp"
#include "journal/streams_core.hpp"
#include "process/ports/storage.hpp"

namespace coterie {

class MemoryRecords final : public Records {
 public:
  StorageResult<std::optional<Record>> read(std::string_view key) override;
  StorageResult<std::vector<Record>> scan(std::string_view prefix) override;
  StorageResult<std::vector<Record>> scan_page(std::string_view prefix, std::string_view after,
                                               std::size_t limit) override;
  StorageResult<std::vector<TransactionResult>> commit(
      std::span<const Transaction> transactions) override;

 private:
  std::mutex mutex_;
  detail::RecordTable table_;
  std::uint64_t counter_ = 0;
};

class MemoryStreams final : public Streams {
 public:
  StorageResult<std::vector<Event>> open(std::string_view stream, Epoch epoch) override;
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append> appends) override;
  StorageResult<std::vector<Event>> read(std::string_view stream) override;
  StorageResult<std::vector<std::string>> list(std::string_view prefix) override;

 private:
  struct Stream {
    detail::StreamHead head;
    std::vector<Event> events;
    std::map<std::uint64_t, Event> snapshots;  // by their sequences
  };
  static void take(Stream& stream, const detail::AppendPlan::Taken& taken);
  std::mutex mutex_;
  std::map<std::string, Stream, std::less<>> streams_;
};

/// One store for all nodes of a process: give the same one to each node's open_storage.
struct MemoryStore {
  MemoryRecords agreement;
  MemoryRecords names;
  MemoryStreams streams;
};

}  // namespace coterie
