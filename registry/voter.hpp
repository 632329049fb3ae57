#pragma once
// A voter of the `voters` engine as a whole, its decisions only: the view register and, around it,
// when to propose what, whom to renew, who may join, and whether this disk may vote at all. Pure:
// events in, actions out, no clock, thread, socket or file. One owner, one thread.
//
// Save comes before what depends on it and is durable when it is carried out (VoterFile::save); if
// it fails, the voter ends.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "registry/agreement_terms.hpp"
#include "registry/view_register.hpp"
#include "registry/voter_file.hpp"
#include "registry/voter_messages.hpp"

namespace coterie {

/// Rules that tests switch off one at a time. Always all on.
struct VoterProtections {
  RegisterProtections decisions{};
  bool young_echo = true;    // P2 (V8): only who hears this voter is renewed
  bool outage_waits = true;  // P2: no majority of voters in contact makes nobody silent
  bool founding = true;      // I8: an empty disk votes only where all are empty, or a list names it
};

struct VoterOptions {
  VoterIndex self = 0;
  std::vector<std::string> voters;      // node names, in the configuration's order
  std::vector<std::string> configured;  // all of them
  LeaseTiming timing;
  std::uint64_t run = 1;  // random, never 0: names this run
  VoterProtections protections;
};

class Voter final {
 public:
  struct Save {
    VoterState state;
  };
  struct SendVoter {
    VoterIndex to = 0;
    voters::PeerMessage message;
  };
  struct SendAnswer {
    NodeId to = NodeId::none;
    voters::Answer answer;
  };
  struct Tell {
    ViewPtr view{};  // to every member; lost ones learn it from their next renewal
  };
  struct SetTimer {
    Time at;  // tick() then; replaces the earlier timer
  };
  struct Notice {
    std::string text;
  };
  using Action = std::variant<Save, SendVoter, SendAnswer, Tell, SetTimer, Notice>;
  using Actions = std::vector<Action>;

  Voter(VoterOptions options, VoterState state, Time now);

  Actions start(Time now);
  Actions tick(Time now);
  Actions receive(Time now, VoterIndex from, const voters::PeerMessage& message);
  Actions renew(Time now, const voters::Renew& renewal);
  Actions confirm_death(Time now, const Incarnation& incarnation);
  /// An operator vouches that this voter's old disk is gone for good. It votes again once so many
  /// of the others have told what they know that nothing the old one took part in is unknown.
  Actions admit(Time now);

  const ViewRegister& decisions() const noexcept { return register_; }
  bool voting() const noexcept { return voting_; }

 private:
  struct Heard {  // of a member or joiner
    voters::Renew last;
    Time at;
    bool hears_us = false;
    unsigned renewals = 0;
  };
  struct Asking {
    std::uint64_t round = 0;
    ViewChange change;
    std::set<VoterIndex> answered{};
  };
  void on(Time now, VoterIndex from, const ViewRegister::Message& message);
  void on(Time now, VoterIndex from, const voters::Ask& ask);
  void on(Time now, VoterIndex from, const voters::Would& would);
  void on(Time now, VoterIndex from, const voters::Newest& newest);
  void on(Time now, VoterIndex from, const voters::AdmitMe& ask);
  void on(Time now, VoterIndex from, const voters::Admit& told);
  void ask_admission();
  void judge_founding();
  voters::Answer judge(Time now, const voters::Renew& renewal, bool hears_us);
  voters::Answer judge_joiner(const voters::Renew& renewal);
  bool seen_alive(NodeId joiner, NodeId member);
  void judge_connectivity(Time now);
  ViewChange wishes(Time now) const;
  bool is_member(const Member& member) const;
  bool may_join(const Heard& joiner, const std::set<NodeId>& going, Time now) const;
  void judge_contact(Time now, std::optional<VoterIndex> from);
  bool silent(Time now, NodeId member) const;
  void proceed(Time now);
  void asked(Time now);
  void carry(ViewRegister::Actions actions);
  Actions finish(Time now);
  void send_newest(std::optional<VoterIndex> to, std::uint64_t answering);
  Duration jitter();

  const VoterOptions options_;
  VoterState state_;
  ViewRegister register_;
  bool voting_ = false;
  bool told_waiting_ = false;
  bool admitting_ = false;
  std::map<VoterIndex, voters::Admit> admissions_;
  std::map<VoterIndex, voters::Newest> disks_;  // of the others, told to this run

  std::map<NodeId, Heard> heard_;
  /// Joiner -> members whose life matters to it -> their renewals when it came.
  std::map<NodeId, std::map<NodeId, unsigned>> joining_;
  std::map<NodeId, Time> outside_;  // the largest connected group, since
  std::vector<Time> contact_;       // with each voter, last
  Time cut_off_ = Time::min();      // when this voter last heard no majority
  std::optional<Asking> asking_;
  std::uint64_t round_ = 0;
  Time attempt_at_ = Time::max();  // Time::max(): nothing to do
  Time give_up_at_ = Time::max();  // the proposal under way
  Time unsettled_since_ = Time::max();
  Time next_gossip_ = Time::min();
  std::uint64_t random_;
  Actions actions_;
};

}  // namespace coterie
