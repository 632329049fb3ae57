#pragma once
// A whole cluster of agreement cores in one thread on virtual time, sharing one model store, under
// faults drawn from a seed. The checkers watch every commit and every action; what they find
// wrong is kept as text. Deterministic: one seed, one run.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "registry/store_agreement.hpp"
#include "tests/registry/drawn_world.hpp"
#include "tests/registry/model_store.hpp"

namespace coterie::testing {

/// Each fault a probability or a duration; zero switches it off.
struct Faults {
  double request_lost = 0.0;   // a statement never reaches the store
  double answer_lost = 0.0;    // it does, the answer never comes
  double applied_late = 0.0;   // it is answered `unavailable` and takes effect later
  Duration delay_max = 10ms;   // of each statement and each answer, usually
  double slow = 0.0;           // share of statements that take up to a second
  double drift = 0.0;          // share of nodes whose clock is wrong by up to rho
  Duration crash_every = {};   // mean time between crashes
  Duration pause_every = {};   // ... pauses of up to 5 s of one node
  Duration outage_every = {};  // ... outages of the store for all, 0.3 to 5 s
  Duration cut_every = {};     // ... outages of the store for one node
  Duration leave_every = {};   // ... a node drains and leaves
  Duration twin_every = {};    // ... a second process with a live node's name starts
  double guardian = 0.0;       // a death is confirmed to each survivor
  double counter_kept = 0.0;   // a restart that forgets to raise its counter
  Duration starts = 300ms;     // all nodes start within
};

struct ClusterSimNode : DrawnNode {
  std::unique_ptr<StoreAgreement> core;
  Duration cut_until{};
  Duration timer = Duration::max();  // real time
};

class ClusterSim : public DrawnWorld<ClusterSimNode> {
 public:
  using Node = ClusterSimNode;

  ClusterSim(std::uint64_t seed, int nodes, Faults faults, Protections protections = {});
  virtual ~ClusterSim() = default;

  /// Faults for `busy`, then none, until everybody agrees (a violation if that takes too long).
  void run(Duration busy);
  /// Without faults: when everybody agrees for the first time; none: not before `limit`.
  std::optional<Duration> agreed_within(Duration limit);

  std::uint64_t views_agreed() const { return last_view_.number; }
  std::uint64_t removals_by_silence = 0, removals_confirmed = 0;
  std::uint64_t commits = 0, refused = 0;  // of the store

 protected:
  // For simulations that run more than agreement on each node.
  virtual void node_started(const NodePtr&) {}
  virtual void view_installed(const NodePtr&) {}
  virtual void lease_changed(const NodePtr&) {}
  virtual void node_ended(const NodePtr&) {}

  /// A statement by `node` at `store`: `execute` runs there, `answer` at the node; both once at
  /// most, `answer(false)` if it was lost or refused.
  void statement(const NodePtr& node, std::function<void()> execute,
                 std::function<void(bool)> answer);
  void hint(const NodePtr& node) { step(node, StoreAgreement::Hint{}); }

  Faults faults_;

 private:
  void start(const std::string& name, std::uint64_t counter, bool predecessor_dead);
  void step(const NodePtr& node, const StoreAgreement::Event& event);
  void carry_out(const NodePtr& node, StoreAgreement::Action& action);
  void crash(const NodePtr& node);
  void restart_later(const Node& node);
  void plan_faults();
  void committed(const Node& author, const Transaction& transaction);

  Protections protections_;
  ModelStore store_;
  const Node* author_ = nullptr;
  Duration outage_until_{};
  Duration outage_since_{};
  Duration last_long_outage_end_ = -1h;
  std::map<std::string, std::uint64_t> highest_in_view_;  // ever added
  std::map<std::uint64_t, Duration> removed_;             // id -> when
  std::set<std::uint64_t> confirmed_;                     // ids whose guardian reported
};

}  // namespace coterie::testing
