#pragma once
// A whole cluster with the `voters` engine in one thread on virtual time: members, voters and their
// disks, over a network that loses, doubles, delays and cuts one way, under faults drawn from a
// seed. The checkers watch every view that is told and every lease; what they find wrong is kept as
// text. Deterministic: one seed, one run.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "registry/voter.hpp"
#include "registry/voter_member.hpp"

namespace coterie::testing {

using namespace std::chrono_literals;

/// Each fault a probability or a mean time between two; zero switches it off.
struct VoterFaults {
  double lost = 0.0;
  double doubled = 0.0;
  Duration delay_max = 10ms;
  double slow = 0.0;  // share of messages that take up to 3 s
  double drift = 0.0;
  Duration crash_every = {};
  Duration pause_every = {};  // of up to 5 s of one node
  Duration cut_every = {};    // one direction between two nodes, up to 5 s
  Duration split_every = {};  // into two groups, up to 5 s
  Duration leave_every = {};
  Duration twin_every = {};
  double guardian = 0.0;      // a death is confirmed to each voter
  double counter_kept = 0.0;  // a restart that forgets to raise its counter
};

class VoterSim {
 public:
  struct Node {
    std::string name;
    std::size_t place = 0;  // among the names; the first are voters
    Incarnation incarnation;
    std::unique_ptr<VoterMember> member;
    std::unique_ptr<Voter> voter;
    bool alive = true;
    double rate = 1.0;
    Duration offset{};
    Duration paused_until{};
    Duration member_timer = Duration::max(), voter_timer = Duration::max();
    Time lease_end = Time::min();
    NodeState state = NodeState::joining;
    ViewPtr view;
    std::optional<Departure> departure;
    std::vector<std::string> notices;
    std::vector<std::function<void()>> held;  // while paused
  };
  using NodePtr = std::shared_ptr<Node>;

  VoterSim(std::uint64_t seed, std::size_t nodes, std::size_t voters, VoterFaults faults = {},
           VoterProtections protections = {}, LeaseProtections lease_protections = {});

  /// Faults for `busy`, then none, until everybody agrees (a violation if that takes too long).
  void run(Duration busy);

  // Steps by hand, for directed tests.
  NodePtr start(const std::string& name, std::uint64_t counter, bool predecessor_dead = false,
                std::string digest = "digest");
  /// A voter that is no member.
  NodePtr start_witness(const std::string& name);
  void run_until(Duration end);
  void run_for(Duration time) { run_until(now_ + time); }
  void crash(const NodePtr& node, bool confirmed = false);
  void cut(const std::string& from, const std::string& to, Duration until);
  void lose_disk(const std::string& name) { disks_.erase(name); }
  void leave(const NodePtr& node);
  void drain(const NodePtr& node);
  NodePtr live(const std::string& name) const;
  bool gate_open(const Node& node) const;
  bool all_agree() const;
  Duration now() const { return now_; }
  const View& last_view() const { return last_view_; }

  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t removals = 0, freezes = 0, thaws = 0, saves = 0;
  std::uint64_t digest = 14695981039346656037ull;  // of everything that happened

 private:
  struct Entry {
    Duration when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Entry& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  NodePtr make(const std::string& name, std::uint64_t counter, bool predecessor_dead,
               std::string digest_of_config);
  void at(Duration when, std::function<void()> what);
  Time local(const Node& node) const;
  Duration real(const Node& node, Time local_time) const;
  void deliver(const NodePtr& node, std::function<void()> what);
  void send(const Node& from, const std::string& to, std::function<void(const NodePtr&)> what);
  void carry_out(const NodePtr& node, VoterMember::Actions actions);
  void carry_out(const NodePtr& node, Voter::Actions actions);
  void told(const ViewPtr& view);
  void lease_changed(const Node& node);
  void restart_later(const Node& node);
  void plan(Duration mean, std::function<void()> fault);
  void plan_faults();
  NodePtr any_live();
  double chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  Duration between(Duration low, Duration high);
  void violation(const std::string& what);
  void note(std::uint64_t value) { digest = (digest ^ value) * 1099511628211ull; }

  Duration now_{};
  Duration faults_end_{};
  VoterFaults faults_;
  VoterProtections protections_;
  LeaseProtections lease_protections_;
  std::mt19937_64 random_;
  std::vector<std::string> names_;
  std::size_t voters_;
  std::vector<NodePtr> nodes_;  // live ones
  std::map<std::string, VoterState> disks_;
  std::map<std::pair<std::string, std::string>, Duration> cuts_;
  std::priority_queue<Entry> queue_;
  std::uint64_t order_ = 0;
  View last_view_;
  std::map<std::uint64_t, ViewPtr> views_;  // by number
  std::map<std::string, std::uint64_t> highest_counter_;
  std::set<NodeId> removed_;
  std::vector<std::string> violations_;
};

}  // namespace coterie::testing
