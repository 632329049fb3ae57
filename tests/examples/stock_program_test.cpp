// The program `coterie` as people use it: replay, demo and failover as real processes, each with a
// small workload, interrupted, and with mistakes in its files.

#include <errno.h>

#include <nlohmann/json.hpp>

#include "examples/contracts/contract_json.hpp"
#include "examples/contracts/workload.hpp"
#include "examples/contracts/workload_generator.hpp"
#include "tests/node/program_fixture.hpp"

namespace contracts {
namespace {

using namespace std::chrono_literals;
using coterie::BackgroundProgram;
using coterie::ProgramResult;
using coterie::Words;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class StockProgram : public coterie::ProgramTest {
 protected:
  StockProgram() { fs::create_directories(scratch_); }

  void make_cluster() {
    coterie::LocalClusterOptions options;
    options.config_file = (coterie::configs / "local-3.toml").string();
    options.directory = root_;
    options.program = coterie::program;
    auto made = coterie::LocalCluster::make(clock_, random_, std::move(options));
    ASSERT_TRUE(made) << made.error();
    cluster_ = *std::move(made);
    start({"a", "b", "c"});
  }

  std::string write_workload_file(const Workload& workload) {
    std::ofstream file(root_ / "day.jsonl");
    write_workload(workload, file);
    return (root_ / "day.jsonl").string();
  }

  /// Words of a command whose runs put everything into scratch_.
  Words in_scratch(Words words) const {
    words.insert(words.begin(), {"TMPDIR=" + scratch_.string(), coterie::program.string()});
    return words;
  }
  ProgramResult run_in_scratch(const Words& words) {
    return coterie::run_and_wait("/usr/bin/env", in_scratch(words), 120s);
  }

  /// The pids in all files NAME.pid below scratch_.
  std::vector<pid_t> pids() const {
    std::vector<pid_t> found;
    for (auto at = fs::recursive_directory_iterator(scratch_); const auto& entry : at) {
      pid_t pid = 0;
      if (entry.path().extension() == ".pid" && std::ifstream(entry.path()) >> pid) {
        found.push_back(pid);
      }
    }
    return found;
  }

  /// Starts a command, interrupts it when six processes of its cluster run; nothing stays.
  void expect_interruptible(const Words& words) {
    BackgroundProgram running("/usr/bin/env", in_scratch(words));
    std::vector<pid_t> nodes;
    for (int tries = 0; nodes.size() < 6 && tries < 12'000; ++tries) {
      ::usleep(5'000);
      nodes = pids();
    }
    ASSERT_EQ(nodes.size(), 6u) << running.wait(0s).error;
    running.signal(SIGINT);
    const ProgramResult result = running.wait(60s);
    EXPECT_EQ(result.code, 130) << result.error;
    EXPECT_THAT(result.error, HasSubstr("interrupted"));
    expect_nothing_left(nodes);
  }
  void expect_nothing_left(const std::vector<pid_t>& processes) const {
    for (const pid_t pid : processes) EXPECT_TRUE(::kill(pid, 0) != 0 && errno == ESRCH) << pid;
    EXPECT_TRUE(fs::is_empty(scratch_));
  }

  std::string scenario(const std::string& rest) {
    return write("s.toml", "[scenario]\nname = \"s\"\nduration = \"3s\"\n[cluster]\nconfig = \"" +
                               (coterie::configs / "local-3.toml").string() + "\"\n" + rest);
  }

  const fs::path scratch_ = root_ / "scratch";
};

/// What one thread makes of the commands.
struct OneThread {
  explicit OneThread(const Workload& workload) {
    for (const WorkloadCommand& command : workload) {
      accepted += perform(contracts[command.contract], command.command) ? 1 : 0;
    }
  }
  std::map<std::string, std::optional<Contract>> contracts;
  std::uint64_t accepted = 0;
};

// Goal: a replay that was interrupted is sent again from its beginning; the contracts, and the
// account of each whole run, are those of the rules in one thread.
TEST_F(StockProgram, ReplaysAreRepeatable) {
  make_cluster();
  Workload workload = make_workload(5, 20, 300, {.pay = 12, .get = 2, .invalid = 4});
  // What came too early must stay refused.
  workload.insert(workload.begin() + 1,
                  {"too-early", workload[0].contract, Pay{1, "2026-01-02T03:04:05Z"}});
  const OneThread expected(workload);
  const std::string file = write_workload_file(workload);
  const std::string account = (root_ / "account.json").string();
  {
    const std::string config = cluster_->config_file();
    BackgroundProgram replay(
        coterie::program, {"replay", "--config", config, file, "--rate", "50", "--json", account});
    const std::string last_start = "contracts/contract-19";  // some of it is done then
    while (call({last_start, "get"}).code != 0) {
    }
    replay.signal(SIGINT);
    const ProgramResult result = replay.wait(60s);
    EXPECT_EQ(result.code, 1) << result.error;
    EXPECT_THAT(result.out, HasSubstr("were not begun"));
  }
  for (int i = 0; i < 2; ++i) {
    const ProgramResult result =
        run("replay", {file, "--clients", "4", "--rate", "1000", "--json", account});
    EXPECT_EQ(result.code, 0) << result.out << result.error;
    std::ifstream in(account);
    const nlohmann::json all = nlohmann::json::parse(in).at("all");
    EXPECT_EQ(all.at("commands"), workload.size());
    EXPECT_EQ(all.at("acknowledged"), expected.accepted);
    EXPECT_EQ(all.at("refused"), workload.size() - expected.accepted);
  }
  for (const auto& [id, contract] : expected.contracts) {
    const ProgramResult now = call({"contracts/" + id, "get"});
    EXPECT_EQ(contract_from_json(now.out).value(), contract.value()) << id << now.error;
  }
  EXPECT_TRUE(cluster_->stop_all(60s));
}

// Goal: what cannot be replayed is one line with its place and code 2, before anything is sent.
TEST_F(StockProgram, ReplayTellsWhatIsWrong) {
  const std::string config = (coterie::configs / "local-3.toml").string();
  const std::string good = R"({"request_id":"r","contract":"c","op":"get"})";
  struct Row {
    std::string file, error;
  };
  const Row rows[] = {
      {write("broken.jsonl", good + "\n{\"request_id\":"), "broken.jsonl:2:"},
      {write("word.jsonl", good + "\n\n" + R"({"request_id":"q","contract":"c","op":"gte"})"),
       "word.jsonl:3:39: unknown op \"gte\"; did you mean \"get\"?"},
      {write("again.jsonl", good + "\n" + good), "again.jsonl:2:3: the request id \"r\" stood"},
      {root_ / "none.jsonl", "none.jsonl: expected a file of commands"},
      {root_, "Is a directory"},
  };
  for (const Row& row : rows) {
    const ProgramResult result =
        coterie::run_and_wait(coterie::program, {"replay", "--config", config, row.file}, 30s);
    EXPECT_EQ(result.code, 2) << result.error;
    EXPECT_TRUE(coterie::one_line(result.error)) << result.error;
    EXPECT_THAT(result.error, HasSubstr(row.error));
    EXPECT_EQ(result.out, "");
  }
}

// Goal: the demo with a small workload keeps every promise and leaves nothing behind.
TEST_F(StockProgram, DemoKeepsEveryPromise) {
  const ProgramResult result = run_in_scratch(
      {"demo", "--names", "20", "--commands", "300", "--rate", "100", "--seed", "7"});
  EXPECT_EQ(result.code, 0) << result.out << result.error;
  EXPECT_THAT(result.out, AllOf(HasSubstr("killed (SIGKILL)"), HasSubstr("to the first answer"),
                                HasSubstr("PASS  exactly one payout"),
                                HasSubstr("PASS  every contract is, field by field"),
                                testing::Not(HasSubstr("FAIL"))));
  expect_nothing_left({});
}

TEST_F(StockProgram, DemoIsInterruptible) { expect_interruptible({"demo"}); }

TEST_F(StockProgram, FailoverIsInterruptible) {
  expect_interruptible({"failover", (coterie::configs / "scenarios" / "kill-owner.toml").string()});
}

// Goal: two drawn workloads and one from a file, side by side, through a node's death at the very
// beginning; the verdict is for people and, the same, for programs.
TEST_F(StockProgram, FailoverPlaysSeveralWorkloads) {
  Workload recorded = make_workload(3, 5, 60);
  for (WorkloadCommand& command : recorded) {
    command.contract = "recorded-" + command.contract;
    if (auto* start = std::get_if<Start>(&command.command)) start->contract_id = command.contract;
  }
  write_workload_file(recorded);
  const std::string file = scenario(R"(
[[workload]]
kind = "contracts"
keys = 20
rate = 100
[[workload]]
kind = "contracts"
keys = 10
rate = 50
ops = { get = 3, pay = 1 }
[[workload]]
kind = "contracts"
file = "day.jsonl"
rate = 50
[[fault]]
at = "0s"
do = "kill"
node = "a"
restart_after = "1s"
[[expect]]
at = "2500ms"
running = { kind = "contracts", count = 35 }
)");
  const std::string json = (root_ / "verdict.json").string();
  const ProgramResult result = run_in_scratch({"failover", file, "--json", json, "--seed", "5"});
  EXPECT_EQ(result.code, 0) << result.out << result.error;
  EXPECT_THAT(result.out, testing::Not(HasSubstr("where 0 names live")));
  std::ifstream in(json);
  const nlohmann::json verdict = nlohmann::json::parse(in);
  EXPECT_EQ(verdict.at("passed"), true);
  EXPECT_EQ(verdict.at("seed"), 5);
  expect_nothing_left({});
}

// Goal: what does not hold is code 1 with the command that replays it, and the logs stay.
TEST_F(StockProgram, FailoverFailsWhenAnExpectationDoes) {
  const std::string file = scenario(
      "[[workload]]\nkind = \"contracts\"\nkeys = 3\n"
      "[[expect]]\nat = \"1s\"\nnode = \"a\"\nstate = \"down\"\n"
      "[[expect]]\nat = \"1s\"\nrunning = { kind = \"contracts\", count = 4 }\n");
  const ProgramResult result = run_in_scratch({"failover", file, "--seed", "2"});
  EXPECT_EQ(result.code, 1) << result.out << result.error;
  EXPECT_THAT(result.out, AllOf(HasSubstr("FAIL  expect at 1s: a is down: active"),
                                HasSubstr("FAIL  expect at 1s: 4 contracts run once each: 3"),
                                HasSubstr("Replay: coterie failover " + file + " --seed 2")));
  EXPECT_FALSE(fs::is_empty(scratch_));
}

// Goal: mistakes in a scenario are one line with their place and code 2, and nothing is started.
TEST_F(StockProgram, FailoverTellsWhatIsWrong) {
  write("day.jsonl", R"({"request_id":"r","contract":"contract-3","op":"get"})");
  write("broken.jsonl", "\n{");
  const std::string contracts = "[[workload]]\nkind = \"contracts\"\n";
  struct Row {
    std::string rest, error;
  };
  const Row rows[] = {
      {contracts + "keys = 4\n" + contracts + "file = \"day.jsonl\"\n",
       "s.toml:9:1: two workloads of the kind \"contracts\" have the name \"contract-3\""},
      {contracts + "file = \"broken.jsonl\"\n", "broken.jsonl:2:"},
      {contracts + "file = \"none.jsonl\"\n", "s.toml:8:8: "},
      {"[[fault]]\nat = \"1s\"\ndo = \"partition\"\ngroups = [[\"a\"], [\"b\", \"d\"]]\n",
       "s.toml:9:24: the cluster has no node \"d\""},
      {"[[fault]]\nat = \"1s\"\ndo = \"clock_jump\"\nnode = \"a\"\nby = \"1s\"\n",
       "s.toml:8:6: \"clock_jump\" is for the simulator only"},
      {"[[fault]]\nat = \"1s\"\ndo = \"kil\"\nnode = \"a\"\n", "did you mean \"kill\"?"},
      {"[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"d\"\n", "s.toml:9:8: "},
  };
  for (const Row& row : rows) {
    const ProgramResult result = run_in_scratch({"failover", scenario(row.rest)});
    EXPECT_EQ(result.code, 2) << result.out << result.error;
    EXPECT_TRUE(coterie::one_line(result.error)) << result.error;
    EXPECT_THAT(result.error, HasSubstr(row.error));
    expect_nothing_left({});
  }
}

}  // namespace
}  // namespace contracts
