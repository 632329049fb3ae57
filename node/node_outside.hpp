#pragma once
// What a node opens when it starts: its storage, its links, its door for clients. SystemOutside is
// the machine's; the simulator has one of its own, so that it composes the same node. Made by
// whoever makes the node, used by the thread that starts it; outlives the node.

#include <expected>
#include <memory>

#include <coterie/log.hpp>

#include "journal/open_storage.hpp"
#include "process/ports/random.hpp"
#include "registry/voter_file.hpp"
#include "transport/client_door.hpp"
#include "transport/links.hpp"

namespace coterie {

class NodeOutside {
 public:
  NodeOutside() = default;
  NodeOutside(const NodeOutside&) = delete;
  NodeOutside& operator=(const NodeOutside&) = delete;
  virtual ~NodeOutside() = default;

  /// Blocks, at most for a few times `options.wait`.
  virtual StorageResult<StorageSet> open_storage(const StorageOptions& options) = 0;
  virtual std::expected<std::unique_ptr<Links>, ListenError> open_links(
      TransportOptions options, DistributionEvents& events) = 0;
  virtual std::expected<std::unique_ptr<ClientDoor>, ListenError> open_clients(
      ClientListenerOptions options, ClientEvents& events, OnNotice on_notice) = 0;
  /// What a voter remembers, beside the node's incarnation in `state_dir`.
  virtual std::unique_ptr<VoterDisk> open_voter_disk(const std::string& state_dir) = 0;
};

/// ZeroMQ, and the storage that the cluster file names.
class SystemOutside final : public NodeOutside {
 public:
  /// All outlive it, and what it opens.
  SystemOutside(const Clock& clock, Random& random, Log& log)
      : clock_(clock), random_(random), log_(log) {}

  StorageResult<StorageSet> open_storage(const StorageOptions& options) override;
  std::expected<std::unique_ptr<Links>, ListenError> open_links(
      TransportOptions options, DistributionEvents& events) override;
  std::expected<std::unique_ptr<ClientDoor>, ListenError> open_clients(
      ClientListenerOptions options, ClientEvents& events, OnNotice on_notice) override;
  std::unique_ptr<VoterDisk> open_voter_disk(const std::string& state_dir) override;

 private:
  const Clock& clock_;
  Random& random_;
  Log& log_;
};

}  // namespace coterie
