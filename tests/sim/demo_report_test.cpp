// What the demo makes of what it saw: it must fail on every kind of broken promise.

#include "sim/demo_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples/contracts/contract_workload.hpp"
#include "examples/contracts/workload.hpp"
#include "sim/demo_run.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const contracts::ContractWorkload workload;

OperationRecord record(const WorkloadOperation& operation, const contracts::Result& result, int i) {
  OperationRecord made;
  made.operation = operation;
  made.invoked = Time(i * 10ms);
  made.completed = made.invoked + 5ms;
  made.outcome = result ? OperationOutcome::acknowledged : OperationOutcome::refused;
  made.answer = contracts::answer_of(result);
  made.attempts = 1;
  return made;
}

/// A run in which everything went well.
DemoFacts good() {
  DemoFacts facts;
  facts.nodes = {"a", "b"};
  facts.operations = demo_operations(workload, {.names = 10, .commands = 200});
  std::map<std::string, std::optional<contracts::Contract>> contracts;
  int i = 0;
  for (const WorkloadOperation& operation : facts.operations) {
    const auto command = contracts::parse_command_line(operation.bytes, "here").value();
    facts.records.push_back(
        record(operation, perform(contracts[operation.key], command.command), ++i));
  }
  for (const auto& [key, contract] : contracts) {
    facts.last_reads.push_back(record(workload.last_read(key), *contract, ++i));
    facts.after["a"].push_back(key);
  }
  facts.probes.push_back(facts.last_reads.front());
  facts.killed = "b";
  facts.killed_at = facts.probes.front().invoked - 1s;
  facts.before["b"] = {"contract-0"};
  facts.rejoin = 3s;
  facts.took = 2s;
  return facts;
}

std::string broken(const DemoFacts& facts) {
  std::string promises;
  for (const DemoCheck& check : judge(facts, workload)) {
    if (!check.faults.empty()) promises += check.promise + ";";
  }
  return promises;
}

OperationRecord& find(DemoFacts& facts, const std::string& word) {
  return *std::ranges::find_if(facts.records, [&](const OperationRecord& record) {
    return record.operation.word == word && record.outcome == OperationOutcome::acknowledged;
  });
}

// Goal: a good run passes, with the commands that the demo promises.
TEST(DemoReport, GoodRunPasses) {
  const DemoFacts facts = good();
  EXPECT_EQ(facts.operations.size(), 210u);
  EXPECT_EQ(broken(facts), "");
  const std::string text = to_text(facts, judge(facts, workload));
  EXPECT_THAT(text, HasSubstr("b                       1                0   killed (SIGKILL)"));
  EXPECT_THAT(text, HasSubstr("to the last name answering again            1.005 s"));
  EXPECT_THAT(text, Not(HasSubstr("FAIL")));
}

// Goal: a payment that was acknowledged and is not there breaks three promises, one that is there
// twice breaks as many.
TEST(DemoReport, LostAndDoubled) {
  for (const bool twice : {false, true}) {
    DemoFacts facts = good();
    const std::string key = find(facts, "pay").operation.key;
    for (OperationRecord& read : facts.last_reads) {
      if (read.operation.key != key) continue;
      auto command = contracts::parse_command_line(find(facts, "pay").operation.bytes, "").value();
      std::optional<contracts::Contract> contract;
      for (const OperationRecord& record : facts.records) {
        if (record.operation.key != key) continue;
        const auto one = contracts::parse_command_line(record.operation.bytes, "").value();
        static_cast<void>(perform(contract, one.command));
      }
      if (twice) {
        contract->payments.push_back(contract->payments.back());
      } else {
        contract->payments.pop_back();
      }
      read.answer = contracts::answer_of(*contract);
    }
    const std::string promises = broken(facts);
    EXPECT_THAT(promises, HasSubstr(twice ? "twice" : "lost"));
    EXPECT_THAT(promises, HasSubstr("order"));
    EXPECT_THAT(promises, HasSubstr("field by field"));
  }
}

// Goal: each other promise fails by itself.
TEST(DemoReport, OtherBrokenPromises) {
  DemoFacts silent = good();
  silent.probes.front().outcome = OperationOutcome::not_executed;
  EXPECT_THAT(broken(silent), HasSubstr("answers again"));
  DemoFacts unknown = good();
  find(unknown, "get").outcome = OperationOutcome::unknown;
  EXPECT_THAT(broken(unknown), HasSubstr("acknowledged or refused"));
  DemoFacts missing = good();
  missing.records.pop_back();
  EXPECT_THAT(broken(missing), HasSubstr("acknowledged or refused"));
  DemoFacts unpaid = good();
  unpaid.audit = {"contract-1: disbursed, and never paid out"};
  EXPECT_THAT(broken(unpaid), HasSubstr("payout"));
  DemoFacts two = good();
  two.after["b"] = {"contract-3"};
  EXPECT_THAT(broken(two), HasSubstr("runs once"));
  DemoFacts gone = good();
  gone.rejoin.reset();
  EXPECT_THAT(broken(gone), HasSubstr("is back"));
}

}  // namespace
}  // namespace coterie::sim
