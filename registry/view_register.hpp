#pragma once
// One voter of the `voters` engine, its decisions only: the consensus register that holds the
// cluster's view (CASPaxos, arXiv 1802.07000: a value that is replaced whole, so no log), and the
// voter's promises to members, on which their leases rest. docs/failover.md gives the rules V1 to
// V8 by their names. A copyable value that reads no clock, thread, socket or file; one owner, one
// thread. Incarnations go by their random id here. It decides what is safe; when to propose is its
// owner's affair (registry/voter.hpp).
//
//   for (Action& action : voter.receive(now, from, message)) carry_out(action);   // in order
//
// Save is carried out, durably, before the actions behind it: what a voter answers it has written.
// A Save that fails ends the voter. Any message may be lost, doubled, delayed or overtaken.

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "process/ports/agreement.hpp"

namespace coterie {

using ViewPtr = std::shared_ptr<const View>;
using VoterIndex = std::uint32_t;  // position in the configured list of voters, from 0

/// The number of one attempt to replace the view; no two voters share one. Counter 0: none.
struct Ballot {
  std::uint64_t counter = 0;
  VoterIndex voter = 0;
  friend auto operator<=>(const Ballot&, const Ballot&) = default;
};
std::string to_string(const Ballot& ballot);  // "3.b": counter and voter

/// What a voter must never forget. A voter without it does not vote.
struct VoterRecord {
  Ballot promised;           // takes part in nothing lower
  Ballot accepted;           // of `view`
  ViewPtr view;              // null: none accepted yet
  Duration longest_lease{};  // ever granted: for so long a restarted voter keeps all promises
  friend bool operator==(const VoterRecord& a, const VoterRecord& b);
};

/// Rules that tests switch off one at a time, to show that a checker notices. Always all on. Beside
/// each: the invariant of docs/failover.md that breaks without it.
struct RegisterProtections {
  bool ballot_order = true;       // I8: takes part in no ballot lower than one promised
  bool promise_saved = true;      // I8: a promise is written before it is told
  bool vote_saved = true;         // I8: so is a vote
  bool save_first = true;         // I8: ... and before, not after
  bool highest_accepted = true;   // I8: builds upon the accepted view of the highest ballot
  bool accept_unchanged = true;   // I8: also an unchanged view is voted for before it is told
  bool majorities = true;         // I8: any two quorums share a voter
  bool answers_by_voter = true;   // I8: a doubled answer counts once
  bool answers_by_ballot = true;  // I8: an answer to an earlier ballot counts for nothing
  bool chosen_only = true;        // I8: only what a majority voted for is told
  bool number_grows = true;       // I8: a changed view has the next number
  bool never_back = true;         // I8: an older chosen view replaces no newer vote
  bool adopts_late = true;        // I1: an older chosen view waits for the promises that it breaks
  bool tombstones = true;         // I8 (V4): who was removed is not added again
  bool promises_kept = true;      // I1 (V2): no vote for a view that breaks a promise
  bool members_only = true;       // I1 (V3): promises only to members of the view voted for
  bool restart_promises = true;   // I1 (V5): a restart forgets no promise
  bool longest_kept = true;       // I1 (V5): ... however long the lease was that it granted
};

struct RegisterOptions {
  VoterIndex self = 0;
  std::size_t voters = 1;
  Duration lease = std::chrono::seconds(2);        // L
  Duration hold = std::chrono::milliseconds(400);  // no renewals of a candidate (V7)
  RegisterProtections protections{};
};

/// What a proposal wishes to change. Empty: only to complete what may be half done (V6).
struct ViewChange {
  std::vector<Member> joins{};     // `since` is filled in
  std::vector<NodeId> removals{};  // silent or dead; removed if expired at a whole quorum
  std::vector<NodeId> dead{};      // proven: their promises are over
  std::vector<NodeId> draining{};
  std::string config_digest{};  // of the joiners; empty: unchanged
};

/// `base` changed as wished; `base` itself if nothing changes. `expired`: of `removals`. Pure.
ViewPtr next_view(const ViewPtr& base, const ViewChange& change, const std::set<NodeId>& expired,
                  const RegisterProtections& protections);

class ViewRegister final {
 public:
  // Messages between voters.
  struct Prepare {
    Ballot ballot;
    std::vector<NodeId> candidates{};  // for removal
    std::vector<NodeId> dead{};
  };
  struct Promised {
    Ballot ballot;
    Ballot accepted;
    ViewPtr view{};
    std::vector<NodeId> expired{};  // of the candidates, with this voter
  };
  struct Accept {
    Ballot ballot;
    ViewPtr view{};
  };
  struct Accepted {
    Ballot ballot;
  };
  struct Refused {
    Ballot ballot;           // the one refused
    Ballot promised;         // greater: the reason; else a promise to a member is
    Duration retry_after{};  // then it is over
  };
  struct Chosen {
    Ballot ballot;
    ViewPtr view{};
  };
  using Message = std::variant<Prepare, Promised, Accept, Accepted, Refused, Chosen>;

