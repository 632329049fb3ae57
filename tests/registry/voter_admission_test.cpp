// A voter whose disk was lost, and the others that tell it what that disk may have known: decisions
// only, message by message.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/voter.hpp"

namespace coterie::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t this_run = 9;

VoterOptions options(VoterIndex self, std::size_t voters) {
  VoterOptions made;
  made.self = self;
  for (std::size_t i = 0; i < voters; ++i) made.voters.push_back(std::string(1, char('a' + i)));
  made.configured = made.voters;
  made.timing.length = 2s;
  made.timing.interval = 200ms;
  made.run = this_run;
  return made;
}

ViewPtr view(std::uint64_t number) {
  View made;
  made.number = number;
  for (const char* name : {"a", "b"}) {
    Member member;
    member.name = name;
    member.incarnation = {1, NodeId{static_cast<std::uint64_t>(name[0])}};
    made.members.emplace(name, member);
  }
  return std::make_shared<const View>(made);
}

voters::Admit told(Ballot promised, Ballot accepted, std::uint64_t number, Duration lease = 2s) {
  return {this_run, 0, promised, accepted, view(number), lease, {{"a", 1}, {"b", 2}, {"c", 3}}};
}

/// What of one kind is among the actions.
template <class Kind>
std::vector<Kind> all_of(const Voter::Actions& actions) {
  std::vector<Kind> found;
  for (const auto& action : actions) {
    if (const auto* one = std::get_if<Kind>(&action)) found.push_back(*one);
  }
  return found;
}

template <class Message>
std::size_t sent(const Voter::Actions& actions) {
  std::size_t count = 0;
  for (const auto& send : all_of<Voter::SendVoter>(actions)) {
    count += std::holds_alternative<Message>(send.message) ? 1 : 0;
  }
  return count;
}

VoterState empty_disk() {
  VoterState state;
  state.slot_id = 30;
  return state;
}

// Goal: it votes only when a majority of the *others* has told, for any one of them may be the only
// one that remembers what the lost disk took part in; what it takes over is the highest of all.
TEST(VoterAdmission, TakesOverTheHighestOfAMajorityOfTheOthers) {
  Voter voter(options(2, 5), empty_disk(), Time(1s));
  voter.start(Time(1s));
  EXPECT_EQ(sent<voters::AdmitMe>(voter.tick(Time(2s))), 0u) << "nobody has asked for it";
  EXPECT_EQ(sent<voters::AdmitMe>(voter.admit(Time(2s))), 4u);
  EXPECT_EQ(sent<voters::AdmitMe>(voter.tick(Time(3s))), 4u) << "messages are lost";

  voter.receive(Time(3s), 0, told({7, 1}, {5, 0}, 11));
  voter.receive(Time(3s), 0, told({7, 1}, {5, 0}, 11));
  voter.receive(Time(3s), 3, told({6, 3}, {6, 3}, 12, 5s));
  voters::Admit of_an_earlier_run = told({9, 1}, {9, 1}, 13);
  of_an_earlier_run.run = this_run + 1;
  voter.receive(Time(3s), 4, of_an_earlier_run);
  EXPECT_FALSE(voter.voting());
  const auto actions = voter.receive(Time(3s), 4, told({4, 4}, {4, 4}, 10));
  EXPECT_TRUE(voter.voting());
  const auto saves = all_of<Voter::Save>(actions);
  ASSERT_FALSE(saves.empty());
  const VoterState& state = saves.front().state;
  EXPECT_EQ(state.record.promised, (Ballot{7, 1}));
  EXPECT_EQ(state.record.accepted, (Ballot{6, 3}));
  EXPECT_EQ(state.record.view->number, 12u);
  EXPECT_EQ(state.record.longest_lease, 5s);
  EXPECT_EQ(state.voters.at("c"), 30u) << "so that it votes after its next start";
  // What the old disk promised to members is kept as after a restart (V5).
  EXPECT_FALSE(voter.decisions().expired(Time(3s) + 4900ms, NodeId{'a'}));
  EXPECT_TRUE(voter.decisions().expired(Time(3s) + 5100ms, NodeId{'a'}));
}

// Goal: who tells is a voter that votes, and it counts no answer of before any more.
TEST(VoterAdmission, WhoTellsGivesUpItsProposal) {
  VoterState founded;
  founded.slot_id = 1;
  founded.voters = {{"a", 1}, {"b", 2}, {"c", 3}};
  founded.record.promised = founded.record.accepted = {4, 0};
  founded.record.view = view(3);
  founded.record.longest_lease = 2s;
  Voter voter(options(0, 3), founded, Time(1s));
  voter.start(Time(1s));
  ASSERT_TRUE(voter.voting());
  // Not known to be chosen, so it proposes; b agrees to be asked.
  std::uint64_t round = 0;
  std::optional<Ballot> ballot;
  Time now(1s);
  for (; !ballot && now < Time(10s); now += 50ms) {
    Voter::Actions actions = voter.tick(now);
    for (const auto& send : all_of<Voter::SendVoter>(actions)) {
      if (const auto* ask = std::get_if<voters::Ask>(&send.message)) round = ask->round;
    }
    if (round == 0) continue;
    actions = voter.receive(now, 1, voters::Would{round, {}});
    for (const auto& send : all_of<Voter::SendVoter>(actions)) {
      const auto* message = std::get_if<ViewRegister::Message>(&send.message);
      if (message == nullptr) continue;
      if (const auto* prepare = std::get_if<ViewRegister::Prepare>(message))
        ballot = prepare->ballot;
    }
  }
  ASSERT_TRUE(ballot);
  ASSERT_TRUE(voter.decisions().proposing());
  const auto actions = voter.receive(now, 2, voters::AdmitMe{5});
  ASSERT_EQ(sent<voters::Admit>(actions), 1u);
  EXPECT_EQ(std::get<voters::Admit>(all_of<Voter::SendVoter>(actions).front().message).promised,
            *ballot);
  // A promise of the lost disk that comes late makes no majority.
  const ViewRegister::Message late = ViewRegister::Promised{*ballot, {4, 0}, view(3), {}};
  for (const auto& send : all_of<Voter::SendVoter>(voter.receive(now, 2, late))) {
    const auto* message = std::get_if<ViewRegister::Message>(&send.message);
    EXPECT_FALSE(message != nullptr && std::holds_alternative<ViewRegister::Accept>(*message));
  }

  Voter waiting(options(1, 3), empty_disk(), Time(1s));
  waiting.start(Time(1s));
  EXPECT_EQ(sent<voters::Admit>(waiting.receive(Time(1s), 2, voters::AdmitMe{5})), 0u);
}

}  // namespace
}  // namespace coterie::testing
