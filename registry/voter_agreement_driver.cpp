#include "registry/voter_agreement_driver.hpp"

#include <algorithm>
#include <utility>

#include "process/overloaded.hpp"

namespace coterie {

std::string_view to_string(Vote vote) noexcept {
  return vote == Vote::votes ? "votes" : vote == Vote::waits ? "waits" : "none";
}

StorageResult<std::unique_ptr<VoterAgreementDriver>> VoterAgreementDriver::open(
    VoterAgreementOptions options, VoterDisk* disk, Notes& notes, const Clock& clock,
    Random& random, Executor& executor, AgreementEvents& events,
    std::function<void(std::string_view)> notice) {
  std::optional<VoterFile> file;
  const bool votes = std::ranges::find(options.member.voters, options.member.self.name) !=
                     options.member.voters.end();
  if (disk != nullptr && votes) {
    auto opened = VoterFile::open(*disk, options.cluster_id, random.next() | 1);
    if (opened) {
      if (notice && !opened->remark().empty()) notice(opened->remark());
      const VoterState& state = opened->state();
      if (!opened->created() && !state.voters.empty() && state.history < options.history) {
        if (notice) {
          notice("this voter's file is of history " + std::to_string(state.history) +
                 ", the cluster of " + std::to_string(options.history) +
                 ": it was given up by `coterie recover --force-voters` and votes no more; to make "
                 "it a voter again remove the file `voter` in its state directory, start it, and "
                 "`coterie voter admit " +
                 options.member.self.name + "`");
        }
      } else {
        options.history = std::max(options.history, state.history);
        file.emplace(std::move(*opened));
      }
    } else if (opened.error().code == StorageError::Code::corrupt) {
      if (notice) notice(opened.error().message);
    } else {
      return std::unexpected(std::move(opened.error()));
    }
  }
  return std::unique_ptr<VoterAgreementDriver>(
      new VoterAgreementDriver(std::move(options), std::move(file), notes, clock, random, executor,
                               events, std::move(notice)));
}

VoterAgreementDriver::VoterAgreementDriver(VoterAgreementOptions options,
                                           std::optional<VoterFile> file, Notes& notes,
                                           const Clock& clock, Random& random, Executor& executor,
                                           AgreementEvents& events,
                                           std::function<void(std::string_view)> notice)
    : AgreementDriver(clock, executor, events, std::move(notice), "voter"),
      options_(std::move(options)),
      notes_(notes),
      member_(options_.member),
      file_(std::move(file)) {
  if (!file_) return;
  VoterOptions voter;
  voter.self = *voter_of(options_.member.self.name);
  voter.voters = options_.member.voters;
  voter.configured = options_.configured;
  voter.timing = options_.member.timing;
  voter.run = random.next() | 1;
  voter.protections = options_.protections;
  voter_ = std::make_unique<Voter>(std::move(voter), file_->state(), clock_.now());
  vote_.store(Vote::waits);
}

VoterAgreementDriver::~VoterAgreementDriver() { stop(); }

std::optional<VoterIndex> VoterAgreementDriver::voter_of(std::string_view node) const {
  const auto found = std::ranges::find(options_.member.voters, node);
  if (found == options_.member.voters.end()) return std::nullopt;
  return static_cast<VoterIndex>(found - options_.member.voters.begin());
}

void VoterAgreementDriver::start() {
  to_voter([this](Time now) { return voter_->start(now); });
  to_member([this](Time now) { return member_.start(now); });
  started_.store(true);
}

void VoterAgreementDriver::heard_peers(std::set<std::string> names) {
  to_member([this, names = std::move(names)](Time now) mutable {
    return member_.heard(now, std::move(names));
  });
}

void VoterAgreementDriver::confirm_death(std::string_view, const Incarnation& incarnation) {
  to_voter([this, incarnation](Time now) { return voter_->confirm_death(now, incarnation); });
}

void VoterAgreementDriver::drain() {
  to_member([this](Time now) { return member_.drain(now); });
}

void VoterAgreementDriver::leave() {
  to_member([this](Time now) { return member_.leave(now); });
}

void VoterAgreementDriver::refused_as_dead(std::uint64_t counter) {
  to_member([this, counter](Time now) { return member_.refused_as_dead(now, counter); });
}

void VoterAgreementDriver::admit() {
  to_voter([this](Time now) { return voter_->admit(now); });
}

// ---- notes

void VoterAgreementDriver::received(std::string_view from, BytesView bytes) {
  if (!started_.load() ||
      std::ranges::find(options_.configured, from) == options_.configured.end()) {
    return;
  }
  if (auto note = voters::decode(bytes)) take(from, std::move(*note));
}

void VoterAgreementDriver::take(std::string_view from, voters::Note note) {
  const std::optional<VoterIndex> voter = voter_of(from);
  std::visit(Overloaded{
                 [&](voters::Renew& renewal) {
                   if (renewal.member.name != from) return;
                   to_voter([this, renewal = std::move(renewal)](Time now) {
                     if (renewing_.size() > 8 * options_.configured.size()) renewing_.clear();
                     renewing_[renewal.member.incarnation.id] = renewal.member.name;
                     return voter_->renew(now, renewal);
                   });
                 },
                 [&](voters::AnswerTo& answer) {
                   if (!voter || answer.to != options_.member.self.incarnation.id) return;
                   to_member([this, from = *voter, answer = std::move(answer.answer)](Time now) {
                     return member_.answered(now, from, answer);
                   });
                 },
                 [&](voters::Told& told) {
                   if (!voter) return;
                   to_member([this, view = std::move(told.view)](Time now) {
                     return member_.told(now, view);
                   });
                 },
                 [&](voters::PeerMessage& message) {
                   if (!voter) return;
                   to_voter([this, from = *voter, message = std::move(message)](Time now) {
                     return voter_->receive(now, from, message);
                   });
                 },
             },
             note);
}

void VoterAgreementDriver::send(std::string_view node, voters::Note note) {
  if (node == options_.member.self.name) return take(node, std::move(note));
  notes_.send_note(node, voters::encode(std::move(note)));
}

// ---- the member

void VoterAgreementDriver::tick() {
  to_member([this](Time now) { return member_.tick(now); });
}

void VoterAgreementDriver::to_member(std::move_only_function<VoterMember::Actions(Time)> event) {
  to_logic([this, event = std::move(event)]() mutable {
    for (auto& action : event(clock_.now())) {
      std::visit([this](auto& what) { carry_out(what); }, action);
    }
  });
}

void VoterAgreementDriver::carry_out(VoterMember::SendRenewal& action) {
  send(options_.member.voters[action.to], std::move(action.renewal));
}

// ---- the voter

void VoterAgreementDriver::to_voter(std::move_only_function<Voter::Actions(Time)> event) {
  to_blocking([this, event = std::move(event)]() mutable {
    if (voter_) carry_out_all(event(clock_.now()));
  });
}

// What a voter says rests on what it has saved before.
void VoterAgreementDriver::carry_out_all(Voter::Actions actions) {
  for (auto& action : actions) {
    if (std::visit([this](auto& what) { return carry_out(what); }, action)) continue;
    voter_.reset();
    vote_.store(Vote::none);
    return;
  }
  vote_.store(voter_->voting() ? Vote::votes : Vote::waits);
}

bool VoterAgreementDriver::carry_out(Voter::Save& action) {
  const auto saved = file_->save(action.state);
  if (saved) return true;
  say("this node votes no more until it starts again: its voter's file cannot be written: " +
      saved.error().message);
  return false;
}

bool VoterAgreementDriver::carry_out(Voter::SendVoter& action) {
  send(options_.member.voters[action.to], std::move(action.message));
  return true;
}

bool VoterAgreementDriver::carry_out(Voter::SendAnswer& action) {
  const auto found = renewing_.find(action.to);
  if (found == renewing_.end()) return true;
  send(found->second, voters::AnswerTo{action.to, std::move(action.answer)});
  return true;
}

bool VoterAgreementDriver::carry_out(Voter::Tell& action) {
  for (const std::string& node : options_.configured) send(node, voters::Told{action.view});
  return true;
}

bool VoterAgreementDriver::carry_out(Voter::SetTimer& action) {
  to_blocking_at(action.at, [this, number = ++voter_timer_] {
    if (voter_ && number == voter_timer_) carry_out_all(voter_->tick(clock_.now()));
  });
  return true;
}

bool VoterAgreementDriver::carry_out(Voter::Notice& action) {
  say(action.text);
  return true;
}

}  // namespace coterie
