// Goal: histories of contracts are judged by the contracts' own rules.
#include "examples/contracts/contract_model.hpp"

#include <gtest/gtest.h>

#include <coterie/pack.hpp>
#include <map>

#include "examples/contracts/contract_json.hpp"
#include "examples/contracts/ledger.hpp"
#include "examples/contracts/workload.hpp"
#include "examples/contracts/workload_generator.hpp"
#include "process/seeded_random.hpp"
#include "sim/linearizability.hpp"

namespace contracts {
namespace {

using coterie::Bytes;
using coterie::Duration;
using coterie::sim::History;
using coterie::sim::Operation;
using Seen = coterie::sim::Outcome;

struct Recorded {
  History history;
  std::map<std::string, Bytes, std::less<>> last_answers;
};

/// A workload applied in one thread, with overlapping times and some answers lost.
Recorded run(std::uint64_t seed) {
  coterie::SeededRandom random(seed);
  std::map<std::string, std::optional<Contract>> contracts;
  Recorded result;
  int now = 0;
  for (const WorkloadCommand& command : make_workload(seed, 20, 600)) {
    now += 10;
    const bool answer_lost = random.below(50) == 0;
    const bool ran = !answer_lost || random.below(2) == 0;
    Operation operation;
    operation.key = command.contract;
    operation.word = to_string(operation_of(command.command));
    operation.request_id = command.request_id;
    operation.bytes = to_line(command);
    operation.invoked = Duration(now - static_cast<int>(random.below(40)));
    operation.completed = Duration(now + static_cast<int>(random.below(40)));
    operation.outcome = Seen::unknown;
    if (ran) {
      const Result outcome = perform(contracts[command.contract], command.command);
      if (!answer_lost) {
        operation.outcome = outcome ? Seen::acknowledged : Seen::refused;
        operation.answer = answer_of(outcome);
      }
    }
    result.history.push_back(operation);
  }
  for (const auto& [id, contract] : contracts) {
    if (contract) result.last_answers[id] = answer_of(*contract);
  }
  return result;
}

TEST(ContractModel, ARunOfOneThreadPasses) {
  const ContractModel model;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Recorded made = run(seed);
    const auto result = coterie::sim::check_linearizability(made.history, model);
    EXPECT_TRUE(result.ok()) << result.violations[0].found << result.violations[0].expected;
    EXPECT_TRUE(result.undecided.empty());
    EXPECT_EQ(result.keys, 20u);
    const auto audit = coterie::sim::audit_effects(made.history, made.last_answers, model);
    EXPECT_EQ(audit.lost, 0u);
    EXPECT_EQ(audit.doubled, 0u);
  }
}

TEST(ContractModel, APaymentAppliedTwiceIsFound) {
  const ContractModel model;
  Recorded made = run(1);
  for (auto& [id, answer] : made.last_answers) {
    const std::size_t list = answer.find("\"payments\":[{");
    if (list == std::string::npos) continue;
    const std::size_t begin = list + 12;
    const std::string payment = answer.substr(begin, answer.find('}', begin) + 1 - begin);
    answer.insert(begin, payment + ",");
    break;
  }
  EXPECT_EQ(coterie::sim::audit_effects(made.history, made.last_answers, model).doubled, 1u);
}

TEST(ContractModel, ALostPaymentIsFoundBothWays) {
  const ContractModel model;
  const std::string at = "2026-01-02T03:04:05Z";
  std::optional<Contract> contract;
  History history;
  int now = 0;
  const auto record = [&](const Command& command, const Result& result) {
    Operation operation;
    operation.key = "contract-1";
    operation.bytes = to_line({"r-" + std::to_string(now), "contract-1", command});
    operation.invoked = Duration(now);
    operation.completed = Duration(now + 1);
    now += 2;
    operation.outcome = result ? Seen::acknowledged : Seen::refused;
    operation.answer = answer_of(result);
    history.push_back(operation);
  };
  for (const Command& command :
       {Command{Start{"contract-1", "c", 100, 10, at}}, Command{Approve{at}}, Command{Disburse{at}},
        Command{Pay{50, at}}}) {
    record(command, perform(contract, command));
  }
  EXPECT_TRUE(coterie::sim::check_linearizability(history, model).ok());
  contract->payments.clear();  // the node that took over did not know of it
  contract->state = State::disbursed;
  record(Get{}, *contract);
  const auto result = coterie::sim::check_linearizability(history, model);
  ASSERT_EQ(result.violations.size(), 1u);
  EXPECT_EQ(result.violations[0].operation, 4u);
  EXPECT_EQ(
      coterie::sim::audit_effects(history, {{"contract-1", history.back().answer}}, model).lost,
      1u);
}

TEST(ContractModel, ThePaymentSystemMayRefuseADisbursement) {
  const ContractModel model;
  std::optional<Contract> contract;
  const std::string at = "2026-01-02T03:04:05Z";
  ASSERT_TRUE(perform(contract, Start{"c", "u", 100, 10, ""}));
  const Bytes pending = to_json_text(*contract);
  ASSERT_TRUE(perform(contract, Approve{at}));
  const Bytes approved = to_json_text(*contract);
  const Bytes disburse = to_line({"r", "c", Disburse{at}});
  for (const auto code : {Refusal::Code::payment_refused, Refusal::Code::payment_failed}) {
    const Bytes answer = answer_of(std::unexpected(Refusal{code, "why"}));
    EXPECT_EQ(model.step(approved, disburse, answer), approved);
    EXPECT_EQ(model.step(pending, disburse, answer), std::nullopt);
  }
  EXPECT_EQ(model.step(pending, disburse, std::nullopt), pending);
  EXPECT_EQ(model.expected(pending, disburse), "{\"refused\":\"invalid_state\"}");
}

template <typename T>
void expect_round_trip(const T& value) {
  for (const coterie::Form form : {coterie::Form::positional, coterie::Form::named}) {
    const auto back = coterie::unpack<T>(coterie::pack(value, form));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, value);
  }
}

TEST(ContractMessages, SurvivePacking) {
  std::optional<Contract> contract;
  for (const WorkloadCommand& command : make_workload(3, 1, 40)) {
    std::visit([](const auto& message) { expect_round_trip(message); }, command.command);
    if (const auto event = decide(contract, command.command); event && *event) {
      std::visit([](const auto& message) { expect_round_trip(message); }, **event);
    }
    expect_round_trip(perform(contract, command.command));
  }
  expect_round_trip(payout_for(*contract, "2026-01-02T03:04:05Z"));
  expect_round_trip(PayoutMade{{"p", "k", "c", "u", 1, "t"}});
  expect_round_trip(PayOut::Reply(std::unexpected(PayoutRefusal{})));
}

}  // namespace
}  // namespace contracts
