#pragma once
// The storage of one node, made from the configuration's `journal` line. The set owns its stores;
// destroy the writers that use them first. Blocks; call it once, at start.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "journal/memory.hpp"
#include "process/ports/storage.hpp"

namespace coterie {

struct StorageSet {
  std::unique_ptr<Records> agreement;  // views and leases
  std::unique_ptr<Records> names;      // names and child specs
  std::unique_ptr<Streams> streams;    // journals
  /// What is allowed but dangerous about the storage (a server with fsync off): to be logged.
  std::vector<std::string> warnings{};
};

struct StorageOptions {
  /// "sqlite:DIRECTORY" (nodes of one host; the directory is made if only its last part is
  /// missing), "postgres:CONNINFO" (several hosts), or "memory" (nodes of one process).
  std::string description;
  std::string node;        // this node's name
  std::string cluster_id;  // stamped into what is made; storage of another cluster is refused
  /// With "memory": what the nodes of this process share. Null: a store of its own.
  std::shared_ptr<MemoryStore> memory = nullptr;
  /// The bound of one statement, of a wait for a lock and of an attempt to connect. Smaller answers
  /// `unavailable` sooner, larger survives longer stalls. It should be below the lease's length.
  std::chrono::milliseconds wait{1000};
};

/// `misuse` for a description that is unknown or not built in, a foreign cluster or file, an unsafe
/// server; `unavailable` or `corrupt` for what stands in the way now.
StorageResult<StorageSet> open_storage(const StorageOptions& options);

}  // namespace coterie
