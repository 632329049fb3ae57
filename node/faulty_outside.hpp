#pragma once
// The outside of a real node whose disk, vote and names have the faults of a FaultPage: for
// failover tests. The faults are put between the node and what it opens, so they need no
// privileges and look the same to it whatever the storage is; SQLite, PostgreSQL and the file
// system themselves stay well.

#include <string>

#include "node/fault_page.hpp"
#include "node/node_outside.hpp"
#include "process/ports/callback_watch.hpp"

namespace coterie {

class FaultyOutside final : public NodeOutside {
 public:
  /// All outlive it, and what it opens.
  FaultyOutside(NodeOutside& inner, const FaultPage& page, std::string node, const Clock& clock)
      : inner_(inner), page_(page), node_(std::move(node)), clock_(clock) {}

  StorageResult<StorageSet> open_storage(const StorageOptions& options) override;
  std::expected<std::unique_ptr<Links>, ListenError> open_links(
      TransportOptions options, DistributionEvents& events) override {
    return inner_.open_links(std::move(options), events);
  }
  std::expected<std::unique_ptr<ClientDoor>, ListenError> open_clients(
      ClientListenerOptions options, ClientEvents& events, OnNotice on_notice) override {
    return inner_.open_clients(std::move(options), events, std::move(on_notice));
  }
  std::unique_ptr<VoterDisk> open_voter_disk(const std::string& state_dir) override;

 private:
  NodeOutside& inner_;
  const FaultPage& page_;
  const std::string node_;
  const Clock& clock_;
};

/// Dies by SIGSEGV where a poisonous name's callback begins, as a wild pointer in it would.
class PoisonWatch final : public CallbackWatch {
 public:
  explicit PoisonWatch(FaultPage& page) : page_(page) {}
  void enter(unsigned worker, std::string_view name) noexcept override;
  void leave(unsigned) noexcept override {}

 private:
  FaultPage& page_;
};

}  // namespace coterie
