// Goal: a workload file means one thing everywhere: read strictly, drawn and replayed exactly.
#include "examples/contracts/workload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <coterie/nearest_word.hpp>

#include <algorithm>
#include <set>
#include <sstream>

#include "examples/contracts/workload_generator.hpp"

namespace contracts {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::expected<Workload, std::string> read(const std::string& text, WorkloadLimits limits = {}) {
  std::istringstream in(text);
  return read_workload(in, "day.jsonl", limits);
}

const std::string sample =
    R"({"request_id":"r-000017","contract":"contract-7","op":"start","customer":"c-41","asset_cost":10000000,"profit":1000000,"at":"2026-01-02T03:04:05Z"}
{"request_id":"r-000018","contract":"contract-7","op":"approve","at":"2026-01-02T03:05:00Z"}
{"request_id":"r-000019","contract":"contract-7","op":"disburse","at":"2026-01-02T03:06:00Z"}
{"request_id":"r-000020","contract":"contract-7","op":"pay","amount":5000000,"at":"2026-01-03T09:00:00Z"}
{"request_id":"r-000021","contract":"contract-8","op":"reject","reason":"incomplete","at":"2026-01-03T09:00:01Z"}
{"request_id":"r-000022","contract":"contract-7","op":"get"}
)";

TEST(Workload, ReadsAndWritesTheDocumentedSample) {
  const auto workload = read(sample);
  ASSERT_TRUE(workload) << workload.error();
  ASSERT_EQ(workload->size(), 6u);
  EXPECT_EQ((*workload)[3],
            (WorkloadCommand{"r-000020", "contract-7", Pay{5'000'000, "2026-01-03T09:00:00Z"}}));
  std::ostringstream out;
  write_workload(*workload, out);
  EXPECT_EQ(out.str(), sample);
}

TEST(Workload, BlankLinesAndWindowsLineEndsAreRead) {
  const auto workload = read("\n{\"request_id\":\"r\",\"contract\":\"c\",\"op\":\"get\"}\r\n  \n");
  ASSERT_TRUE(workload) << workload.error();
  EXPECT_EQ(workload->size(), 1u);
}

TEST(Workload, EveryMistakeIsPlacedAndExplained) {
  struct Row {
    std::string line, place, text;
  };
  const Row rows[] = {
      {R"({"request_id":"r","contract":"c","op":"pai"})", "1:39: ", "did you mean \"pay\""},
      {R"({"request_id":"r","contract":"c","op":"pay","amout":1})",
       "1:45: ", "unknown key \"amout\" for op \"pay\"; did you mean \"amount\""},
      {R"({"request_id":"r","contract":"c","op":"get","reason":"x"})", "1:45: ", "unknown key"},
      {R"({"request_id":"r","contract":"c","op":"pay","amount":1.5,"at":"2026-01-02T03:04:05Z"})",
       "1:54: ", "must be an integer"},
      {R"({"request_id":"r","contract":"c","op":"pay","amount":9223372036854775808})",
       "1:54: ", "does not fit 64 bits"},
      {R"({"request_id":"r","contract":"c","op":"pay","amount":"1"})", "1:54: ", "integer"},
      {R"({"request_id":"r","contract":"c","op":"approve","at":"yesterday"})",
       "1:54: ", "expected a time"},
      {R"({"request_id":"r","contract":"c","op":"approve"})", "1:1: ", "\"at\" is missing"},
      {R"({"request_id":7,"contract":"c","op":"get"})", "1:15: ", "must be a text"},
      {R"({"request_id":"","contract":"c","op":"get"})", "1:15: ", "1 to 200 bytes"},
      {R"({"request_id":"r","op":"get","op":"pay","contract":"c"})", "1:30: ", "stands twice"},
      {R"({"request_id":"r","\u006fp":"get","op":"pay","contract":"c"})", "1:35: ", "stands twice"},
      {R"([1])", "1:1: ", "JSON object"},
      {R"({"request_id":"r",)", "1:19: ", "unexpected end of input"},
      {R"({"request_id":"r"} x)", "1:20: ", ""},
      {"{\"request_id\":\"\xff\"}", "1:", "UTF-8"},
      {sample + sample, "7:16: ", "\"r-000017\" stood before"},
  };
  for (const Row& row : rows) {
    const auto workload = read(row.line);
    ASSERT_FALSE(workload) << row.line;
    EXPECT_THAT(workload.error(), StartsWith("day.jsonl:" + row.place)) << row.line;
    EXPECT_THAT(workload.error(), HasSubstr(row.text)) << row.line;
  }
}

