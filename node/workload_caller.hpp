#pragma once
// The port from the driver of a workload to a cluster: requests over a few connections, answered
// later. ClusterCaller is the real one.

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <coterie/call_error.hpp>
#include <coterie/workload.hpp>

#include "node/config.hpp"
#include "process/ports/executor.hpp"
#include "process/ports/random.hpp"
#include "transport/client.hpp"

namespace coterie {

/// A workload's call as a client sends it.
Client::Request request_of(WorkloadCall call, std::string request_id, Duration timeout);

class WorkloadCaller {
 public:
  using Answer = std::expected<Bytes, CallError>;
  using Done = std::move_only_function<void(Answer)>;

  WorkloadCaller() = default;
  WorkloadCaller(const WorkloadCaller&) = delete;
  WorkloadCaller& operator=(const WorkloadCaller&) = delete;
  virtual ~WorkloadCaller() = default;

  virtual std::size_t connections() const = 0;
  virtual bool connected(std::size_t connection) const = 0;
  /// `done` is called once, on any thread, by `timeout` or a little later; it does not block.
  virtual void submit(std::size_t connection, WorkloadCall call, std::string request_id,
                      Duration timeout, Done done) = 0;
};

/// One connection through each of some nodes. While that node is away its connection goes to
/// another, so that none is idle as long as any of them can be reached. Thread-safe.
class ClusterCaller final : public WorkloadCaller {
 public:
  /// Waits for the first answer on each. Empty `nodes`: all that take clients. The error is a line.
  static std::expected<std::unique_ptr<ClusterCaller>, std::string> connect(
      const ClusterConfig& config, std::span<const std::string> nodes, const Clock& clock,
      Random& random);
  /// Ends what is under way.
  ~ClusterCaller() override;

  std::size_t connections() const override { return clients_.size(); }
  bool connected(std::size_t connection) const override;
  void submit(std::size_t connection, WorkloadCall call, std::string request_id, Duration timeout,
              Done done) override;

 private:
  explicit ClusterCaller(std::vector<std::unique_ptr<Client>> clients);

  std::vector<std::unique_ptr<Client>> clients_;
};

/// One call, tried again over other connections until it is answered. Blocks.
WorkloadCaller::Answer call_until(WorkloadCaller& caller, Executor& executor, const Clock& clock,
                                  const WorkloadCall& call, const std::string& request_id,
                                  Duration timeout);

}  // namespace coterie
