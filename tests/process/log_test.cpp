#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/exit_reason.hpp>
#include <coterie/log.hpp>
#include <coterie/pid.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "process/log_capture.hpp"
#include "process/log_line.hpp"
#include "process/report.hpp"

namespace coterie {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using namespace std::chrono_literals;

class FixedClock final : public Clock {
 public:
  Time now() const noexcept override { return Time{}; }
  WallTime wall() const noexcept override {
    return WallTime{std::chrono::milliseconds{1'700'000'000'123}};
  }
};

/// Counts how often its text was asked for.
struct Counted {
  mutable int texts = 0;
};
std::string to_string(const Counted& counted) {
  ++counted.texts;
  return "counted";
}

class LogTest : public testing::Test {
 protected:
  CapturedLog captured;
  FixedClock clock;
  Log log{captured, clock, "a"};
};

TEST_F(LogTest, ASwitchedOffCallBuildsNoText) {
  Counted counted;
  log.debug(LogModule::transport, "frame", {{"frame", counted}});
  EXPECT_EQ(counted.texts, 0);
  EXPECT_TRUE(captured.entries().empty());
  log.set_level(LogModule::transport, LogLevel::debug);
  log.debug(LogModule::transport, "frame", {{"frame", counted}});
  EXPECT_EQ(counted.texts, 1);
  ASSERT_EQ(captured.entries().size(), 1u);
  EXPECT_EQ(captured.entries()[0].field("frame"), "counted");
}

TEST_F(LogTest, LevelsAreSwitchedPerModuleAtRunTime) {
  log.set_level(LogModule::journal, LogLevel::trace);
  log.set_level(LogModule::node, LogLevel::off);
  log.trace(LogModule::journal, "one");
  log.error(LogModule::node, "never");
  log.debug(LogModule::process, "never");
  log.info(LogModule::process, "two");
  log.set_level(LogLevel::error);
  log.warning(LogModule::journal, "never");
  log.error(LogModule::node, "three");
  std::vector<std::string> seen;
  for (const auto& entry : captured.entries()) seen.push_back(entry.message);
  EXPECT_THAT(seen, ElementsAre("one", "two", "three"));
  EXPECT_EQ(log.level(LogModule::journal), LogLevel::error);
}

TEST(LogNames, ParseGivesBackWhatToStringSays) {
  for (int i = 0; i < 6; ++i) {
    const auto level = static_cast<LogLevel>(i);
    EXPECT_EQ(parse_log_level(to_string(level)), level);
  }
  for (std::size_t i = 0; i < log_module_count; ++i) {
    const auto module = static_cast<LogModule>(i);
    EXPECT_EQ(parse_log_module(to_string(module)), module);
  }
  EXPECT_EQ(parse_log_level("loud"), std::nullopt);
  EXPECT_EQ(parse_log_level(""), std::nullopt);
  EXPECT_EQ(parse_log_module("Process"), std::nullopt);
}

std::string line(LogFormat format, std::string_view message, std::initializer_list<LogField> fields,
                 std::size_t bytes_max = 4096) {
  const LogRecord record{{},  LogLevel::info, LogModule::transport,
                         "a", message,        {fields.begin(), fields.size()}};
  return log_line(format, record, bytes_max);
}

TEST(LogLine, TextQuotesWhatDoesNotReadAsOneWord) {
  EXPECT_EQ(line(LogFormat::text, "session lost",
                 {{"peer", "b"},
                  {"n", -3},
                  {"big", std::numeric_limits<std::uint64_t>::max()},
                  {"up", true},
                  {"load", 0.5},
                  {"after", Duration(1500ms)},
                  {"why", "no route"},
                  {"empty", ""},
                  {"said", "a\"b=c"},
                  {"pid", Pid{NodeId::none, 7}}}),
            "a/transport: session lost peer=b n=-3 big=18446744073709551615 up=true load=0.5 "
            "after=1500ms why=\"no route\" empty=\"\" said=\"a\\\"b=c\" pid=<0.7.0>");
}

TEST(LogLine, NobodysInputForgesALineOrSteersATerminal) {
  const std::string hostile = "x\n2026 [error] \x1b[2J\x9b \xc2\x9b\r\t\x7f";
  const std::string text = line(LogFormat::text, hostile, {{"k\n", hostile}});
  EXPECT_EQ(text,
            "a/transport: x\\n2026 [error] \\x1b[2J\\x9b \\x9b\\r\\t\\x7f "
            "k\\n=\"x\\n2026 [error] \\x1b[2J\\x9b \\x9b\\r\\t\\x7f\"");
  const auto json = nlohmann::json::parse("{" + line(LogFormat::json, hostile, {{"k", hostile}}));
  EXPECT_EQ(json["message"], json["fields"]["k"]);
  EXPECT_EQ(json["message"], "x\n2026 [error] \x1b[2J\ufffd \u009b\r\t\x7f");
}

TEST(LogLine, JsonKeepsTypesAndUtf8) {
  const auto json = nlohmann::json::parse(
      "{" + line(LogFormat::json, "größer als 日本 🙂",
                 {{"n", 42},
                  {"up", false},
                  {"real", 0.25},
                  {"nan", std::numeric_limits<double>::quiet_NaN()},
                  {"path", "a\\b\"c\""},
                  {"reason", ExitReason::noproc()},
                  {"bad", "\xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82"}}));
  EXPECT_EQ(json["node"], "a");
  EXPECT_EQ(json["module"], "transport");
  EXPECT_EQ(json["message"], "größer als 日本 🙂");
  EXPECT_EQ(json["fields"]["n"], 42);
  EXPECT_EQ(json["fields"]["up"], false);
  EXPECT_EQ(json["fields"]["real"], 0.25);
  EXPECT_TRUE(json["fields"]["nan"].is_string());
  EXPECT_EQ(json["fields"]["path"], "a\\b\"c\"");
  EXPECT_EQ(json["fields"]["reason"], "noproc");
  EXPECT_FALSE(json.contains("truncated"));
}

TEST(LogLine, EveryBoundCutsToAValidLineThatSaysSo) {
  // Every length from the least bound to beyond the whole line, so that each place is cut once.
  std::string message = "größer\n\"quoted\" ";
  const std::string value(60, 'v');
  const std::initializer_list<LogField> fields = {
      {"first", value}, {"second", 123456789}, {"third", "日本\x01"}, {"fourth", true}};
  const std::size_t whole_json = line(LogFormat::json, message, fields).size();
  const std::size_t whole_text = line(LogFormat::text, message, fields).size();
  for (std::size_t bound = 128; bound < 300; ++bound) {
    const std::string text = line(LogFormat::text, message, fields, bound);
    EXPECT_LE(text.size(), bound);
    if (bound >= whole_text + 3) {
      EXPECT_THAT(text, EndsWith("fourth=true"));
    }
    const std::string cut = line(LogFormat::json, message, fields, bound);
    EXPECT_LE(cut.size(), bound);
    const auto json = nlohmann::json::parse("{" + cut, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << bound << ": " << cut;
    EXPECT_EQ(json["message"], message);
    if (cut.size() < whole_json) {
      EXPECT_EQ(json["truncated"], true) << cut;
    }
  }
  EXPECT_THAT(line(LogFormat::text, message, fields, 128), EndsWith("..."));
  const std::string long_message = line(LogFormat::json, std::string(5000, '"'), {{"k", 1}}, 200);
  EXPECT_LE(long_message.size(), 200u);
  EXPECT_EQ(nlohmann::json::parse("{" + long_message)["truncated"], true);
}

class LogFile : public testing::Test {
 protected:
  LogFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "coterie-log-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~LogFile() override { std::filesystem::remove_all(folder); }
  std::string read(const std::string& name) const {
    std::ifstream file(folder / name);
    return (std::ostringstream() << file.rdbuf()).str();
  }
  std::filesystem::path folder;
  FixedClock clock;
};

TEST_F(LogFile, TextLinesCarryTimeLevelNodeAndModule) {
  auto sink = open_log({.file = folder / "node.log"});
  ASSERT_TRUE(sink) << sink.error();
  Log log(**sink, clock, "a");
  log.warning(LogModule::registry, "name taken", {{"name", "contracts/7"}});
  EXPECT_EQ(read("node.log"),
            "2023-11-14T22:13:20.123Z [warning] a/registry: name taken name=contracts/7\n");
  EXPECT_EQ(log.lost(), 0u);
}

TEST_F(LogFile, JsonLinesParse) {
  auto sink = open_log({.format = LogFormat::json, .file = folder / "node.log"});
  ASSERT_TRUE(sink) << sink.error();
  Log log(**sink, clock, "a");
  log.error(LogModule::node, "100 %v %Y {}", {{"n", 1}});
  const auto json = nlohmann::json::parse(read("node.log"));
  EXPECT_EQ(json["time"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(json["level"], "error");
  EXPECT_EQ(json["message"], "100 %v %Y {}");
  EXPECT_EQ(json["fields"]["n"], 1);
}

TEST_F(LogFile, VirtualTimeMayStartAtZero) {
  class ZeroClock final : public Clock {
   public:
    Time now() const noexcept override { return Time{}; }
    WallTime wall() const noexcept override { return WallTime{}; }
  } zero;
  auto sink = open_log({.file = folder / "node.log"});
  ASSERT_TRUE(sink) << sink.error();
  Log log(**sink, zero, "a");
  log.info(LogModule::sim, "begin");
  EXPECT_EQ(read("node.log"), "1970-01-01T00:00:00.000Z [info] a/sim: begin\n");
}

TEST_F(LogFile, ALineIsBoundedAndAFullFileIsRotated) {
  auto sink = open_log({.file = folder / "node.log",
                        .line_bytes_max = 1000,
                        .file_bytes_max = 64 * 1024,
                        .files_max = 2});
  ASSERT_TRUE(sink) << sink.error();
  Log log(**sink, clock, "a");
  const std::string message(10'000, 'x');
  for (int i = 0; i < 200; ++i) log.info(LogModule::node, message);
  std::istringstream lines(read("node.log"));
  std::size_t longest = 0;
  for (std::string text; std::getline(lines, text);) longest = std::max(longest, text.size() + 1);
  EXPECT_GT(longest, 900u);
  EXPECT_LE(longest, 1000u);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path().filename());
    EXPECT_LE(entry.file_size(), 64u * 1024);
  }
  EXPECT_THAT(files, testing::UnorderedElementsAre("node.log", "node.1.log"));
}

TEST_F(LogFile, AFileThatCannotBeOpenedIsNamed) {
  std::ofstream(folder / "plain") << "x";
  const auto refused = open_log({.file = folder / "plain" / "node.log"});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr((folder / "plain" / "node.log").string()));
}

TEST_F(LogFile, WhatAFullDiskSwallowsIsCounted) {
  auto sink = open_log({.file = "/dev/full"});
  ASSERT_TRUE(sink) << sink.error();
  Log log(**sink, clock, "a");
  for (int i = 0; i < 10; ++i) log.info(LogModule::node, "lost");
  EXPECT_EQ(log.lost(), 10u);
}

TEST_F(LogTest, CrashReportHasOtpsFields) {
  report(log, CrashReport{.initial_call = "Counter",
                          .pid = {NodeId::none, 5},
                          .name = "counter",
                          .ancestors = {"top", "<0.1.0>"},
                          .links = {{NodeId::none, 1}, {NodeId::none, 2}},
                          .mailbox_length = 3,
                          .last_message = "{increment,1}",
                          .client = "<0.7.0>",
                          .state = "{count: 7}",
                          .reason = ExitReason::error("std::runtime_error", "boom", "#0 f")});
  ASSERT_EQ(captured.entries().size(), 1u);
  const auto entry = captured.entries()[0];
  EXPECT_EQ(entry.level, LogLevel::error);
  EXPECT_EQ(entry.module, LogModule::process);
  EXPECT_EQ(entry.node, "a");
  EXPECT_EQ(entry.field("initial_call"), "Counter");
  EXPECT_EQ(entry.field("pid"), "<0.5.0>");
  EXPECT_EQ(entry.field("name"), "counter");
  EXPECT_EQ(entry.field("ancestors"), "[top,<0.1.0>]");
  EXPECT_EQ(entry.field("links"), "[<0.1.0>,<0.2.0>]");
  EXPECT_EQ(entry.field("mailbox"), "3");
  EXPECT_EQ(entry.field("last_message"), "{increment,1}");
  EXPECT_EQ(entry.field("client"), "<0.7.0>");
  EXPECT_EQ(entry.field("state"), "{count: 7}");
  EXPECT_EQ(entry.field("reason"), "{error,std::runtime_error,\"boom\"}");
  EXPECT_EQ(entry.field("trace"), "#0 f");
}

TEST_F(LogTest, SupervisorAndProgressReportsNameTheChild) {
  const Offender child{"worker-1", {NodeId::none, 9}, "permanent", "5s", "worker"};
  report(log, SupervisorReport{.supervisor = "top",
                               .context = SupervisorReport::Context::child_terminated,
                               .reason = ExitReason::killed(),
                               .offender = child});
  // As in OTP, progress is not shown unless it is asked for.
  report(log, ProgressReport{.supervisor = "top", .started = child});
  ASSERT_EQ(captured.entries().size(), 1u);
  log.set_level(LogModule::supervision, LogLevel::debug);
  report(log, ProgressReport{.supervisor = "top", .started = child});
  const auto entries = captured.entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].level, LogLevel::error);
  EXPECT_EQ(entries[0].field("context"), "child_terminated");
  EXPECT_EQ(entries[0].field("reason"), "killed");
  EXPECT_EQ(entries[1].level, LogLevel::debug);
  for (const auto& entry : entries) {
    EXPECT_EQ(entry.module, LogModule::supervision);
    EXPECT_EQ(entry.field("supervisor"), "top");
    EXPECT_EQ(entry.field("child"), "worker-1");
    EXPECT_EQ(entry.field("pid"), "<0.9.0>");
    EXPECT_EQ(entry.field("restart"), "permanent");
    EXPECT_EQ(entry.field("shutdown"), "5s");
    EXPECT_EQ(entry.field("type"), "worker");
  }
}

}  // namespace
}  // namespace coterie
