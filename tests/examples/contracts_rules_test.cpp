// Goal: the contract does exactly what the document says, and no sequence of commands breaks it.
#include "examples/contracts/rules.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "examples/contracts/contract_json.hpp"

namespace contracts {
namespace {

using Code = Refusal::Code;
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
const std::string at = "2026-01-02T03:04:05Z";

std::optional<Contract> contract_in(State state) {
  std::optional<Contract> contract;
  const auto run = [&](const Command& command) { ASSERT_TRUE(perform(contract, command)); };
  run(Start{"contract-123", "customer-456", 100'000, 10'000, ""});
  if (state == State::pending) return contract;
  if (state == State::rejected) {
    run(Reject{"incomplete", at});
    return contract;
  }
  run(Approve{at});
  if (state == State::approved) return contract;
  run(Disburse{at});
  if (state == State::disbursed) return contract;
  run(Pay{50'000, at});
  if (state == State::repaying) return contract;
  run(Pay{60'000, at});
  return contract;
}

Code code_of(std::optional<Contract> contract, const Command& command, const Policy& policy = {}) {
  const auto before = contract;
  const Result result = perform(contract, command, policy);
  EXPECT_FALSE(result);
  EXPECT_EQ(contract, before) << "a refusal changed the contract";
  return result ? Code::invalid_state : result.error().code;
}

TEST(Rules, TheDocumentsExampleWordByWord) {
  std::optional<Contract> contract;
  Result result = perform(contract, Start{"contract-123", "customer-456", 100'000, 10'000, ""});
  EXPECT_EQ(*result, (Contract{.contract_id = "contract-123",
                               .customer_id = "customer-456",
                               .asset_cost = 100'000,
                               .profit_amount = 10'000,
                               .total_amount = 110'000,
                               .state = State::pending,
                               .approved_at = {},
                               .disbursed_at = {},
                               .payments = {}}));
  result = perform(contract, Approve{"2026-01-02T03:05:00Z"});
  EXPECT_EQ(result->state, State::approved);
  EXPECT_EQ(result->approved_at, "2026-01-02T03:05:00Z");
  EXPECT_EQ(result->disbursed_at, std::nullopt);
  result = perform(contract, Disburse{"2026-01-02T03:06:00Z"});
  EXPECT_EQ(result->state, State::disbursed);
  EXPECT_EQ(result->disbursed_at, "2026-01-02T03:06:00Z");
  result = perform(contract, Pay{50'000, "2026-01-03T09:00:00Z"});
  EXPECT_EQ(result->state, State::repaying);
  result = perform(contract, Pay{60'000, "2026-01-04T09:00:00.5Z"});
  EXPECT_EQ(result->state, State::completed);
  EXPECT_EQ(result->payments, (std::vector<Payment>{{60'000, "2026-01-04T09:00:00.500Z"},
                                                    {50'000, "2026-01-03T09:00:00Z"}}));
  EXPECT_EQ(excess(*contract), 0);
  EXPECT_EQ(perform(contract, Get{}), *contract);
}

TEST(Rules, EveryStateAndOperation) {
  struct Row {
    State state;
    bool approve, reject, disburse, pay;
  };
  constexpr Row rows[] = {{State::pending, true, true, false, false},
                          {State::approved, false, false, true, false},
                          {State::disbursed, false, false, false, true},
                          {State::repaying, false, false, false, true},
                          {State::completed, false, false, false, false},
                          {State::rejected, false, false, false, false}};
  for (const Row& row : rows) {
    const auto contract = contract_in(row.state);
    ASSERT_EQ(contract->state, row.state);
    const auto check = [&](const Command& command, bool allowed) {
      SCOPED_TRACE(std::string(to_string(row.state)) + " " +
                   std::string(to_string(operation_of(command))));
      if (allowed) {
        auto copy = contract;
        EXPECT_TRUE(perform(copy, command));
      } else {
        EXPECT_EQ(code_of(contract, command), Code::invalid_state);
      }
    };
    check(Approve{at}, row.approve);
    check(Reject{"no", at}, row.reject);
    check(Disburse{at}, row.disburse);
    check(Pay{1, at}, row.pay);
    check(Get{}, true);
    EXPECT_EQ(code_of(contract, Start{"contract-123", "customer-456", 100'000, 10'000, ""}),
              Code::already_started);
  }
}

TEST(Rules, WhatDoesNotExistIsUnknown) {
  for (const Command& command : {Command{Approve{at}}, Command{Reject{"", at}},
                                 Command{Disburse{at}}, Command{Pay{1, at}}, Command{Get{}}}) {
    EXPECT_EQ(code_of(std::nullopt, command), Code::unknown_contract);
  }
}

TEST(Rules, AmountsAreChecked) {
  for (const auto& [cost, profit] : std::initializer_list<std::pair<std::int64_t, std::int64_t>>{
           {0, 1}, {-1, 1}, {1, -1}, {most, 1}, {1, most}}) {
    EXPECT_EQ(code_of(std::nullopt, Start{"c", "u", cost, profit, ""}), Code::invalid_amount);
  }
  EXPECT_TRUE(decide(Start{"c", "u", most - 1, 1, ""}));
  EXPECT_TRUE(decide(Start{"c", "u", 1, 0, ""}));
  const auto repaying = contract_in(State::repaying);
  for (const std::int64_t amount : {std::int64_t{0}, std::int64_t{-1}, -most - 1, most}) {
    EXPECT_EQ(code_of(repaying, Pay{amount, at}), Code::invalid_amount) << amount;
  }
  EXPECT_TRUE(decide(*repaying, Pay{most - 50'000, at}));
}

TEST(Rules, TimesAndTextsAreChecked) {
  EXPECT_EQ(code_of(contract_in(State::pending), Approve{""}), Code::invalid_time);
  EXPECT_EQ(code_of(contract_in(State::repaying), Pay{1, "tomorrow"}), Code::invalid_time);
  EXPECT_EQ(code_of(std::nullopt, Start{"c", "u", 1, 1, "tomorrow"}), Code::invalid_time);
  EXPECT_EQ(code_of(std::nullopt, Start{"", "u", 1, 1, ""}), Code::invalid_text);
  EXPECT_EQ(code_of(std::nullopt, Start{std::string(id_bytes_max + 1, 'c'), "u", 1, 1, ""}),
            Code::invalid_text);
  EXPECT_EQ(
      code_of(contract_in(State::pending), Reject{std::string(reason_bytes_max + 1, 'x'), at}),
      Code::invalid_text);
}

TEST(Rules, OverpaymentFollowsThePolicy) {
  auto contract = contract_in(State::repaying);
  EXPECT_EQ(code_of(contract, Pay{60'001, at}, {.overpayment = Overpayment::refuse}),
            Code::overpayment);
  auto exact = contract;
  EXPECT_TRUE(perform(exact, Pay{60'000, at}, {.overpayment = Overpayment::refuse}));
  const Result result = perform(contract, Pay{70'000, at});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->state, State::completed);
  EXPECT_EQ(total_paid(*result), 120'000);
  EXPECT_EQ(excess(*result), 10'000);
}

TEST(Rules, TheListOfPaymentsIsBoundedAndCanStillBeCompleted) {
  auto contract = contract_in(State::disbursed);
  contract->state = State::repaying;
  contract->payments.assign(payments_max - 1, Payment{1, at});
  EXPECT_EQ(code_of(contract, Pay{1, at}), Code::too_many_payments);
  const Result result = perform(contract, Pay{110'000, at});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->state, State::completed);
}

TEST(Rules, AReplayOfEventsEndsInTheSameBytes) {
  std::optional<Contract> live;
  std::vector<Event> journal;
  for (const Command& command :
       {Command{Start{"contract-1", "c", 100, 10, at}}, Command{Disburse{at}},
        Command{Approve{"2026-01-02T03:04:05.7Z"}}, Command{Disburse{at}}, Command{Pay{-1, at}},
        Command{Pay{60, at}}, Command{Get{}}, Command{Pay{60, at}}, Command{Pay{1, at}}}) {
    const auto event = decide(live, command);
    if (!event || !*event) continue;
    journal.push_back(**event);
    replay(live, **event);
  }
  EXPECT_EQ(journal.size(), 5u);
  std::optional<Contract> replayed;
  for (const Event& event : journal) replay(replayed, event);
  EXPECT_EQ(to_json_text(*replayed), to_json_text(*live));
  EXPECT_EQ(live->state, State::completed);
}

TEST(Rules, AForeignJournalIsNotServed) {
  std::optional<Contract> none;
  EXPECT_THROW(replay(none, Event{Approved{at}}), std::logic_error);
  auto pending = contract_in(State::pending);
  EXPECT_THROW(replay(pending, Event{Started{"x", "y", 1, 1, ""}}), std::logic_error);
  EXPECT_THROW(replay(pending, Event{Disbursed{at}}), std::logic_error);
  EXPECT_THROW(replay(pending, Event{Paid{1, at}}), std::logic_error);
  auto repaying = contract_in(State::repaying);
  EXPECT_THROW(replay(repaying, Event{Paid{most, at}}), std::logic_error);
  EXPECT_THROW(replay(repaying, Event{Paid{-1, at}}), std::logic_error);
  EXPECT_THROW(apply(Started{"x", "y", most, 1, ""}), std::logic_error);
}

TEST(Rules, SameTermsTellsAnOwnStartFromAForeignOne) {
  const auto contract = contract_in(State::approved);
  EXPECT_TRUE(same_terms(*contract, {"contract-123", "customer-456", 100'000, 10'000, at}));
  EXPECT_FALSE(same_terms(*contract, {"contract-123", "customer-456", 100'000, 10'001, at}));
}

TEST(Lifecycle, TheDiagramIsTheTable) {
  EXPECT_EQ(transitions_diagram(),
            "stateDiagram-v2\n"
            "    [*] --> pending: start\n"
            "    pending --> approved: approve\n"
            "    pending --> rejected: reject\n"
            "    approved --> disbursed: disburse\n"
            "    disbursed --> repaying: pay, less than total\n"
            "    disbursed --> completed: pay, total reached\n"
            "    repaying --> repaying: pay, less than total\n"
            "    repaying --> completed: pay, total reached\n"
            "    completed --> [*]\n"
            "    rejected --> [*]\n");
}

TEST(Lifecycle, WordsAreTheirOwnInverse) {
  for (const State state : states) EXPECT_EQ(state_of(to_string(state)), state);
  for (const Operation operation : operations) {
    EXPECT_EQ(operation_of(to_string(operation)), operation);
  }
  EXPECT_EQ(state_of("Pending"), std::nullopt);
  EXPECT_EQ(refusal_code("payment_failed"), Code::payment_failed);
  EXPECT_EQ(refusal_code("nonsense"), std::nullopt);
}

}  // namespace
}  // namespace contracts
