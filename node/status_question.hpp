#pragma once
// Asks every node of a cluster file for its status, all at the same time, and never waits longer
// than it was told: a node whose name is still being looked up, or that does not answer, is said to
// be unreachable. For one thread.

#include <memory>
#include <vector>

#include "node/config.hpp"
#include "node/status_table.hpp"
#include "transport/admission.hpp"

namespace coterie {

class StatusQuestion final {
 public:
  /// `config` outlives it; `keys` of client_keys().
  StatusQuestion(const ClusterConfig& config, Duration within, ClientKeys keys);
  StatusQuestion(const StatusQuestion&) = delete;
  StatusQuestion& operator=(const StatusQuestion&) = delete;
  ~StatusQuestion();

  std::vector<NodeAnswer> ask();
  /// Waits; not for a signal's sake.
  void pause(Duration duration);
  WallTime wall() const noexcept;

 private:
  struct Round;
  struct Surroundings;

  const ClusterConfig& config_;
  const Duration within_;
  const ClientKeys keys_;
  std::unique_ptr<Surroundings> surroundings_;
};

}  // namespace coterie
