#pragma once
// Runs the `voters` engine on a node: its VoterMember on the logic strand and, if the node votes,
// its Voter on a strand of its own that waits for the disk. They talk with each other, and with
// those of the other nodes, in notes. Owned by the node; functions may be called from any thread.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "process/ports/notes.hpp"
#include "process/ports/random.hpp"
#include "registry/agreement_driver.hpp"
#include "registry/voter.hpp"
#include "registry/voter_codec.hpp"
#include "registry/voter_file.hpp"
#include "registry/voter_member.hpp"

namespace coterie {

struct VoterAgreementOptions {
  VoterMemberOptions member;
  std::vector<std::string> configured;  // all nodes, in the configuration's order
  std::string cluster_id;
  std::uint64_t history = 0;  // the storage's: a voter's file of an older one has no vote
  VoterProtections protections;
};

/// Of this node, for people.
enum class Vote : std::uint8_t {
  none,   // not among the voters, or its file is damaged, broken or of an older history
  waits,  // its disk is empty
  votes,
};
std::string_view to_string(Vote vote) noexcept;

class VoterAgreementDriver final : public AgreementDriver {
 public:
  /// Everything referred to must outlive the driver; `notes` is asked for nothing before start().
  /// `disk`: of the voter; null, or the node is not among the voters: no vote. Reads the file, and
  /// makes it at the first start. A damaged one is told in a notice, and the node has no vote; with
  /// another cluster's file, or one that cannot be read now, it must not start.
  static StorageResult<std::unique_ptr<VoterAgreementDriver>> open(
      VoterAgreementOptions options, VoterDisk* disk, Notes& notes, const Clock& clock,
      Random& random, Executor& executor, AgreementEvents& events,
      std::function<void(std::string_view)> notice = {});
  ~VoterAgreementDriver() override;

  void start() override;
  void heard_peers(std::set<std::string> names) override;
  void confirm_death(std::string_view name, const Incarnation& incarnation) override;
  void hint() override {}  // a newer view comes by itself
  void drain() override;
  void leave() override;

  /// A note of the node `from`, which the links have let in. Never blocks; what is none is dropped,
  /// and so is everything before start().
  void received(std::string_view from, BytesView note);
  /// The links of another node refuse this incarnation: all up to `counter` are known to be dead.
  void refused_as_dead(std::uint64_t counter);
  /// `coterie voter admit`; vote() says when it votes.
  void admit();
  Vote vote() const noexcept { return vote_.load(); }
  /// Of the voter's file or the storage, whichever is later.
  std::uint64_t history() const noexcept { return options_.history; }

 private:
  VoterAgreementDriver(VoterAgreementOptions options, std::optional<VoterFile> file, Notes& notes,
                       const Clock& clock, Random& random, Executor& executor,
                       AgreementEvents& events, std::function<void(std::string_view)> notice);

  std::optional<VoterIndex> voter_of(std::string_view node) const;
  void take(std::string_view from, voters::Note note);
  void send(std::string_view node, voters::Note note);

  // On the logic strand.
  void tick() override;
  void to_member(std::move_only_function<VoterMember::Actions(Time)> event);
  using AgreementDriver::carry_out;
  void carry_out(VoterMember::SendRenewal& action);

  // On the blocking strand.
  void to_voter(std::move_only_function<Voter::Actions(Time)> event);
  void carry_out_all(Voter::Actions actions);
  bool carry_out(Voter::Save& action);
  bool carry_out(Voter::SendVoter& action);
  bool carry_out(Voter::SendAnswer& action);
  bool carry_out(Voter::Tell& action);
  bool carry_out(Voter::SetTimer& action);
  bool carry_out(Voter::Notice& action);

  const VoterAgreementOptions options_;
  Notes& notes_;
  std::atomic<bool> started_ = false;
  std::atomic<Vote> vote_ = Vote::none;
  VoterMember member_;  // on the logic strand only
  // On the blocking strand only.
  std::optional<VoterFile> file_;
  std::unique_ptr<Voter> voter_;            // null: no vote, or none any more
  std::map<NodeId, std::string> renewing_;  // names of those who renewed lately, to be answered
  std::uint64_t voter_timer_ = 0;
};

}  // namespace coterie
