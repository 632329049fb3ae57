// A voter's other half: whom it promises, who may join, who is outside.

#include <algorithm>

#include "registry/connectivity.hpp"
#include "registry/voter.hpp"

namespace coterie {

using voters::Answer;

Voter::Actions Voter::renew(Time now, const voters::Renew& renewal) {
  const NodeId id = renewal.member.incarnation.id;
  const bool hears_us =
      !options_.protections.young_echo ||
      (renewal.echo.run == options_.run && now - renewal.echo.at <= options_.timing.length / 2);
  Heard& heard = heard_[id];
  if (heard.renewals > 0 && renewal.number <= heard.last.number) return finish(now);  // overtaken
  heard.last = renewal;
  heard.at = now;
  heard.hears_us = hears_us;
  ++heard.renewals;
  if (renewal.leaving) register_.confirm_death(id);
  const ViewPtr& view = register_.record().view;
  if (const Member* holder = view ? view->find(renewal.member.name) : nullptr;
      holder && renewal.predecessor_dead &&
      holder->incarnation.counter < renewal.member.incarnation.counter) {
    register_.confirm_death(holder->incarnation.id);
  }
  Answer answer = judge(now, renewal, hears_us);
  answer.number = renewal.number;
  answer.echo = {options_.run, now};
  const ViewPtr& chosen = register_.chosen();
  if (chosen && chosen->number > renewal.installed) answer.newer = chosen;
  actions_.push_back(SendAnswer{id, std::move(answer)});
  return finish(now);
}

Answer Voter::judge(Time now, const voters::Renew& renewal, bool hears_us) {
  const NodeId id = renewal.member.incarnation.id;
  const ViewPtr& view = register_.record().view;
  if (!voting_) return {.why = "this voter's disk is empty and it does not vote yet"};
  if (!view || !view->find(id)) return judge_joiner(renewal);
  if (!hears_us) return {};
  const auto outside = outside_.find(id);
  if (outside != outside_.end() && now - outside->second > options_.timing.partial_evict) {
    return {.kind = Answer::Kind::refused, .why = "outside the largest connected group"};
  }
  const ViewRegister::Grant grant = register_.renew(now, id);
  using Kind = ViewRegister::Grant::Kind;
  if (grant.kind == Kind::granted) {
    return {.kind = Answer::Kind::granted, .length = grant.length};
  }
  return {.kind = Answer::Kind::refused, .why = "its removal is under way"};
}

// Judged by what is known to be chosen: a vote of this voter alone refuses nobody for good.
Answer Voter::judge_joiner(const voters::Renew& renewal) {
  const ViewPtr& chosen = register_.chosen();
  const Member& own = renewal.member;
  if (!chosen || chosen->find(own.incarnation.id)) return {};
  if (const auto stone = chosen->tombstones.find(own.name);
      stone != chosen->tombstones.end() && own.incarnation.counter <= stone->second) {
    return {.kind = Answer::Kind::raise_counter,
            .counter = stone->second,
            .why = "incarnation " + std::to_string(own.incarnation.counter) + " of " + own.name +
                   " is not newer than the removed " + std::to_string(stone->second)};
  }
  const Member* holder = chosen->find(own.name);
  if (holder && seen_alive(own.incarnation.id, holder->incarnation.id)) {
    return {.kind = Answer::Kind::name_taken,
            .why = "a live node has the name " + own.name + ": incarnation " +
                   to_string(holder->incarnation) + " at " + holder->address};
  }
  if (chosen->config_digest == renewal.config_digest) return {};
  for (const auto& [name, member] : chosen->members) {
    if (!seen_alive(own.incarnation.id, member.incarnation.id)) continue;
    return {.kind = Answer::Kind::config_differs,
            .why = "the configuration differs from that of the running members (digest " +
                   renewal.config_digest + ", " + name + " runs with " + chosen->config_digest +
                   "): use the same cluster file on every node"};
  }
  return {};
}

// Whoever lives has renewed several times since the joiner came: a dead node's last messages may
// still arrive.
bool Voter::seen_alive(NodeId joiner, NodeId member) {
  constexpr unsigned renewals_of_the_living = 3;
  const auto heard = heard_.find(member);
  const unsigned renewals = heard == heard_.end() ? 0 : heard->second.renewals;
  const auto [before, first] = joining_[joiner].try_emplace(member, renewals);
  return !register_.dead(member) && renewals >= before->second + renewals_of_the_living;
}

// A member outside the largest group in which everybody hears everybody is refused its renewals
// once that has lasted, so that its silence removes it as any other.
void Voter::judge_connectivity(Time now) {
  const ViewPtr& view = register_.record().view;
  if (!view) return;
  const std::set<std::string> group =
      largest_connected_group(*view, options_.configured, [&](const Member& member) {
        const auto heard = heard_.find(member.incarnation.id);
        const bool known = heard != heard_.end() && now - heard->second.at < options_.timing.length;
        const auto* report = known ? &heard->second.last.heard : nullptr;
        return report != nullptr && *report ? &**report : nullptr;
      });
  std::map<NodeId, Time> outside;
  for (const auto& [name, member] : view->members) {
    if (group.contains(name)) continue;
    const auto since = outside_.find(member.incarnation.id);
    outside[member.incarnation.id] = since == outside_.end() ? now : since->second;
  }
  outside_ = std::move(outside);
}

}  // namespace coterie
