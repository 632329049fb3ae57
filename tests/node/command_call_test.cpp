// The pure parts of the command line: targets, settings, and what answers mean.

#include <gtest/gtest.h>

#include <map>
#include <variant>

#include <coterie/pack.hpp>

#include "node/call_outcome.hpp"
#include "node/call_target.hpp"
#include "node/command_config.hpp"
#include "node/exit_codes.hpp"
#include "node/notice_reporter.hpp"
#include "process/json.hpp"

namespace coterie {
namespace {

using Code = CallError::Code;
using Execution = CallError::Execution;

TEST(CallTarget, ReadsNamesOfRegistriesAndNodes) {
  // Goal: every way of writing a target, and the type that a short word means with it.
  struct Row {
    std::string text;
    Target to;
    std::string node, type;
  };
  const Row rows[] = {
      {"contracts/contract-7", ViaName{"contracts", "contract-7"}, "", "contracts.get"},
      {"contracts/a/b@c", ViaName{"contracts", "a/b@c"}, "", "contracts.get"},
      {"ledger", LocalName{"ledger"}, "", "ledger.get"},
      {"ledger@b", LocalName{"ledger"}, "b", "ledger.get"},
      {"x@y@b", LocalName{"x@y"}, "b", "x@y.get"},
  };
  for (const Row& row : rows) {
    const auto target = parse_call_target(row.text);
    ASSERT_TRUE(target.has_value()) << row.text << ": " << target.error();
    EXPECT_EQ(target->to, row.to) << row.text;
    EXPECT_EQ(target->node, row.node) << row.text;
    EXPECT_EQ(full_type(*target, "get"), row.type);
    EXPECT_EQ(full_type(*target, "other.get"), "other.get");
  }
}

TEST(CallTarget, RefusesHalfNames) {
  // Goal: an empty part is never sent; the error shows what was found.
  for (const std::string text : {"", "/", "contracts/", "/key", "@b", "name@"}) {
    const auto target = parse_call_target(text);
    ASSERT_FALSE(target.has_value()) << text;
    EXPECT_NE(target.error().find("found \"" + text + '"'), std::string::npos) << target.error();
  }
}

TEST(Settings, TakeTomlValuesAndBareWords) {
  // Goal: --set works with and without the quotes that a shell takes away.
  const std::vector<std::string> written = {"lease.length=3s",
                                            "lease.length=\"3s\"",
                                            "node.a.weight=50",
                                            "node.a.respawn=true",
                                            "cluster.journal=postgres:host=db port=1",
                                            "node.a.kinds=[\"x\", \"y\"]"};
  const auto read = parse_settings(written);
  ASSERT_TRUE(read.has_value());
  const std::vector<ConfigValue> values = {std::string("3s"),
                                           std::string("3s"),
                                           std::int64_t{50},
                                           true,
                                           std::string("postgres:host=db port=1"),
                                           std::vector<std::string>{"x", "y"}};
  ASSERT_EQ(read->size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ((*read)[i].value, values[i]) << i;
  EXPECT_EQ((*read)[4].key, "cluster.journal");
  for (const std::string bad : {"lease.length", "=3s", ""}) {
    EXPECT_FALSE(parse_settings(std::vector{bad}).has_value()) << bad;
  }
}

TEST(Settings, ErrorsNameTheSetting) {
  // Goal: a wrong value of --set is found where it was written, on the command line.
  const auto overrides = parse_settings(std::vector<std::string>{"lease.length=7"});
  const auto config = parse_config(
      "[cluster]\nid = \"x\"\njournal = \"memory\"\n[[node]]\n"
      "name = \"a\"\nlisten = \"127.0.0.1:1\"\n",
      "c.toml", *overrides);
  ASSERT_FALSE(config.has_value());
  EXPECT_TRUE(to_string(config.error()).starts_with("--set lease.length=7: "))
      << to_string(config.error());
}

TEST(CallOutcome, TellsRefusalsFromOtherReplies) {
  // Goal: exit code 3 only for the error of a std::expected, in whatever it holds; its value and
  // its error are shown without the marks, and replies that resemble it are left alone.
  using Map = std::map<std::string, std::string>;
  struct Row {
    Bytes reply;
    int code;
    std::string json;
  };
  const auto named = [](const auto& value) { return pack(value, Form::named); };
  using Outcome = std::expected<Map, Map>;
  const Row rows[] = {
      {named(Outcome(Map{{"state", "approved"}})), 0, R"({"state":"approved"})"},
      {named(Outcome(std::unexpected(Map{{"code", "invalid_state"}}))), 3,
       R"({"code":"invalid_state"})"},
      {named(std::expected<void, int>()), 0, "null"},
      {named(std::expected<void, int>(std::unexpected(7))), 3, "7"},
      {named(std::expected<std::expected<int, int>, int>(std::unexpected(1))), 3, "1"},
      {named(Map{{"error", "x"}}), 0, R"({"error":"x"})"},
      {named(Map{{"$error", "x"}, {"y", "z"}}), 0, R"({"$error":"x","y":"z"})"},
      {named(std::pair(false, 1)), 0, "[false,1]"},
      {named(std::map<int, int>{{1, 2}}), 0, R"({"1":2})"},
      {named(42), 0, "42"},
      {named(std::monostate{}), 0, "null"},
  };
  for (const Row& row : rows) {
    const CallOutcome outcome = read_reply(row.reply);
    EXPECT_EQ(outcome.exit_code, row.code) << row.json;
    EXPECT_EQ(outcome.json, row.json);
    EXPECT_EQ(outcome.error, "");
  }
}

TEST(CallOutcome, AReplyThatCannotBeShownWasStillGiven) {
  // Goal: bytes from anybody end in a line and code 5, never in a crash.
  for (const Bytes& bad : {Bytes(), Bytes("\xc1"), Bytes("\x81\xa3$ok"), Bytes("\xd4\x01z", 3),
                           Bytes("\x81\xa6$error\x01\x02")}) {
    const CallOutcome outcome = read_reply(bad);
    EXPECT_EQ(outcome.exit_code, exit_code::maybe_executed);
    EXPECT_NE(outcome.error, "");
    EXPECT_EQ(outcome.json, "");
  }
}

TEST(CallOutcome, FailuresSayWhetherItRanAndWhatToDo) {
  // Goal: 4 only for what certainly did not run.
  const CallOutcome none = read_failure(CallError(Code::noproc, Execution::not_executed), "r-1");
  EXPECT_EQ(none.exit_code, 4);
  EXPECT_EQ(none.error,
            "it did not run: noproc; nothing runs under that name; start it first, or see "
            "`coterie status`");
  const CallOutcome maybe =
      read_failure(CallError(Code::noconnection, Execution::unknown, {}, "cut"), "r-1");
  EXPECT_EQ(maybe.exit_code, 5);
  EXPECT_EQ(maybe.error,
            "it may have run: noconnection: cut; a server that keeps request ids runs it at most "
            "once if you call again with --request-id r-1");
  const CallOutcome ran =
      read_failure(CallError(Code::refused, Execution::executed, {}, "long ago"), "r-1");
  EXPECT_EQ(ran.exit_code, 5);
  EXPECT_EQ(ran.error, "it ran: refused: long ago");
  EXPECT_EQ(
      read_failure(CallError(Code::exited, Execution::unknown, ExitReason::killed()), "").error,
      "it may have run: exited (killed)");
}

TEST(CallOutcome, TriesAgainOnlyWhatIsSafe) {
  // Goal: what may have run is repeated only under the caller's own request id.
  struct Row {
    Code code;
    Execution execution;
    bool without_id, with_id;
  };
  const Row rows[] = {
      {Code::unavailable, Execution::not_executed, true, true},
      {Code::overloaded, Execution::not_executed, true, true},
      {Code::noproc, Execution::not_executed, false, false},
      {Code::refused, Execution::not_executed, false, false},
      {Code::timeout, Execution::unknown, false, false},
      {Code::noconnection, Execution::unknown, false, true},
      {Code::exited, Execution::unknown, false, true},
  };
  for (const Row& row : rows) {
    const CallError error(row.code, row.execution);
    EXPECT_EQ(worth_another_try(error, false), row.without_id) << to_string(error);
    EXPECT_EQ(worth_another_try(error, true), row.with_id) << to_string(error);
  }
}

TEST(CallOutcome, OneUncertainAttemptMakesAllUncertain) {
  // Goal: a last attempt that was not executed does not clear an earlier one.
  const CallError last(Code::unavailable, Execution::not_executed);
  EXPECT_FALSE(after_attempts(last, false).maybe_executed());
  EXPECT_TRUE(after_attempts(last, true).maybe_executed());
  EXPECT_EQ(after_attempts(last, true).code(), Code::unavailable);
}

TEST(CallOutcome, PrettyJsonKeepsOrderAndNumbers) {
  // Goal: people read the same values, in the order of the fields.
  EXPECT_EQ(
      pretty_json(R"({"b":18446744073709551615,"a":[-9223372036854775808,1.0]})"),
      "{\n  \"b\": 18446744073709551615,\n  \"a\": [\n    -9223372036854775808,\n    1.0\n  ]\n}");
}

TEST(NoticeReporter, DeathsBySignalAreToldUntilSomebodyAccepts) {
  // Goal: a crash is told again until it is known; an end in order is told once.
  const std::vector<NoticeResult> refused = {{"a", false, "no"}, {"b", false, "no"}};
  std::vector<NoticeResult> accepted = refused;
  accepted[1].accepted = true;
  EXPECT_FALSE(told_enough({0, 9}, refused));
  EXPECT_FALSE(told_enough({0, 9}, {}));
  EXPECT_TRUE(told_enough({0, 9}, accepted));
  EXPECT_TRUE(told_enough({0, 0}, refused));
  EXPECT_TRUE(told_enough({1, 0}, refused));
}

}  // namespace
}  // namespace coterie