TEST(Workload, BoundsAreAnswers) {
  EXPECT_THAT(read(std::string(200, ' '), {.line_bytes_max = 100}).error(),
              HasSubstr("day.jsonl:1:101: the line is longer than 100 bytes"));
  EXPECT_THAT(read(sample, {.line_bytes_max = 65'536, .commands_max = 5}).error(),
              StartsWith("day.jsonl:6:1: more than 5"));
  const std::string deep(30'000, '[');
  EXPECT_FALSE(read(deep));
}

TEST(Workload, TheSameSeedDrawsTheSameCommands) {
  const Workload workload = make_workload(7, 500, 5'000);
  EXPECT_EQ(workload, make_workload(7, 500, 5'000));
  EXPECT_NE(workload, make_workload(8, 500, 5'000));
  std::ostringstream out;
  write_workload(workload, out);
  const auto again = read(out.str());
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(*again, workload);
}

TEST(Workload, ADrawnDayHasEverythingInIt) {
  const Workload workload = make_workload(7, 500, 5'000);
  EXPECT_EQ(workload.size(), 5'500u);
  const Reference reference = run_reference(workload);
  EXPECT_EQ(reference.contracts.size(), 500u);
  std::set<State> final_states;
  for (const auto& [id, contract] : reference.contracts) final_states.insert(contract.state);
  EXPECT_TRUE(final_states.contains(State::repaying));
  EXPECT_TRUE(final_states.contains(State::completed));
  EXPECT_TRUE(final_states.contains(State::rejected));
  std::set<Refusal::Code> refusals;
  std::set<Operation> accepted;
  for (std::size_t i = 0; i < workload.size(); ++i) {
    if (reference.outcomes[i]) {
      refusals.insert(reference.outcomes[i]->code);
    } else {
      accepted.insert(operation_of(workload[i].command));
    }
  }
  EXPECT_EQ(accepted.size(), operations.size());
  const auto count = std::ranges::count(reference.outcomes, std::optional<Refusal>());
  EXPECT_GT(count, 4'000);
  EXPECT_LT(count, 5'300);
  EXPECT_TRUE(refusals.contains(Refusal::Code::invalid_state));
  EXPECT_TRUE(refusals.contains(Refusal::Code::invalid_amount));
  EXPECT_TRUE(refusals.contains(Refusal::Code::already_started));
}

TEST(Workload, TheReferenceAppliesEachContractsCommandsInOrder) {
  const Reference reference = run_reference(*read(sample));
  ASSERT_EQ(reference.contracts.size(), 1u);
  EXPECT_EQ(reference.contracts.at("contract-7").state, State::repaying);
  EXPECT_EQ(reference.outcomes[4]->code, Refusal::Code::unknown_contract);
}

TEST(Workload, ComparisonNamesEachField) {
  const Reference reference = run_reference(*read(sample));
  auto found = reference.contracts;
  EXPECT_TRUE(compare(reference.contracts, found).empty());
  Contract& contract = found.at("contract-7");
  contract.state = State::completed;
  contract.payments[0].amount = 1;
  contract.approved_at.reset();
  found["contract-9"] = contract;
  const auto list = compare(reference.contracts, found);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].fields,
            (std::vector<FieldDifference>{{"state", "repaying", "completed"},
                                          {"approved_at", "2026-01-02T03:05:00Z", "null"},
                                          {"payments[0].amount", "5000000", "1"}}));
  EXPECT_TRUE(list[1].unexpected);
  found.clear();
  EXPECT_TRUE(compare(reference.contracts, found).at(0).missing);
}

TEST(ContractJson, FieldsKeepTheirNamesAndSurviveARoundTrip) {
  const Reference reference = run_reference(*read(sample));
  const Contract& contract = reference.contracts.at("contract-7");
  const std::string text = to_json_text(contract);
  EXPECT_EQ(text, R"({"contract_id":"contract-7","customer_id":"c-41","asset_cost":10000000,)"
                  R"("profit_amount":1000000,"total_amount":11000000,"state":"repaying",)"
                  R"("approved_at":"2026-01-02T03:05:00Z","disbursed_at":"2026-01-02T03:06:00Z",)"
                  R"("payments":[{"amount":5000000,"timestamp":"2026-01-03T09:00:00Z"}]})");
  EXPECT_EQ(contract_from_json(text), contract);
  EXPECT_EQ(contract_from_json("{}"), Contract{});
  for (const char* bad : {"", "[]", R"({"state":"open"})", R"({"asset_cost":1.5})",
                          R"({"asset_cost":18446744073709551615})", R"({"payments":{}})",
                          R"({"payments":[1]})", R"({"contract_id":1})"}) {
    EXPECT_FALSE(contract_from_json(bad)) << bad;
  }
}

TEST(NearestWord, SuggestsSlipsAndListsTheRest) {
  constexpr std::string_view words[] = {"approve", "reject", "disburse", "pay"};
  EXPECT_EQ(coterie::nearest_word("aprove", words), "approve");
  EXPECT_EQ(coterie::nearest_word("dibsurse", words), "disburse");
  EXPECT_EQ(coterie::nearest_word("xyzzy", words), "");
  EXPECT_EQ(coterie::nearest_word(std::string(100, 'p'), words), "");
  EXPECT_EQ(coterie::suggest("xyzzy", words), "; known are approve, reject, disburse, pay");
  EXPECT_EQ(coterie::suggest("x", {}), "");
}

}  // namespace
}  // namespace contracts
