#pragma once
// A whole simulated cluster: a host for each node of a cluster file, one store, one network, one
// world. The nodes' code is the real one (node/node_parts.hpp); what is around them is simulated.
// What a checker finds wrong stands in violations(). Single-threaded.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/sim_host.hpp"

namespace coterie::sim {

/// Something that a checker saw, with the moment of the world.
struct SimViolation {
  Time at{};
  std::string text;  // begins with the invariant: "I1 ..."
};

class SimCluster {
 public:
  /// Starts nothing. All outlive it.
  SimCluster(SimWorld& world, const ClusterConfig& config, std::vector<Application> applications);
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;
  /// Kills what runs and lets it unwind.
  ~SimCluster();

  SimWorld& world() noexcept { return world_; }
  const ClusterConfig& config() const noexcept { return config_; }
  SimHost& host(const std::string& node) { return *hosts_.at(node); }
  SimLinks& links() noexcept { return links_; }
  SimDoors& doors() noexcept { return doors_; }
  SimStore& store() noexcept { return store_; }
  SimOwners& owners() noexcept { return owners_; }
  SimViews& views() noexcept { return views_; }
  /// Clocks have left the bound that I1 rests on: from now on only effects are judged.
  void clocks_lie() {
    owners_.clocks_lie();
    views_.clocks_lie();
    if (!clocks_left_) clocks_left_ = world_.now();
  }
  /// Since when, if they have.
  std::optional<Time> clocks_left() const noexcept { return clocks_left_; }
  /// Of nodes that start from now on.
  NodeProtections& protections() noexcept { return around_.protections; }
  /// Likewise; outlives the nodes.
  void set_rare(RarePaths* rare) noexcept { around_.rare = rare; }

  /// Every one of `nodes` holds a lease in a view of exactly them, and is connected with them all.
  bool whole(std::span<const std::string> nodes) const;
  /// Names of strict processes of `kind` on that node that are alive now.
  std::vector<std::string> running(const std::string& node, const std::string& kind) const;

  /// Strict names, rows of the store or in the members' directories, that a living node holds and
  /// no process of it has, each with its version or epoch. For a moment that is so of each name
  /// that is given back.
  std::vector<std::string> held_by_nobody();
  /// Whether that incarnation runs without that process.
  bool ended(const Pid& pid);

  /// Asked often: whether anything holds more than its bound (I10).
  void judge_bounds();
  std::uint64_t effects() const noexcept { return around_.effects; }

  const std::vector<SimViolation>& violations() const noexcept { return violations_; }
  void violation(std::string text);
  /// Lines of the nodes' logs, as they come: for a person who reads a run.
  std::function<void(Time at, const std::string& node, const LogRecord& record)> on_log;

 private:
  SimWorld& world_;
  const ClusterConfig& config_;
  const std::vector<Application> applications_;
  std::vector<SimViolation> violations_;
  SimLinks links_;
  SimDoors doors_;
  SimStore store_;
  SimOwners owners_;
  SimViews views_;
  SimSurroundings around_;
  std::uint64_t runs_ = 0;
  std::optional<Time> clocks_left_;
  Time judged_at_{};
  std::map<std::string, std::unique_ptr<SimHost>> hosts_;
};

}  // namespace coterie::sim
