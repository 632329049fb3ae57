#include "registry/view_register.hpp"

#include <algorithm>
#include <utility>

namespace coterie {
namespace {

constexpr std::size_t dead_remembered_max = 1024;

bool same_view(const ViewPtr& a, const ViewPtr& b) { return a == b || (a && b && *a == *b); }

}  // namespace

bool operator==(const VoterRecord& a, const VoterRecord& b) {
  return a.promised == b.promised && a.accepted == b.accepted &&
         a.longest_lease == b.longest_lease && same_view(a.view, b.view);
}

ViewPtr next_view(const ViewPtr& base, const ViewChange& change, const std::set<NodeId>& expired,
                  const RegisterProtections& protections) {
  View next = base ? *base : View{};
  for (const NodeId gone : change.removals) {
    const Member* member = next.find(gone);
    if (!member || !expired.contains(gone)) continue;
    std::uint64_t& stone = next.tombstones[member->name];
    stone = std::max(stone, member->incarnation.counter);
    next.members.erase(std::string(member->name));
  }
  for (const NodeId leaving : change.draining) {
    if (const Member* member = next.find(leaving)) next.members[member->name].draining = true;
  }
  for (const Member& joiner : change.joins) {
    const auto stone = next.tombstones.find(joiner.name);
    const bool removed_before =
        stone != next.tombstones.end() && joiner.incarnation.counter <= stone->second;
    if (removed_before && protections.tombstones) continue;
    const auto [member, added] = next.members.try_emplace(joiner.name, joiner);
    if (!added) continue;
    member->second.since = next.number + 1;
    if (!change.config_digest.empty()) next.config_digest = change.config_digest;
  }
  if (base ? next == *base : next == View{}) return base;
  if (protections.number_grows) ++next.number;
  return std::make_shared<const View>(std::move(next));
}

ViewRegister::ViewRegister(RegisterOptions options, VoterRecord record, Time now)
    : options_(options), record_(std::move(record)) {
  if (!record_.view || !options_.protections.restart_promises) return;
  // What this voter promised before it stopped is known only to the members, so all are (V5).
  const Duration longest =
      options_.protections.longest_kept ? record_.longest_lease : options_.lease;
  for (const auto& [name, member] : record_.view->members) {
    promises_[member.incarnation.id].until = now + longest;
  }
}

ViewRegister::Actions ViewRegister::start() {
  if (record_.longest_lease < options_.lease) {
    record_.longest_lease = options_.lease;
    save(true);
  }
  return finish();
}

// ---- proposing

ViewRegister::Actions ViewRegister::propose(Time now, ViewChange change) {
  for (const NodeId gone : change.dead) confirm_death(gone);
  const Ballot ballot{std::max(record_.promised.counter, highest_counter_) + 1, options_.self};
  round_ = Round{.ballot = ballot, .change = std::move(change)};
  promise(ballot);
  send_others(Prepare{ballot, round_->change.removals, round_->change.dead});
  const auto expired = hold_expired(now, round_->change.removals);
  promised_by(now, options_.self, record_.accepted, record_.view, expired);
  return finish();
}

void ViewRegister::promised_by(Time now, VoterIndex from, const Ballot& accepted,
                               const ViewPtr& view, const std::vector<NodeId>& expired) {
  if (!count(from)) return;
  Round& round = *round_;
  const std::set<NodeId> with_this(expired.begin(), expired.end());
  if (round.answers == 1) {
    round.expired = with_this;
  } else {
    std::erase_if(round.expired, [&](NodeId id) { return !with_this.contains(id); });
  }
  const bool higher = accepted > round.best || !options_.protections.highest_accepted;
  if (view && higher) {
    round.best = accepted;
    round.view = view;
  }
  if (round.answers < quorum()) return;

  const ViewPtr base = round.view;
  const ViewPtr next = next_view(base, round.change, round.expired, options_.protections);
  if (!next) return round_.reset();  // nothing there and nothing to add
  if (next == base && !options_.protections.accept_unchanged) {
    learn(round.best, base);
    return round_.reset();
  }
  round.accepting = true;
  round.answers = 0;
  round.answered.clear();
  round.view = next;
  Duration retry_after{};
  // Another ballot came first, or a promise was renewed meanwhile: what nobody heard of is dropped.
  if (!vote(now, round.ballot, next, retry_after)) return round_.reset();
  send_others(Accept{round.ballot, next});
  accepted_by(options_.self);
}

void ViewRegister::accepted_by(VoterIndex from) {
  if (!count(from)) return;
  if (round_->answers < quorum() && options_.protections.chosen_only) return;
  const Round done = *std::exchange(round_, std::nullopt);
  send_others(Chosen{done.ballot, done.view});
  learn(done.ballot, done.view);
}

// Whether an answer belongs to what this voter asks now.
bool ViewRegister::counts(const Ballot& ballot, bool accepting) const {
  if (!round_ || round_->accepting != accepting) return false;
  return round_->ballot == ballot || !options_.protections.answers_by_ballot;
}

bool ViewRegister::count(VoterIndex from) {
  const bool first = round_->answered.insert(from).second;
  if (!first && options_.protections.answers_by_voter) return false;
  ++round_->answers;
  return true;
}

void ViewRegister::on(Time now, VoterIndex from, const Promised& promised) {
  if (!counts(promised.ballot, false)) return;
  promised_by(now, from, promised.accepted, promised.view, promised.expired);
}

void ViewRegister::on(Time, VoterIndex from, const Accepted& accepted) {
  if (counts(accepted.ballot, true)) accepted_by(from);
}

void ViewRegister::on(Time, VoterIndex, const Refused& refused) {
  highest_counter_ = std::max(highest_counter_, refused.promised.counter);
  // Refused for a promise to a member: the others may still agree.
  if (round_ && round_->ballot == refused.ballot && refused.promised > refused.ballot) {
    round_.reset();
  }
}

// ---- voting

void ViewRegister::on(Time now, VoterIndex from, const Prepare& prepare) {
  for (const NodeId gone : prepare.dead) confirm_death(gone);
  if (prepare.ballot < record_.promised && options_.protections.ballot_order) {
    return send(from, Refused{prepare.ballot, record_.promised});
  }
  if (prepare.ballot > record_.promised) promise(prepare.ballot);
  send(from, Promised{prepare.ballot, record_.accepted, record_.view,
                      hold_expired(now, prepare.candidates)});
}

void ViewRegister::on(Time now, VoterIndex from, const Accept& accept) {
  if (!accept.view) return;
  Duration retry_after{};
  if (accept.ballot == record_.accepted || vote(now, accept.ballot, accept.view, retry_after)) {
    return send(from, Accepted{accept.ballot});
  }
  send(from, Refused{accept.ballot, record_.promised, retry_after});
}

void ViewRegister::on(Time now, VoterIndex, const Chosen& chosen) {
  if (!chosen.view) return;
  const bool newer = chosen.ballot > record_.accepted && !breaks_promise(now, *chosen.view);
  if (newer || (!options_.protections.never_back && chosen.ballot != record_.accepted)) {
    take(now, chosen.ballot, chosen.view);
    save(true);
  }
  learn(chosen.ballot, chosen.view);
}

void ViewRegister::promise(const Ballot& ballot) {
  // Its own vote for a lower ballot would be refused now.
  const bool overtaken = round_ && !round_->accepting && ballot > round_->ballot;
  if (overtaken && options_.protections.ballot_order) round_.reset();
  record_.promised = ballot;
  save(options_.protections.promise_saved);
}

bool ViewRegister::vote(Time now, const Ballot& ballot, const ViewPtr& view,
                        Duration& retry_after) {
  if (ballot < record_.promised && options_.protections.ballot_order) return false;
  for (auto& [id, promise] : promises_) {
    if (view->find(id) || expired(now, id)) continue;
    if (!options_.protections.promises_kept) continue;
    // Not renewed any more, so that a removal which others agreed to succeeds at last (V7).
    promise.held_until = Time::max();
    retry_after = std::max(retry_after, promise.until - now);
  }
  if (retry_after > Duration{}) return false;
  take(now, ballot, view);
  save(options_.protections.vote_saved);
  return true;
}

// Whom a chosen view has removed has no lease, whatever this voter promised (V6). But a voter may
// have promised a lease to a newcomer of a view that was never chosen, and the newcomer have been
// added by a later one: then an older chosen view, without it, comes too late to be adopted.
bool ViewRegister::breaks_promise(Time now, const View& chosen) const {
  if (!options_.protections.adopts_late || !record_.view) return false;
  for (const auto& [name, member] : record_.view->members) {
    if (chosen.find(member.incarnation.id) || expired(now, member.incarnation.id)) continue;
    const auto stone = chosen.tombstones.find(name);
    const bool removed =
        stone != chosen.tombstones.end() && member.incarnation.counter <= stone->second;
    if (!removed) return true;
  }
  return false;
}

// Voting for a view promises the newcomers a first lease and lifts what held renewals back.
void ViewRegister::take(Time now, const Ballot& ballot, const ViewPtr& view) {
  record_.promised = std::max(record_.promised, ballot);
  record_.accepted = ballot;
  record_.view = view;
  std::map<NodeId, MemberPromise> promises;
  for (const auto& [name, member] : view->members) {
    const auto before = promises_.find(member.incarnation.id);
    const Time until = before == promises_.end() ? now + options_.lease : before->second.until;
    promises.emplace(member.incarnation.id, MemberPromise{.until = until});
  }
  promises_ = std::move(promises);
}

std::vector<NodeId> ViewRegister::hold_expired(Time now, const std::vector<NodeId>& candidates) {
  std::vector<NodeId> over;
  for (const NodeId candidate : candidates) {
    if (!expired(now, candidate)) continue;
    over.push_back(candidate);
    const auto promise = promises_.find(candidate);
    if (promise == promises_.end()) continue;
    promise->second.held_until = std::max(promise->second.held_until, now + options_.hold);
  }
  return over;
}

void ViewRegister::learn(const Ballot& ballot, const ViewPtr& view) {
  if (round_ && ballot > round_->ballot) round_.reset();
  if (ballot <= chosen_ballot_) return;
  const bool news = !same_view(chosen_, view);
  chosen_ballot_ = ballot;
  chosen_ = view;
  if (news) actions_.push_back(Learn{view});
}

// ---- promises to members

ViewRegister::Grant ViewRegister::renew(Time now, NodeId incarnation) {
  if (dead(incarnation)) return {.kind = Grant::Kind::dead};
  const bool member = record_.view && record_.view->find(incarnation);
  if (!member && options_.protections.members_only) return {.kind = Grant::Kind::not_member};
  MemberPromise& promise = promises_[incarnation];
  if (now < promise.held_until) return {.kind = Grant::Kind::held};
  promise.until = std::max(promise.until, now + options_.lease);
  return {.kind = Grant::Kind::granted, .length = options_.lease};
}

void ViewRegister::confirm_death(NodeId incarnation) {
  if (!dead_.insert(incarnation).second) return;
  dead_order_.push_back(incarnation);
  if (dead_order_.size() <= dead_remembered_max) return;
  dead_.erase(dead_order_.front());
  dead_order_.pop_front();
}

bool ViewRegister::dead(NodeId incarnation) const { return dead_.contains(incarnation); }

bool ViewRegister::expired(Time now, NodeId incarnation) const {
  const auto promise = promises_.find(incarnation);
  return promise == promises_.end() || promise->second.until <= now || dead(incarnation);
}

Time ViewRegister::next_expiry() const {
  Time next = Time::max();
  for (const auto& [id, promise] : promises_) next = std::min(next, promise.until);
  return next;
}

// ---- actions

ViewRegister::Actions ViewRegister::receive(Time now, VoterIndex from, const Message& message) {
  if (from >= options_.voters || from == options_.self) return {};
  std::visit([&](const auto& what) { on(now, from, what); }, message);
  return finish();
}

void ViewRegister::save(bool needed) {
  if (needed) actions_.push_back(Save{record_});
}

void ViewRegister::send(VoterIndex to, Message message) {
  actions_.push_back(Send{to, std::move(message)});
}

void ViewRegister::send_others(const Message& message) {
  for (VoterIndex voter = 0; voter < options_.voters; ++voter) {
    if (voter != options_.self) send(voter, message);
  }
}

std::size_t ViewRegister::quorum() const {
  return options_.protections.majorities ? options_.voters / 2 + 1 : options_.voters / 2;
}

ViewRegister::Actions ViewRegister::finish() {
  Actions actions = std::exchange(actions_, {});
  if (!options_.protections.save_first) {
    std::ranges::stable_partition(
        actions, [](const Action& action) { return !std::holds_alternative<Save>(action); });
  }
  return actions;
}

}  // namespace coterie
