#include "node/node_outside.hpp"

#include <utility>

#include "registry/voter_disk.hpp"
#include "transport/zmq_client_listener.hpp"
#include "transport/zmq_distribution.hpp"

namespace coterie {

StorageResult<StorageSet> SystemOutside::open_storage(const StorageOptions& options) {
  return coterie::open_storage(options);
}

std::expected<std::unique_ptr<Links>, ListenError> SystemOutside::open_links(
    TransportOptions options, DistributionEvents& events) {
  auto links = ZmqDistribution::start(std::move(options), clock_, random_, log_, events);
  if (!links) return std::unexpected(std::move(links.error()));
  return std::move(*links);
}

std::expected<std::unique_ptr<ClientDoor>, ListenError> SystemOutside::open_clients(
    ClientListenerOptions options, ClientEvents& events, OnNotice on_notice) {
  auto door = ClientListener::open(std::move(options), clock_, log_, events, std::move(on_notice));
  if (!door) return std::unexpected(std::move(door.error()));
  return std::move(*door);
}

std::unique_ptr<VoterDisk> SystemOutside::open_voter_disk(const std::string& state_dir) {
  return std::make_unique<FileVoterDisk>(state_dir);
}

}  // namespace coterie
