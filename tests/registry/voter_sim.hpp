#pragma once
// A whole cluster with the `voters` engine in one thread on virtual time: members, voters and their
// disks, over a network that loses, doubles, delays and cuts one way, under faults drawn from a
// seed. The checkers watch every view that is told and every lease; what they find wrong is kept as
// text. Deterministic: one seed, one run.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "registry/voter.hpp"
#include "registry/voter_member.hpp"
#include "tests/registry/drawn_world.hpp"

namespace coterie::testing {

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

struct VoterSimNode : DrawnNode {
  std::size_t place = 0;  // among the names; the first are voters
  std::unique_ptr<VoterMember> member;
  std::unique_ptr<Voter> voter;
  Duration member_timer = Duration::max(), voter_timer = Duration::max();
  std::vector<std::string> notices;
};

class VoterSim : public DrawnWorld<VoterSimNode> {
 public:
  using Node = VoterSimNode;

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
  using DrawnWorld::live;
  Duration now() const { return now_; }
  const View& last_view() const { return last_view_; }

  std::uint64_t removals = 0, saves = 0;

 private:
  NodePtr make(const std::string& name, std::uint64_t counter, bool predecessor_dead,
               std::string digest_of_config);
  void send(const Node& from, const std::string& to, std::function<void(const NodePtr&)> what);
  void carry_out(const NodePtr& node, VoterMember::Actions actions);
  void carry_out(const NodePtr& node, Voter::Actions actions);
  void told(const ViewPtr& view);
  void lease_changed(const Node& node);
  void restart_later(const Node& node);
  void plan_faults();

  VoterFaults faults_;
  VoterProtections protections_;
  LeaseProtections lease_protections_;
  std::vector<std::string> names_;
  std::size_t voters_;
  std::map<std::string, VoterState> disks_;
  std::map<std::pair<std::string, std::string>, Duration> cuts_;
  std::map<std::uint64_t, ViewPtr> views_;  // by number
  std::set<NodeId> removed_;
};

}  // namespace coterie::testing