  // Actions, to be carried out in order.
  struct Save {
    VoterRecord record;
  };
  struct Send {
    VoterIndex to = 0;
    Message message;
  };
  struct Learn {
    ViewPtr view{};  // chosen: tell the members
  };
  using Action = std::variant<Save, Send, Learn>;
  using Actions = std::vector<Action>;

  /// What a renewal comes to: an extended promise, or why not.
  struct Grant {
    enum class Kind : std::uint8_t {
      granted,
      not_member,  // not in the view that this voter voted for (V3)
      held,        // its removal is under way (V7)
      dead,
    };
    Kind kind = Kind::not_member;
    Duration length{};  // granted: from the moment when the renewal was sent
  };

  /// A voter that starts at `now` with what it wrote before; a new one with a fresh record.
  ViewRegister(RegisterOptions options, VoterRecord record, Time now);

  /// To be carried out before anything else.
  Actions start();
  /// Gives up the proposal under way, if any, and starts one with a greater ballot.
  Actions propose(Time now, ViewChange change);
  Actions receive(Time now, VoterIndex from, const Message& message);
  Grant renew(Time now, NodeId incarnation);
  /// Proven: nothing of that incarnation runs or will. Bounded memory of the last 1024.
  void confirm_death(NodeId incarnation);
  void abandon() { round_.reset(); }

  const VoterRecord& record() const noexcept { return record_; }
  bool proposing() const noexcept { return round_.has_value(); }
  /// The newest view known to be chosen; null: none yet.
  const ViewPtr& chosen() const noexcept { return chosen_; }
  const Ballot& chosen_ballot() const noexcept { return chosen_ballot_; }
  /// What it voted for is known to be chosen; else somebody should complete it (V6).
  bool settled() const noexcept { return chosen_ballot_ >= record_.accepted; }
  /// Whether no promise of this voter keeps the incarnation in the view.
  bool expired(Time now, NodeId incarnation) const;
  /// When the first promise to a member ends; Time::max(): none.
  Time next_expiry() const;
  bool dead(NodeId incarnation) const;

  /// The whole state at `now`, to be read and compared: equal texts behave equally from then on.
  std::string describe(Time now) const;

 private:
  struct Round {
    Ballot ballot;
    ViewChange change;
    bool accepting = false;
    std::size_t answers = 0;          // of this phase
    std::set<VoterIndex> answered{};  // in this phase
    Ballot best{};                    // the highest ballot accepted by one who promised
    ViewPtr view{};                   // its view; when accepting: the one proposed
    std::set<NodeId> expired{};       // with everybody who promised
  };
  struct MemberPromise {
    Time until;
    Time held_until = Time::min();  // not renewed before that (V7)
  };

  void on(Time now, VoterIndex from, const Prepare& prepare);
  void on(Time now, VoterIndex from, const Promised& promised);
  void on(Time now, VoterIndex from, const Accept& accept);
  void on(Time now, VoterIndex from, const Accepted& accepted);
  void on(Time now, VoterIndex from, const Refused& refused);
  void on(Time now, VoterIndex from, const Chosen& chosen);

  void promise(const Ballot& ballot);
  bool vote(Time now, const Ballot& ballot, const ViewPtr& view, Duration& retry_after);
  bool breaks_promise(Time now, const View& chosen) const;
  void take(Time now, const Ballot& ballot, const ViewPtr& view);
  std::vector<NodeId> hold_expired(Time now, const std::vector<NodeId>& candidates);
  bool counts(const Ballot& ballot, bool accepting) const;
  bool count(VoterIndex from);
  void promised_by(Time now, VoterIndex from, const Ballot& accepted, const ViewPtr& view,
                   const std::vector<NodeId>& expired);
  void accepted_by(VoterIndex from);
  void learn(const Ballot& ballot, const ViewPtr& view);
  void save(bool needed);
  Actions finish();
  void send(VoterIndex to, Message message);
  void send_others(const Message& message);
  std::size_t quorum() const;

  RegisterOptions options_;
  VoterRecord record_;
  std::map<NodeId, MemberPromise> promises_;  // to members of record_.view
  std::set<NodeId> dead_;
  std::deque<NodeId> dead_order_;  // the same, oldest first
  std::optional<Round> round_;
  ViewPtr chosen_;
  Ballot chosen_ballot_;
  std::uint64_t highest_counter_ = 0;  // heard of in refusals
  Actions actions_;                    // of the step under way
};

std::string to_string(const VoterRecord& record);
std::string to_string(const ViewRegister::Message& message);

}  // namespace coterie
