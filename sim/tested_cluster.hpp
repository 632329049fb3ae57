#pragma once
// The port from a failover test to the cluster that it plays with: real processes (RealCluster) or
// a simulated one (SimTestedCluster). Used by one thread; where a function blocks it says so.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "journal/open_storage.hpp"
#include "node/config.hpp"
#include "sim/failover_director.hpp"
#include "transport/client.hpp"

namespace coterie::sim {

/// A connection to one node. `done` is called once.
class NodeClient {
 public:
  NodeClient() = default;
  NodeClient(const NodeClient&) = delete;
  NodeClient& operator=(const NodeClient&) = delete;
  virtual ~NodeClient() = default;
  virtual void submit(Client::Request request, Client::Done done) = 0;
};

class TestedCluster {
 public:
  template <class T>
  using Result = std::expected<T, std::string>;  // one line for people

  TestedCluster() = default;
  TestedCluster(const TestedCluster&) = delete;
  TestedCluster& operator=(const TestedCluster&) = delete;
  virtual ~TestedCluster() = default;

  virtual const ClusterConfig& config() const = 0;
  virtual Result<void> start(const std::string& node) = 0;
  /// Returns at once; the effect follows.
  virtual Result<void> perform(const Deed& deed) = 0;

  /// The node's guardian runs.
  virtual bool started(const std::string& node) = 0;
  /// A number of the node's program, if it runs: another one for each run.
  virtual std::optional<std::int64_t> program(const std::string& node) = 0;
  /// How the guardian of a node that is down ended.
  virtual std::optional<int> exit_code(const std::string& node) = 0;
  virtual std::string log_tail(const std::string& node, std::size_t lines) const = 0;

  /// Until every one of `nodes` is active and sees all of them as connected members. Blocks.
  virtual Result<void> wait_active(std::span<const std::string> nodes, Duration timeout) = 0;
  /// To a node that runs. Blocks for at most `timeout`.
  virtual Result<std::unique_ptr<NodeClient>> connect(const std::string& node,
                                                      Duration timeout) = 0;
  /// Lets all leave, and kills what is left after `timeout`. Blocks.
  virtual Result<void> stop_all(Duration timeout) = 0;
  /// Its storage, to be read when it has stopped. Blocks.
  virtual StorageResult<StorageSet> open_storage() = 0;
};

}  // namespace coterie::sim
