#pragma once
// A node's own part in the `voters` engine, its decisions only: it renews its lease with all
// voters, joins, installs the views it is told, freezes when the majority's promises run out, and
// leaves. Every node has one, also those that vote. Pure: events in, actions out. One owner, one
// thread.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "registry/agreement_terms.hpp"
#include "registry/voter_lease.hpp"
#include "registry/voter_messages.hpp"

namespace coterie {

struct VoterMemberOptions {
  Member self;                      // `since` is filled in
  std::string config_digest;        // of the keys that must be the same everywhere
  std::vector<std::string> voters;  // node names, in the configuration's order
  LeaseTiming timing;
  /// The lock on the state directory proves that no older run of this node lives.
  bool predecessor_dead = false;
  LeaseProtections protections;
};

class VoterMember final : public AgreementActions {
 public:
  struct SendRenewal {
    VoterIndex to = 0;
    voters::Renew renewal;
  };
  using Action =
      std::variant<SendRenewal, InstallView, SetLeaseEnd, ChangeState, SetTimer, Depart, Notice>;
  using Actions = std::vector<Action>;

  explicit VoterMember(VoterMemberOptions options);

  Actions start(Time now);
  Actions tick(Time now);
  Actions answered(Time now, VoterIndex voter, const voters::Answer& answer);
  /// A chosen view that a voter tells.
  Actions told(Time now, const ViewPtr& view);
  Actions heard(Time now, std::set<std::string> members);
  /// Another node knows that incarnations up to `counter` are dead.
  Actions refused_as_dead(Time now, std::uint64_t counter);
  Actions drain(Time now);
  Actions leave(Time now);

  NodeState state() const noexcept { return state_; }
  Time lease_end() const noexcept { return lease_end_; }

 private:
  struct VoterHeard {
    voters::Echo echo;
    Time at = Time::min();
  };

  void send_renewals(Time now);
  void learn(Time now, const ViewPtr& view);
  void follow_lease(Time now);
  void check_state(Time now);
  void enter(NodeState state, std::string why);
  void set_lease(Time end);
  void depart(Departure departure);
  bool hears_majority(Time now) const;
  std::string voters_heard(Time now) const;
  Actions finish(Time now);

  const VoterMemberOptions options_;
  VoterLease lease_;
  std::vector<VoterHeard> voters_;
  std::map<std::uint64_t, Time> sent_;  // renewals of the last L
  std::uint64_t number_ = 0;
  ViewPtr view_;  // the newest one told
  NodeState state_ = NodeState::joining;
  Time lease_end_ = Time::min();
  Time next_renewal_ = Time::min();
  bool started_ = false, member_ = false, departed_ = false;
  bool leaving_ = false, draining_ = false;
  std::optional<std::set<std::string>> heard_;
  Actions actions_;
};

}  // namespace coterie
