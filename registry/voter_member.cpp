#include "registry/voter_member.hpp"

#include <algorithm>
#include <utility>

namespace coterie {

VoterMember::VoterMember(VoterMemberOptions options)
    : options_(std::move(options)),
      lease_(options_.voters.size(), options_.timing, options_.protections),
      voters_(options_.voters.size()) {}

VoterMember::Actions VoterMember::start(Time now) {
  started_ = true;
  actions_.push_back(ChangeState{state_, "asks the voters"});
  return finish(now);
}

VoterMember::Actions VoterMember::tick(Time now) { return finish(now); }

VoterMember::Actions VoterMember::answered(Time now, VoterIndex voter,
                                           const voters::Answer& answer) {
  if (departed_ || voter >= voters_.size()) return {};
  const auto sent = sent_.find(answer.number);
  if (sent == sent_.end()) return finish(now);  // too old to say anything of now
  const bool first = voters_[voter].at == Time::min();
  voters_[voter] = {answer.echo, now};
  if (answer.newer) learn(now, answer.newer);
  if (departed_) return finish(now);
  const auto refuse = [&](Departure::Kind kind) {
    depart({.kind = kind, .counter = answer.counter, .why = answer.why});
  };
  switch (answer.kind) {
    case voters::Answer::Kind::granted:
      lease_.granted(voter, sent->second, now, answer.length);
      break;
    case voters::Answer::Kind::raise_counter:
      if (!member_) refuse(Departure::Kind::raise_counter);
      break;
    case voters::Answer::Kind::name_taken:
      if (!member_) refuse(Departure::Kind::name_taken);
      break;
    case voters::Answer::Kind::config_differs:
      if (!member_) refuse(Departure::Kind::config_differs);
      break;
    case voters::Answer::Kind::waits:
    case voters::Answer::Kind::refused:
      break;
  }
  // A voter promises only to whom it knows to hear it, so the answer to the first goes back at
  // once.
  if (first && !departed_) next_renewal_ = now;
  return finish(now);
}

VoterMember::Actions VoterMember::told(Time now, const ViewPtr& view) {
  if (departed_) return {};
  learn(now, view);
  return finish(now);
}

VoterMember::Actions VoterMember::heard(Time now, std::set<std::string> members) {
  heard_ = std::move(members);
  return finish(now);
}

// Nobody listens to a removed node any more, so no voter can tell it the view without it.
VoterMember::Actions VoterMember::refused_as_dead(Time now, std::uint64_t counter) {
  if (departed_ || options_.self.incarnation.counter > counter) return {};
  depart({.kind = leaving_ ? Departure::Kind::left : Departure::Kind::raise_counter,
          .counter = counter,
          .why = "another node knows that this incarnation is dead"});
  return finish(now);
}

VoterMember::Actions VoterMember::drain(Time now) {
  draining_ = true;
  next_renewal_ = now;
  return finish(now);
}

// The lease ends before anybody may see this node gone, and no renewal under way makes a new one.
VoterMember::Actions VoterMember::leave(Time now) {
  if (departed_ || std::exchange(leaving_, true)) return {};
  set_lease(Time::min());
  check_state(now);
  send_renewals(now);
  if (!member_) {
    // Should its wish to join be fulfilled all the same, it is removed as any silent member.
    depart({.kind = Departure::Kind::left, .why = "left before it was a member"});
  }
  return finish(now);
}

void VoterMember::learn(Time, const ViewPtr& view) {
  if (!view || (view_ && view->number <= view_->number)) return;
  view_ = view;
  const Member* own = view->find(options_.self.incarnation.id);
  if (own) {
    member_ = true;
    actions_.push_back(InstallView{view});
  } else if (member_) {
    depart({.kind = leaving_ ? Departure::Kind::left : Departure::Kind::removed,
            .counter = options_.self.incarnation.counter,
            .why = "view " + std::to_string(view->number) + " is without this node"});
  }
}

void VoterMember::send_renewals(Time now) {
  next_renewal_ = now + options_.timing.interval;
  sent_[++number_] = now;
  std::erase_if(sent_,
                [&](const auto& sent) { return now - sent.second > options_.timing.length; });
  const bool ready = hears_majority(now);
  std::optional<HeardReport> heard;
  if (heard_) heard = report_of(view_ ? *view_ : View{}, options_.self.name, *heard_);
  for (VoterIndex voter = 0; voter < voters_.size(); ++voter) {
    voters::Renew renewal;
    renewal.member = options_.self;
    renewal.number = number_;
    renewal.echo = voters_[voter].echo;
    renewal.installed = view_ ? view_->number : 0;
    renewal.config_digest = options_.config_digest;
    renewal.ready = ready;
    renewal.leaving = leaving_;
    renewal.draining = draining_;
    renewal.predecessor_dead = options_.predecessor_dead;
    renewal.heard = heard;
    actions_.push_back(SendRenewal{voter, std::move(renewal)});
  }
}

bool VoterMember::hears_majority(Time now) const {
  const auto count = std::ranges::count_if(voters_, [&](const VoterHeard& voter) {
    return voter.at != Time::min() && now - voter.at <= options_.timing.length / 2;
  });
  return static_cast<std::size_t>(count) > voters_.size() / 2;
}

std::string VoterMember::voters_heard(Time now) const {
  std::string heard, silent;
  for (std::size_t voter = 0; voter < voters_.size(); ++voter) {
    const VoterHeard& one = voters_[voter];
    const bool answers = one.at != Time::min() && now - one.at <= options_.timing.length / 2;
    std::string& list = answers ? heard : silent;
    list += (list.empty() ? "" : ", ") + options_.voters[voter];
  }
  return "voters that answer: " + (heard.empty() ? "none" : heard) +
         "; silent: " + (silent.empty() ? "none" : silent);
}

void VoterMember::set_lease(Time end) {
  if (end == lease_end_) return;
  lease_end_ = end;
  actions_.push_back(SetLeaseEnd{end});
}

void VoterMember::follow_lease(Time now) {
  if (!member_ || leaving_ || departed_) return;
  if (const Time end = lease_.end(); end > lease_end_) set_lease(end);
  check_state(now);
}

void VoterMember::check_state(Time now) {
  if (!member_ || departed_) return;
  if (now < lease_end_) {
    enter(NodeState::active, "holds a lease");
  } else if (state_ == NodeState::active) {
    enter(NodeState::frozen, leaving_ ? "leaves" : "its lease has run out");
    // Without a majority nothing is decided and nothing guessed: all wait for the voters.
    if (!leaving_) actions_.push_back(Notice{"frozen: " + voters_heard(now)});
  }
}

void VoterMember::enter(NodeState state, std::string why) {
  if (state_ == state) return;
  state_ = state;
  actions_.push_back(ChangeState{state, std::move(why)});
}

void VoterMember::depart(Departure departure) {
  set_lease(Time::min());
  departed_ = true;
  const bool excluded = departure.kind == Departure::Kind::removed;
  actions_.push_back(Depart{departure});
  enter(excluded ? NodeState::excluded : NodeState::down, std::move(departure.why));
}

VoterMember::Actions VoterMember::finish(Time now) {
  if (started_ && !departed_) {
    follow_lease(now);
    if (now >= next_renewal_) send_renewals(now);
    Time next = next_renewal_;
    if (state_ == NodeState::active) next = std::min(next, lease_end_);
    actions_.push_back(SetTimer{next});
  }
  return std::exchange(actions_, {});
}

}  // namespace coterie
