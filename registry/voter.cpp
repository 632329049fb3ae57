#include "registry/voter.hpp"

#include <algorithm>
#include <utility>

namespace coterie {
namespace {

constexpr Duration complete_after = std::chrono::milliseconds(300);  // V6
constexpr Duration rank_step = std::chrono::milliseconds(50);

RegisterOptions register_options(const VoterOptions& options) {
  return {.self = options.self,
          .voters = options.voters.size(),
          .lease = options.timing.length,
          .hold = 2 * options.timing.interval,
          .protections = options.protections.decisions};
}

template <class Id>
bool contains(const std::vector<Id>& ids, const Id& id) {
  return std::ranges::find(ids, id) != ids.end();
}

}  // namespace

Voter::Voter(VoterOptions options, VoterState state, Time now)
    : options_(std::move(options)),
      state_(std::move(state)),
      register_(register_options(options_), state_.record, now),
      contact_(options_.voters.size(), Time::min()),
      random_(options_.run) {}

Voter::Actions Voter::start(Time now) {
  next_gossip_ = now;
  carry(register_.start());
  judge_founding();
  return finish(now);
}

Voter::Actions Voter::tick(Time now) {
  judge_contact(now, std::nullopt);
  if (now >= next_gossip_) {
    next_gossip_ = now + options_.timing.interval;
    send_newest(std::nullopt, 0);
    if (admitting_) ask_admission();
    judge_connectivity(now);
    std::erase_if(heard_, [&](const auto& heard) {
      const ViewPtr& view = register_.record().view;
      return now - heard.second.at > 4 * options_.timing.length &&
             !(view && view->find(heard.first));
    });
    std::erase_if(joining_, [&](const auto& one) { return !heard_.contains(one.first); });
  }
  return finish(now);
}

Voter::Actions Voter::receive(Time now, VoterIndex from, const voters::PeerMessage& message) {
  if (from < options_.voters.size() && from != options_.self) {
    judge_contact(now, from);
    std::visit([&](const auto& what) { on(now, from, what); }, message);
  }
  return finish(now);
}

Voter::Actions Voter::confirm_death(Time now, const Incarnation& incarnation) {
  register_.confirm_death(incarnation.id);
  heard_.erase(incarnation.id);
  if (attempt_at_ != Time::max()) {
    attempt_at_ = std::min(attempt_at_, now + options_.self * rank_step);
  }
  return finish(now);
}

// ---- which disks vote

// A voter that forgot its votes must not vote again, so an empty disk waits until it is known that
// nobody has voted yet, or that this very disk is one of the voters'.
void Voter::judge_founding() {
  if (voting_) return;
  const std::string& own_name = options_.voters[options_.self];
  const auto named = [&](const auto& list) {
    const auto own = list.find(own_name);
    return own != list.end() && own->second == state_.slot_id;
  };
  if (named(state_.voters) || !options_.protections.founding) {
    voting_ = true;
    return;
  }
  std::map<std::string, std::uint64_t> list{{own_name, state_.slot_id}};
  bool all_empty = disks_.size() + 1 == options_.voters.size();
  for (const auto& [voter, disk] : disks_) {
    if (named(disk.voters)) {
      list = disk.voters;
      all_empty = true;
      break;
    }
    if (!disk.voters.empty()) all_empty = false;
    list[options_.voters[voter]] = disk.slot_id;
  }
  if (!all_empty) {
    if (std::exchange(told_waiting_, true)) return;
    actions_.push_back(Notice{
        "this voter's disk is empty: it votes when all voters have been heard and are empty too, "
        "or when one of them knows this disk; until then the others decide without it. If its "
        "disk was lost for good: coterie voter admit " +
        own_name});
    return;
  }
  state_.voters = std::move(list);
  actions_.push_back(Save{state_});
  voting_ = true;
}

// ---- a voter whose disk was lost
//
// What a majority of voters took part in with the old disk is known to all of that majority but
// one; so `majority` of the others know of each such vote and promise. Nothing of it is counted
// later either: who tells gives up its proposal, and answers are counted by ballot. What the old
// disk promised to members is kept as after a restart: all of the view, for the longest lease.

Voter::Actions Voter::admit(Time now) {
  if (voting_) {
    actions_.push_back(Notice{"this voter votes already: there is nothing to admit"});
  } else if (!std::exchange(admitting_, true)) {
    ask_admission();
  }
  return finish(now);
}

void Voter::ask_admission() {
  for (VoterIndex voter = 0; voter < options_.voters.size(); ++voter) {
    if (voter != options_.self) actions_.push_back(SendVoter{voter, voters::AdmitMe{options_.run}});
  }
}

void Voter::on(Time now, VoterIndex from, const voters::AdmitMe& ask) {
  if (!voting_) return;
  if (asking_ || register_.proposing()) {
    asking_.reset();
    register_.abandon();
    give_up_at_ = now;
  }
  const VoterRecord& record = register_.record();
  actions_.push_back(
      SendVoter{from, voters::Admit{ask.run, state_.history, record.promised, record.accepted,
                                    record.view, record.longest_lease, state_.voters}});
}

void Voter::on(Time now, VoterIndex from, const voters::Admit& told) {
  if (!admitting_ || voting_ || told.run != options_.run) return;
  admissions_[from] = told;
  if (admissions_.size() < options_.voters.size() / 2 + 1) return;
  VoterRecord record;
  for (const auto& [voter, one] : admissions_) {
    record.promised = std::max(record.promised, one.promised);
    record.longest_lease = std::max(record.longest_lease, one.longest_lease);
    state_.history = std::max(state_.history, one.history);
    if (!record.view || record.accepted < one.accepted) {
      record.accepted = one.accepted;
      record.view = one.view;
    }
    for (const auto& [name, disk] : one.voters) state_.voters.insert_or_assign(name, disk);
  }
  state_.voters.insert_or_assign(options_.voters[options_.self], state_.slot_id);
  state_.record = record;
  actions_.push_back(Save{state_});
  register_ = ViewRegister(register_options(options_), std::move(record), now);
  carry(register_.start());
  voting_ = true;
  admitting_ = false;
  admissions_.clear();
  actions_.push_back(Notice{"this voter was admitted with a new disk: it votes again"});
}

void Voter::send_newest(std::optional<VoterIndex> to, std::uint64_t answering) {
  for (VoterIndex voter = 0; voter < options_.voters.size(); ++voter) {
    if (voter == options_.self || (to && *to != voter)) continue;
    actions_.push_back(SendVoter{voter, voters::Newest{register_.chosen_ballot(), options_.run,
                                                       answering, state_.slot_id, state_.voters}});
  }
}

void Voter::on(Time, VoterIndex from, const voters::Newest& newest) {
  // Only what was said after this run began counts: an older word may be of another disk.
  if (newest.answering == options_.run) {
    disks_[from] = newest;
    judge_founding();
  } else {
    send_newest(from, newest.asking);
  }
  if (newest.ballot < register_.chosen_ballot() && voting_) {
    const ViewRegister::Chosen chosen{register_.chosen_ballot(), register_.chosen()};
    actions_.push_back(SendVoter{from, ViewRegister::Message(chosen)});
  }
}

// ---- proposing

// While no majority of voters is in contact nobody can be renewed enough, so silence proves
// nothing: once it is back the members have a while to be heard again. An outage removes nobody.
void Voter::judge_contact(Time now, std::optional<VoterIndex> from) {
  std::size_t heard = 1;
  for (VoterIndex voter = 0; voter < contact_.size(); ++voter) {
    const bool recent =
        contact_[voter] != Time::min() && now - contact_[voter] <= options_.timing.late_limit();
    heard += voter != options_.self && recent ? 1 : 0;
  }
  if (heard < options_.voters.size() / 2 + 1) cut_off_ = now;
  if (from) contact_[*from] = now;
}

bool Voter::silent(Time now, NodeId member) const {
  if (register_.dead(member)) return true;
  const bool outage = options_.protections.outage_waits && cut_off_ != Time::min() &&
                      now - cut_off_ <= options_.timing.late_limit();
  return !outage && register_.expired(now, member);
}

void Voter::on(Time now, VoterIndex from, const ViewRegister::Message& message) {
  if (voting_) carry(register_.receive(now, from, message));
}

void Voter::on(Time now, VoterIndex from, const voters::Ask& ask) {
  if (!voting_) return;
  for (const NodeId gone : ask.dead) register_.confirm_death(gone);
  voters::Would would{ask.round, {}};
  for (const NodeId candidate : ask.candidates) {
    if (silent(now, candidate)) would.expired.push_back(candidate);
  }
  actions_.push_back(SendVoter{from, std::move(would)});
}

void Voter::on(Time now, VoterIndex from, const voters::Would& would) {
  if (!asking_ || asking_->round != would.round || !asking_->answered.insert(from).second) return;
  std::erase_if(asking_->change.removals,
                [&](NodeId candidate) { return !contains(would.expired, candidate); });
  asked(now);
}

void Voter::asked(Time now) {
  if (asking_->answered.size() < options_.voters.size() / 2 + 1) return;
  ViewChange change = std::move(asking_->change);
  asking_.reset();
  const std::set<NodeId> going(change.removals.begin(), change.removals.end());
  std::erase_if(change.joins, [&](const Member& joiner) {
    const auto heard = heard_.find(joiner.incarnation.id);
    return heard == heard_.end() || !may_join(heard->second, going, now);
  });
  const bool settled = register_.settled();
  if (change.joins.empty() && change.removals.empty() && change.draining.empty() && settled) {
    give_up_at_ = now;  // not agreed to
    return;
  }
  carry(register_.propose(now, std::move(change)));
}

ViewChange Voter::wishes(Time now) const {
  ViewChange change;
  const ViewPtr& view = register_.record().view;
  if (view) {
    for (const auto& [name, member] : view->members) {
      const NodeId id = member.incarnation.id;
      const auto heard = heard_.find(id);
      if (silent(now, id)) {
        change.removals.push_back(id);
        if (register_.dead(id)) change.dead.push_back(id);
      } else if (heard != heard_.end() && heard->second.last.draining && !member.draining) {
        change.draining.push_back(id);
      }
    }
  }
  const std::set<NodeId> going(change.removals.begin(), change.removals.end());
  for (const auto& [id, heard] : heard_) {
    if (is_member(heard.last.member) || !may_join(heard, going, now)) continue;
    change.joins.push_back(heard.last.member);
    change.config_digest = heard.last.config_digest;
  }
  // Two runs of one name: the later one.
  std::ranges::sort(change.joins, [](const Member& a, const Member& b) {
    return a.incarnation.counter > b.incarnation.counter;
  });
  return change;
}

bool Voter::may_join(const Heard& joiner, const std::set<NodeId>& going, Time now) const {
  const voters::Renew& wish = joiner.last;
  if (!wish.ready || wish.leaving || !joiner.hears_us) return false;
  if (now - joiner.at > options_.timing.length / 2) return false;
  if (register_.dead(wish.member.incarnation.id)) return false;
  const ViewPtr& view = register_.record().view;
  if (!view) return true;
  const auto stone = view->tombstones.find(wish.member.name);
  if (stone != view->tombstones.end() && wish.member.incarnation.counter <= stone->second) {
    return false;
  }
  const Member* const holder = view->find(wish.member.name);
  if (holder != nullptr && (!going.contains(holder->incarnation.id) ||
                            holder->incarnation.counter >= wish.member.incarnation.counter)) {
    return false;
  }
  return view->config_digest == wish.config_digest ||
         std::ranges::all_of(view->members, [&](const auto& member) {
           return going.contains(member.second.incarnation.id);
         });
}

// Of the view voted for: every voter looks for wishes at every renewal.
bool Voter::is_member(const Member& member) const {
  const ViewPtr& view = register_.record().view;
  const Member* const there = view ? view->find(member.name) : nullptr;
  return there != nullptr && there->incarnation == member.incarnation;
}

// One attempt at a time, the lower ranks first; after a failed one another only later.
void Voter::proceed(Time now) {
  if (!voting_) return;
  const bool under_way = asking_ || register_.proposing();
  if (under_way && now < give_up_at_) return;
  if (give_up_at_ != Time::max()) {
    if (now < give_up_at_ && register_.settled()) {
      attempt_at_ = Time::max();
    } else {
      attempt_at_ = now + options_.timing.interval / 2 + options_.self * rank_step + jitter();
    }
    asking_.reset();
    register_.abandon();
    give_up_at_ = Time::max();
  }
  if (register_.settled()) {
    unsettled_since_ = Time::max();
  } else if (unsettled_since_ == Time::max()) {
    unsettled_since_ = now;
  }
  const bool complete = !register_.settled() && now - unsettled_since_ >= complete_after;
  ViewChange change = wishes(now);
  if (!complete && change.joins.empty() && change.removals.empty() && change.draining.empty()) {
    attempt_at_ = Time::max();
    return;
  }
  if (attempt_at_ == Time::max()) attempt_at_ = now + options_.self * rank_step;
  if (now < attempt_at_) return;
  give_up_at_ = now + 2 * options_.timing.interval;
  const std::vector<NodeId> candidates = change.removals;
  const std::vector<NodeId> dead = change.dead;
  asking_ = Asking{.round = ++round_, .change = std::move(change), .answered = {options_.self}};
  for (VoterIndex voter = 0; voter < options_.voters.size(); ++voter) {
    if (voter == options_.self) continue;
    actions_.push_back(SendVoter{voter, voters::Ask{round_, candidates, dead}});
  }
  asked(now);
}

Duration Voter::jitter() {
  random_ = random_ * 6364136223846793005ull + 1442695040888963407ull;
  return Duration(static_cast<std::int64_t>((random_ >> 33) % 40'000'000));
}

void Voter::carry(ViewRegister::Actions actions) {
  for (auto& action : actions) {
    if (auto* save = std::get_if<ViewRegister::Save>(&action)) {
      state_.record = std::move(save->record);
      actions_.push_back(Save{state_});
    } else if (auto* send = std::get_if<ViewRegister::Send>(&action)) {
      actions_.push_back(SendVoter{send->to, std::move(send->message)});
    } else if (auto* learn = std::get_if<ViewRegister::Learn>(&action)) {
      actions_.push_back(Tell{std::move(learn->view)});
    }
  }
}

Voter::Actions Voter::finish(Time now) {
  proceed(now);
  Time next = next_gossip_;
  const auto sooner = [&](Time at) {
    if (at > now) next = std::min(next, at);
  };
  if (attempt_at_ != Time::max()) sooner(attempt_at_);
  if (give_up_at_ != Time::max()) sooner(give_up_at_);
  if (unsettled_since_ != Time::max()) sooner(unsettled_since_ + complete_after);
  sooner(register_.next_expiry());
  actions_.push_back(SetTimer{next});
  return std::exchange(actions_, {});
}

}  // namespace coterie
