#pragma once
// N instances as pure cores over one model store, on virtual time, with faults drawn from a seed:
// nodes that crash and come back, views seen late, storage that fails before or after a commit,
// reads that are old when they arrive, starts that fail, children that crash. Checks at each step
// that no child runs twice.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "process/seeded_random.hpp"
#include "supervision/cluster_core.hpp"

namespace coterie::test {

/// Rendezvous order by a hash; every member hosts every kind.
class ModelPlacement final : public Placement {
 public:
  std::vector<std::string> homes(const View& view, std::string_view kind,
                                 std::string_view key) const override;
};

struct ModelFaults {
  unsigned storage_lost_percent = 0;  // answers lost; half of those commits applied, some later
  unsigned start_fails_percent = 0;
  unsigned child_crash_percent = 0;  // per step and node: one of its children
  unsigned node_crash_permille = 0;  // per step
  unsigned drain_permille = 0;
  unsigned requests_percent = 20;
  int steps = 400;
};

class ModelCluster {
 public:
  ModelCluster(std::uint64_t seed, std::size_t nodes, ModelFaults faults,
               detail::ClusterCore::Mutations mutations = {});

  /// Plays the faults, then lets everything settle. Empty: all held; else what broke, with its
  /// time.
  std::string run();

  // For directed tests.
  std::size_t rows_per_page = 3;
  void boot(const std::string& name);
  void crash(const std::string& name, bool leave_view = true);
  void drain(const std::string& name);
  void settle(Duration time);
  void install_view(const std::string& at);
  detail::RequestId start(const std::string& at, const std::string& key,
                          Restart restart = Restart::permanent,
                          OnNodeDown down = OnNodeDown::failover);
  detail::RequestId terminate(const std::string& at, const std::string& key);
  void child_exit(const std::string& key, ExitReason reason);
  void report_death(const std::string& dead, std::vector<std::string> running);
  std::optional<ChildResult<Pid>> answer(detail::RequestId id) const;
  /// Node that runs the key; empty: none.
  std::string runs_on(const std::string& key) const;
  std::optional<detail::SpecRow> row(const std::string& key) const;
  ClusterStatus status(const std::string& node) const;
  detail::ClusterCore& core(const std::string& node) { return *nodes_.at(node).core; }
  void fail_starts(const std::string& node, bool on) { nodes_.at(node).starts_fail = on; }
  void storage(bool up) { storage_up_ = up; }
  std::size_t running() const { return processes_.size(); }
  const std::string& broken() const { return broken_; }
  std::size_t commits() const { return commits_; }
  bool escalated(const std::string& node) const { return nodes_.at(node).escalations > 0; }

 private:
  struct Node {
    std::string name;
    Incarnation incarnation;
    bool up = false;
    bool starts_fail = false;
    bool draining = false;
    int escalations = 0;
    std::uint64_t seen_view = 0;
    std::unique_ptr<detail::ClusterCore> core;
  };
  struct Later {
    Time at;
    std::uint64_t order;
    std::string node;
    NodeId incarnation;  // none: happens even if the node is gone; else dropped then
    std::function<void(Node&)> run;
    bool operator<(const Later& other) const {
      return std::tie(at, order) < std::tie(other.at, other.order);
    }
  };
  struct StoredRow {
    std::uint64_t version;
    Bytes value;
  };

  void perform(Node& node);
  void act(Node& node, detail::Action&& action);
  detail::RowResult apply(const detail::RowWrite& write);
  std::vector<detail::FoundRow> read(const std::vector<std::string>& keys) const;
  detail::FoundRows read_page(const std::string& after) const;
  void later(Node& node, Duration delay, std::function<void(Node&)> run);
  void advance(Time to);
  void new_view();
  void step_faults();
  bool chance(unsigned percent) { return random_.below(100) < percent; }
  void fail(std::string what);
  std::string check_end() const;

  SeededRandom random_;
  ModelPlacement placement_;
  ModelFaults faults_;
  detail::ClusterCore::Mutations mutations_;
  std::map<std::string, Node> nodes_;
  std::map<std::string, StoredRow> store_;
  std::uint64_t version_ = 0;
  // Lost commits that may still take effect while their writer lives (docs/supervision.md).
  std::vector<std::pair<NodeId, detail::RowWrite>> ghosts_;
  std::shared_ptr<const View> view_ = std::make_shared<const View>();
  std::set<Later> events_;
  Time now_{};
  std::uint64_t order_ = 0, next_incarnation_ = 0, next_serial_ = 0;
  bool storage_up_ = true;
  bool calm_ = false;  // faults are over
  struct Running {
    NodeId node;
    std::string name;
    std::uint64_t serial;
  };
  std::map<std::string, Running> processes_;
  std::map<detail::RequestId, ChildResult<Pid>> answers_;
  std::map<detail::RequestId, std::string> asked_;
  std::set<std::string> deleted_;  // terminate_child was acknowledged, nobody started it since
  std::map<std::string, int> starts_open_;
  std::set<std::string> acked_;  // start_child was acknowledged
  detail::RequestId next_request_ = 0;
  std::size_t commits_ = 0;
  std::string broken_;
};

}  // namespace coterie::test
