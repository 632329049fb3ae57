// Every order of events of the view register inside stated bounds, and each of its rules switched
// off: with all rules on no state breaks an invariant; with one off a shortest history shows how.

#include <gtest/gtest.h>

#include "tests/registry/view_checker.hpp"

namespace coterie::testing {
namespace {

using Start = CheckBounds::Start;

CheckBounds agreement() {  // from nothing: two proposers, four ballots, one crash
  return {.ballots = 2,
          .time = 0,
          .lease = 0,
          .crashes = 1,
          .x_removed = false,
          .x_joins = true,
          .y_joins = true,
          .x_renews = false,
          .start = Start::nothing};
}
CheckBounds removal() {  // a member that renews and two who may remove it, one crash
  return {.ballots = 1, .time = 2, .lease = 1, .crashes = 1};
}
CheckBounds replacement() {  // ... and its next incarnation joins and renews: five ballots
  return {.ballots = 2, .time = 1, .lease = 1, .y_joins = true};
}
CheckBounds coming_back() {  // one proposer, four ballots: removed, added, asking again
  return {.ballots = 3, .time = 1, .lease = 1, .proposers = 1, .x_joins = true, .y_joins = true};
}
CheckBounds half_done() {  // a voter alone has voted for a newcomer whom a later view adds
  return {.ballots = 2,
          .time = 1,
          .lease = 1,
          .x_removed = false,
          .y_joins = true,
          .x_renews = false,
          .y_removed = true,
          .start = Start::half_done};
}
CheckBounds half_done_crash() {
  CheckBounds bounds = half_done();
  bounds.ballots = 1;
  bounds.crashes = 1;
  return bounds;
}
CheckBounds slow_answers() {  // answers to renewals are read at any later time
  return {.ballots = 1, .time = 2, .lease = 1, .proposers = 1, .slow_answers = true};
}
CheckBounds shorter_lease() {  // a voter starts again with half the lease
  return {.ballots = 1, .time = 3, .lease = 2, .crashes = 1, .proposers = 1, .shorter_lease = true};
}
CheckBounds death() {  // the member dies, of which the proposers are told
  return {.ballots = 1, .time = 1, .lease = 2, .y_joins = true, .death = true};
}
CheckBounds refusals() { return {.ballots = 1, .time = 1, .lease = 1, .refusals = true}; }
CheckBounds five_voters() {
  return {.voters = 5,
          .ballots = 1,
          .time = 0,
          .lease = 0,
          .proposers = 1,
          .x_removed = false,
          .x_joins = true,
          .x_renews = false,
          .start = Start::nothing};
}

std::string text(const CheckResult& result) {
  std::string out = result.violation;
  for (const std::string& line : result.history) out += "\n  " + line;
  return out;
}

struct Bounds {
  const char* name;
  CheckBounds (*bounds)();
};

class ViewRegisterStates : public ::testing::TestWithParam<Bounds> {};

// Nothing that can happen inside the bounds breaks I1 or I8, and nothing inside them is left out.
TEST_P(ViewRegisterStates, keep_the_invariants) {
  const CheckResult result = check_views(GetParam().bounds(), {}, {});
  EXPECT_TRUE(result.violation.empty()) << text(result);
  EXPECT_TRUE(result.complete);
  std::printf("%lu states\n", result.states);
}

INSTANTIATE_TEST_SUITE_P(
    Bounds, ViewRegisterStates,
    ::testing::Values(Bounds{"agreement", agreement}, Bounds{"removal", removal},
                      Bounds{"replacement", replacement}, Bounds{"coming_back", coming_back},
                      Bounds{"half_done", half_done}, Bounds{"half_done_crash", half_done_crash},
                      Bounds{"slow_answers", slow_answers}, Bounds{"shorter_lease", shorter_lease},
                      Bounds{"death", death}, Bounds{"refusals", refusals},
                      Bounds{"five_voters", five_voters}),
    [](const auto& bounds) { return std::string(bounds.param.name); });

struct Mutant {
  const char* name;
  bool RegisterProtections::*rule;
  bool LeaseProtections::*lease_rule;
  CheckBounds (*bounds)();
  const char* invariant;
};

class ViewRegisterMutants : public ::testing::TestWithParam<Mutant> {};

// Each rule, switched off, breaks the invariant that stands beside it.
TEST_P(ViewRegisterMutants, is_caught) {
  RegisterProtections protections;
  LeaseProtections lease_protections;
  if (GetParam().rule) protections.*GetParam().rule = false;
  if (GetParam().lease_rule) lease_protections.*GetParam().lease_rule = false;
  const CheckResult result = check_views(GetParam().bounds(), protections, lease_protections);
  EXPECT_EQ(result.violation.substr(0, 2), GetParam().invariant) << text(result);
  std::printf("caught in state %lu, after %zu lines: %s\n", result.states, result.history.size(),
              result.violation.c_str());
}

using P = RegisterProtections;
using L = LeaseProtections;
INSTANTIATE_TEST_SUITE_P(
    Rules, ViewRegisterMutants,
    ::testing::Values(Mutant{"ballot_order", &P::ballot_order, nullptr, agreement, "I8"},
                      Mutant{"promise_saved", &P::promise_saved, nullptr, agreement, "I8"},
                      Mutant{"vote_saved", &P::vote_saved, nullptr, agreement, "I8"},
                      Mutant{"save_first", &P::save_first, nullptr, agreement, "I8"},
                      Mutant{"highest_accepted", &P::highest_accepted, nullptr, agreement, "I8"},
                      Mutant{"accept_unchanged", &P::accept_unchanged, nullptr, agreement, "I8"},
                      Mutant{"majorities", &P::majorities, nullptr, agreement, "I8"},
                      Mutant{"answers_by_voter", &P::answers_by_voter, nullptr, five_voters, "I8"},
                      Mutant{"answers_by_ballot", &P::answers_by_ballot, nullptr, agreement, "I8"},
                      Mutant{"chosen_only", &P::chosen_only, nullptr, agreement, "I8"},
                      Mutant{"number_grows", &P::number_grows, nullptr, replacement, "I8"},
                      Mutant{"never_back", &P::never_back, nullptr, agreement, "I8"},
                      Mutant{"adopts_late", &P::adopts_late, nullptr, half_done, "I1"},
                      Mutant{"tombstones", &P::tombstones, nullptr, coming_back, "I8"},
                      Mutant{"promises_kept", &P::promises_kept, nullptr, removal, "I1"},
                      Mutant{"members_only", &P::members_only, nullptr, removal, "I1"},
                      Mutant{"restart_promises", &P::restart_promises, nullptr, removal, "I1"},
                      Mutant{"longest_kept", &P::longest_kept, nullptr, shorter_lease, "I1"},
                      Mutant{"lease_from_sending", nullptr, &L::from_sending, slow_answers, "I1"},
                      Mutant{"lease_majority", nullptr, &L::majority, removal, "I1"}),
    [](const auto& mutant) { return std::string(mutant.param.name); });

// The way to a violation is told step by step.
TEST(ViewChecker, prints_a_shortest_history) {
  RegisterProtections protections;
  protections.chosen_only = false;
  const CheckResult result = check_views(agreement(), protections, {});
  ASSERT_GE(result.history.size(), 2u);
  EXPECT_EQ(result.history[0],
            "t=0 voter 0 proposes: add x\n"
            "      sent: 0 to 1: Prepare 1.0 to remove {}\n"
            "      sent: 0 to 2: Prepare 1.0 to remove {}");
  EXPECT_EQ(result.violation,
            "I8: voter 0 tells view 1 of ballot 1.0, for which no majority has voted");
}

// What is proposed is the accepted view changed as wished, and nothing else.
TEST(NextView, applies_joins_removals_and_drains) {
  const auto member = [](std::string name, std::uint64_t counter) {
    Member made;
    made.incarnation = {counter, NodeId{counter * 100 + static_cast<unsigned char>(name[0])}};
    made.name = std::move(name);
    return made;
  };
  const auto id = [&](std::string name, std::uint64_t counter) {
    return member(std::move(name), counter).incarnation.id;
  };
  const RegisterProtections on;
  EXPECT_EQ(next_view(nullptr, {}, {}, on), nullptr);
  const ViewPtr one =
      next_view(nullptr, {.joins = {member("a", 1), member("b", 1)}, .config_digest = "d"}, {}, on);
  EXPECT_EQ(one->number, 1u);
  EXPECT_EQ(one->find("b")->since, 1u);
  EXPECT_EQ(one->config_digest, "d");
  EXPECT_EQ(next_view(one, {.joins = {member("a", 1)}}, {}, on), one);
  EXPECT_EQ(next_view(one, {.removals = {id("a", 1)}}, {}, on), one) << "not expired everywhere";

  const ViewPtr two = next_view(
      one, {.joins = {member("a", 2)}, .removals = {id("a", 1)}, .draining = {id("b", 1)}},
      {id("a", 1)}, on);
  EXPECT_EQ(two->number, 2u);
  EXPECT_EQ(two->find("a")->incarnation.counter, 2u);
  EXPECT_EQ(two->find("a")->since, 2u);
  EXPECT_EQ(two->tombstones.at("a"), 1u);
  EXPECT_TRUE(two->find("b")->draining);
  const ViewPtr three = next_view(two, {.removals = {id("a", 2)}}, {id("a", 2)}, on);
  EXPECT_EQ(next_view(three, {.joins = {member("a", 2)}}, {}, on), three) << "removed before";
}

// One voter is a majority: a node alone agrees with itself, durably and at once.
TEST(ViewRegister, one_voter_decides_alone) {
  Member member;
  member.name = "a";
  member.incarnation = {1, NodeId{1}};
  ViewRegister alone({}, {}, Time{});
  EXPECT_EQ(alone.start().size(), 1u) << "how long it will promise";
  const auto actions = alone.propose(Time{}, {.joins = {member}});
  ASSERT_EQ(actions.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<ViewRegister::Save>(actions[0]));
  EXPECT_EQ(std::get<ViewRegister::Save>(actions[1]).record, alone.record());
  EXPECT_EQ(std::get<ViewRegister::Learn>(actions[2]).view->number, 1u);
  EXPECT_TRUE(alone.settled());
  EXPECT_EQ(alone.renew(Time{}, NodeId{1}).length, std::chrono::seconds(2));
  EXPECT_EQ(alone.renew(Time{}, NodeId{2}).kind, ViewRegister::Grant::Kind::not_member);
}

// A voter that lost its majority decides nothing and goes on to answer its members.
TEST(ViewRegister, no_majority_no_view) {
  Member member;
  member.name = "a";
  ViewRegister lonely({.voters = 3}, {}, Time{});
  (void)lonely.start();
  for (int i = 0; i < 100; ++i) (void)lonely.propose(Time{}, {.joins = {member}});
  EXPECT_EQ(lonely.chosen(), nullptr);
  EXPECT_EQ(lonely.record().view, nullptr);
}

// A silent voter holds back renewals of whom it refused to remove, until a view lifts that (V7).
TEST(ViewRegister, a_removal_refused_for_a_promise_comes_through) {
  const NodeId gone{9};
  Member member;
  member.name = "a";
  member.incarnation = {1, gone};
  const ViewPtr with = next_view(nullptr, {.joins = {member}}, {}, {});
  const ViewPtr without = next_view(with, {.removals = {gone}}, {gone}, {});
  VoterRecord record;
  record.accepted = record.promised = {1, 1};
  record.view = with;
  ViewRegister voter({.voters = 3}, record, Time{});
  (void)voter.start();
  using Kind = ViewRegister::Grant::Kind;
  EXPECT_EQ(voter.renew(Time{}, gone).kind, Kind::granted);
  const auto refused = voter.receive(Time{}, 1, ViewRegister::Accept{{2, 1}, without});
  const auto& answer =
      std::get<ViewRegister::Refused>(std::get<ViewRegister::Send>(refused.at(0)).message);
  EXPECT_EQ(answer.retry_after, std::chrono::seconds(2));
  EXPECT_EQ(voter.renew(Time{}, gone).kind, Kind::held);
  const Time later = Time{} + answer.retry_after;
  const auto accepted = voter.receive(later, 1, ViewRegister::Accept{{2, 1}, without});
  EXPECT_TRUE(std::holds_alternative<ViewRegister::Save>(accepted.at(0)));
  EXPECT_EQ(voter.record().view->number, 2u);
}

}  // namespace
}  // namespace coterie::testing
