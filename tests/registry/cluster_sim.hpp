#pragma once
// A whole cluster of agreement cores in one thread on virtual time, sharing one model store, under
// faults drawn from a seed. The checkers watch every commit and every action; what they find
// wrong is kept as text. Deterministic: one seed, one run.

#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "registry/store_agreement.hpp"
#include "tests/registry/model_store.hpp"

namespace coterie::testing {

using namespace std::chrono_literals;

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
};

class ClusterSim {
 public:
  ClusterSim(std::uint64_t seed, int nodes, Faults faults, Protections protections = {});
  virtual ~ClusterSim() = default;

  /// Faults for `busy`, then none, until everybody agrees (a violation if that takes too long).
  void run(Duration busy);

  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t views_agreed() const { return last_view_.number; }
  std::uint64_t removals_by_silence = 0, removals_confirmed = 0, freezes = 0, thaws = 0;
  std::uint64_t digest = 14695981039346656037ull;  // of everything that happened

 protected:
  struct Node {
    std::string name;
    Incarnation incarnation;
    std::unique_ptr<StoreAgreement> core;
    bool alive = true;  // the process runs (perhaps paused)
    double rate = 1.0;  // of its clock
    Duration offset{};
    Duration paused_until{};
    Duration cut_until{};
    Duration timer = Duration::max();  // real time
    Time lease_end = Time::min();
    NodeState state = NodeState::joining;
    std::shared_ptr<const View> view;
    std::optional<Departure> departure;
    std::vector<std::function<void()>> held;  // while paused
  };

  // For simulations that run more than agreement on each node.
  using NodePtr = std::shared_ptr<Node>;
  virtual void node_started(const NodePtr&) {}
  virtual void view_installed(const NodePtr&) {}
  virtual void lease_changed(const NodePtr&) {}
  virtual void node_ended(const NodePtr&) {}

  void at(Duration when, std::function<void()> what);
  Time local(const Node& node) const;
  Duration real(const Node& node, Time local_time) const;
  bool gate_open(const Node& node) const;
  void deliver(const std::shared_ptr<Node>& node, std::function<void()> what);
  /// A statement by `node` at `store`: `execute` runs there, `answer` at the node; both once at
  /// most, `answer(false)` if it was lost or refused.
  void statement(const std::shared_ptr<Node>& node, std::function<void()> execute,
                 std::function<void(bool)> answer);
  void hint(const NodePtr& node) { step(node, StoreAgreement::Hint{}); }
  /// The next event, if it is due before `limit`.
  bool step_until(Duration limit);
  double chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  Duration between(Duration low, Duration high);
  void violation(const std::string& what);
  void note(std::uint64_t value);

  Duration now_{};
  Duration faults_end_{};
  Faults faults_;
  std::mt19937_64 random_;
  std::vector<std::shared_ptr<Node>> nodes_;  // every incarnation ever, live ones last
  View last_view_;

 private:
  struct Entry {
    Duration when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Entry& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  void start(const std::string& name, std::uint64_t counter, bool predecessor_dead);
  void step(const std::shared_ptr<Node>& node, const StoreAgreement::Event& event);
  void carry_out(const std::shared_ptr<Node>& node, StoreAgreement::Action& action);
  void crash(const std::shared_ptr<Node>& node);
  void restart_later(const Node& node);
  void plan(Duration mean, std::function<void()> fault);
  void plan_faults();
  void committed(const Node& author, const Transaction& transaction);
  std::shared_ptr<Node> any_live();
  bool all_agree() const;
  void step_world();

  Protections protections_;
  ModelStore store_;
  const Node* author_ = nullptr;
  std::priority_queue<Entry> queue_;
  std::uint64_t order_ = 0;
  Duration outage_until_{};
  Duration outage_since_{};
  Duration last_long_outage_end_ = -1h;
  std::map<std::string, std::uint64_t> highest_counter_;  // started
  std::map<std::string, std::uint64_t> highest_in_view_;  // ever added
  std::map<std::uint64_t, Duration> removed_;             // id -> when
  std::set<std::uint64_t> confirmed_;                     // ids whose guardian reported
  std::vector<std::string> violations_;
};

}  // namespace coterie::testing
