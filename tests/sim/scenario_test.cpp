// Goal: a scenario file means what scenarios.md says, and nothing that it says is ever ignored.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/scenario_reader.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

const std::vector<WorkloadKind> kinds{
    {"contracts", {"approve", "reject", "disburse", "pay", "get", "invalid"}}};
const std::vector<std::string> abc{"a", "b", "c"};

std::expected<Scenario, std::string> read(std::string_view text) {
  return read_scenario(text, "s.toml", kinds);
}

// The sample of scenarios.md, unchanged but for its comments.
constexpr std::string_view sample = R"(
[scenario]
name     = "minority keeps no contract"
duration = "40s"
engine   = ["sim", "real"]
seed     = 7

[cluster]
config   = "../local-3.toml"
nodes    = ["a", "b", "c"]
override = { "lease.length" = "2s", "lease.interval" = "200ms" }

[[workload]]
kind    = "contracts"
keys    = 200
clients = 8
rate    = 500
on      = ["a", "b", "c"]
ops     = { approve = 2, reject = 1, disburse = 2, pay = 6, get = 10, invalid = 1 }

[[fault]]
at = "5s"
do = "partition"
groups = [["a", "b"], ["c"]]

[[fault]]
at = "15s"
do = "heal"

[[fault]]
every = "4s"
after = "18s"
until = "34s"
max_down = 1
pick  = [
  { do = "kill",    node = "*", restart_after = "1s..6s" },
  { do = "pause",   node = "owner:contracts/contract-7", for = "300ms..3s" },
  { do = "one_way", from = "*", to = "*", for = "3s" },
]

[[expect]]
at    = "7100ms"
node  = "c"
state = "frozen"

[[expect]]
at      = "9s"
running = { kind = "contracts", count = 200, on = ["a", "b"] }

[verdict]
promises     = ["P1", "P2", "P3", "P4", "P5", "P6"]
linearizable = true
lost         = 0
doubled      = 0
downtime     = { p99 = "8s" }
unknown_max  = "1%"
)";

TEST(Scenario, ReadsTheDocumentedSample) {
  const auto read_sample = read(sample);
  ASSERT_TRUE(read_sample) << read_sample.error();
  const Scenario& s = *read_sample;
  EXPECT_EQ(s.name, "minority keeps no contract");
  EXPECT_EQ(s.duration, 40s);
  EXPECT_EQ(s.seed, 7u);
  EXPECT_EQ(s.cluster.config.text, "../local-3.toml");
  ASSERT_EQ(s.cluster.overrides.size(), 2u);
  EXPECT_EQ(s.cluster.overrides[0].key, "lease.length");
  EXPECT_THAT(s.cluster.overrides[0].value_toml, testing::AnyOf("\"2s\"", "'2s'"));
  ASSERT_EQ(s.workloads.size(), 1u);
  EXPECT_EQ(s.workloads[0].keys, 200);
  EXPECT_EQ(s.workloads[0].ops.size(), 6u);
  EXPECT_EQ(s.workloads[0].ops[3], (std::pair<std::string, std::int64_t>("pay", 6)));
  ASSERT_EQ(s.faults.size(), 3u);
  const auto& partition = std::get<FaultAt>(s.faults[0].when);
  EXPECT_EQ(partition.at, 5s);
  EXPECT_EQ(partition.action.groups.size(), 2u);
  const auto& drawn = std::get<FaultEvery>(s.faults[2].when);
  EXPECT_EQ(drawn.max_down, 1u);
  EXPECT_EQ(drawn.pick[0].restart_after, (Range{1s, 6s}));
  EXPECT_EQ(drawn.pick[1].node,
            (NodeSelector{NodeSelector::Kind::owner, "contracts/contract-7", {}}));
  EXPECT_EQ(drawn.pick[2].lasts, (Range{3s, 3s}));
  ASSERT_EQ(s.expectations.size(), 2u);
  EXPECT_EQ(std::get<ExpectState>(s.expectations[0].what).state, NodeState::frozen);
  EXPECT_EQ(std::get<ExpectRunning>(s.expectations[1].what).on.size(), 2u);
  EXPECT_EQ(s.verdict.downtime.p99, 8s);
  EXPECT_DOUBLE_EQ(s.verdict.unknown_max, 0.01);
  EXPECT_TRUE(check_nodes(s, abc));
}

TEST(Scenario, WhatIsNotBuiltIsRefusedByNameAndPlace) {
  const auto s = read(sample);
  EXPECT_TRUE(check_built(*s, Engine::real));
  EXPECT_TRUE(check_built(*s, Engine::sim));
  for (const FaultKind kind :
       {FaultKind::clock_rate, FaultKind::clock_jump, FaultKind::clock_stop}) {
    EXPECT_FALSE(is_built(kind, Engine::real));
    EXPECT_TRUE(is_built(kind, Engine::sim));
  }
}

constexpr std::string_view head =
    "[scenario]\nname = \"n\"\nduration = \"10s\"\n[cluster]\nconfig = \"c.toml\"\n";

TEST(Scenario, DefaultsAreTheDocumentedOnes) {
  const auto s = read(head);
  ASSERT_TRUE(s) << s.error();
  EXPECT_EQ(s->engines, (std::vector{Engine::sim, Engine::real}));
  EXPECT_EQ(s->verdict.promises.size(), 6u);
  EXPECT_TRUE(s->verdict.linearizable);
  EXPECT_EQ(s->verdict.lost, 0);
  EXPECT_EQ(s->verdict.downtime.p99, std::nullopt);
  EXPECT_EQ(chosen_nodes(*s, abc), abc);
}

TEST(Scenario, EveryMistakeIsPlacedAndExplained) {
  struct Row {
    std::string rest, place, text;
  };
  const Row rows[] = {
      {"[clutser]\n", "6:2: ", "did you mean \"cluster\""},
      {"[[fault]]\nat = \"1s\"\ndo = \"kil\"\nnode = \"a\"\n", "8:6: ", "did you mean \"kill\""},
      {"[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"a\"\nfor = \"1s\"\n",
       "10:1: ", "unknown key \"for\" in the fault \"kill\""},
      {"[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnod = \"a\"\n", "9:1: ", "did you mean \"node\""},
      {"[[fault]]\nat = \"1s\"\ndo = \"kill\"\n", "6:1: ", "needs the key \"node\""},
      {"[[fault]]\nat = 1\ndo = \"heal\"\n", "7:6: ", "a duration in quotes"},
      {"[[fault]]\nat = \"1 s\"\ndo = \"heal\"\n", "7:6: ", "expected a duration"},
      {"[[fault]]\ndo = \"heal\"\n", "6:1: ", "\"at\" or \"every\""},
      {"[[fault]]\nat = \"1s\"\nevery = \"1s\"\ndo = \"heal\"\n", "8:9: ", "not both"},
      {"[[fault]]\nevery = \"0s\"\npick = [{do = \"heal\"}]\n", "7:9: ", "above zero"},
      {"[[fault]]\nevery = \"1us\"\npick = [{do = \"heal\"}]\n", "6:1: ", "more than 10000 times"},
      {"[[fault]]\nevery = \"1s\"\npick = []\n", "8:8: ", "empty"},
      {"[[fault]]\nevery = \"1s\"\npick = [{do = \"heal\", node = \"a\"}]\n",
       "8:23: ", "unknown key \"node\""},
      {"[[fault]]\nat = \"1s\"\ndo = \"pause\"\nnode = \"a\"\nfor = \"3s..1s\"\n",
       "10:7: ", "ends before it begins"},
      {"[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"ownr:contracts/x\"\n",
       "9:8: ", "did you mean \"owner\""},
      {"[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"owner:contracts\"\n", "9:8: ", "KIND/ID"},
      {"[[fault]]\nat = \"1s\"\ndo = \"partition\"\ngroups = [[\"a\"], [\"a\"]]\n",
       "9:19: ", "two groups"},
      {"[[expect]]\nat = \"1s\"\nnode = \"a\"\nstate = \"frosen\"\n",
       "9:9: ", "did you mean \"frozen\""},
      {"[[expect]]\nat = \"1s\"\nnode = \"a\"\n", "6:1: ", "needs the key \"state\""},
      {"[[expect]]\nnode = \"a\"\nstate = \"down\"\n", "6:1: ", "needs the key \"at\""},
      {"[[workload]]\nkind = \"contract\"\nkeys = 1\n", "7:8: ", "did you mean \"contracts\""},
      {"[[workload]]\nkind = \"contracts\"\n", "6:1: ", "needs the key \"keys\""},
      {"[[workload]]\nkind = \"contracts\"\nkeys = 0\n", "8:8: ", "from 1 to 10000000, found 0"},
      {"[[workload]]\nkind = \"contracts\"\nkeys = 1\nops = { pya = 1 }\n",
       "9:9: ", "did you mean \"pay\""},
      {"[[workload]]\nkind = \"contracts\"\nkeys = 1\nops = { pay = 0 }\n", "9:7: ", "all zero"},
      {"[[workload]]\nkind = \"contracts\"\nkeys = 1\nfile = \"x\"\n", "9:8: ", "instead"},
      {"[verdict]\nlost = true\n", "7:8: ", "expected an integer, found true or false"},
      {"[verdict]\nunknown_max = 1\n", "7:15: ", "expected a text"},
      {"[verdict]\nunknown_max = \"1\"\n", "7:15: ", "a share"},
      {"[verdict]\npromises = [\"P7\"]\n", "7:13: ", "unknown promise"},
      {"[verdict]\ndowntime = { p95 = \"1s\" }\n", "7:14: ", "did you mean \"p99\""},
      {"nonsense\n", "7:0: ", ""},
      {"[scenario]\n", "6:1: ", "scenario"},
  };
  for (const Row& row : rows) {
    const auto s = read(std::string(head) + row.rest);
    ASSERT_FALSE(s) << row.rest;
    if (row.rest != "nonsense\n" && row.rest != "[scenario]\n") {
      EXPECT_THAT(s.error(), StartsWith("s.toml:" + row.place)) << row.rest;
    } else {
      EXPECT_THAT(s.error(), StartsWith("s.toml:")) << row.rest;
    }
    EXPECT_THAT(s.error(), HasSubstr(row.text)) << row.rest;
  }
}

TEST(Scenario, NodesAreTheClusters) {
  const auto unknown = [](std::string_view rest) {
    const auto s = read(std::string(head) + std::string(rest));
    EXPECT_TRUE(s) << s.error();
    const auto checked = check_nodes(*s, abc);
    EXPECT_FALSE(checked);
    return checked ? std::string() : checked.error();
  };
  EXPECT_EQ(unknown("nodes = [\"a\", \"d\"]\n"),
            "s.toml:6:15: the cluster has no node \"d\"; known are a, b, c, voter, most_names");
  EXPECT_THAT(unknown("[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"most_name\"\n"),
              HasSubstr("did you mean \"most_names\""));
  EXPECT_THAT(
      unknown("nodes = [\"a\", \"b\"]\n[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"c\"\n"),
      StartsWith("s.toml:10:8: "));
  EXPECT_THAT(
      unknown("[[expect]]\nat = \"1s\"\nrunning = { kind = \"x\", count = 1, on = [\"z\"] }\n"),
      HasSubstr("no node \"z\""));
}

TEST(Scenario, EnginesAreRespected) {
  const auto s = read(
      "[scenario]\nname = \"n\"\nduration = \"10s\"\nengine = [\"sim\"]\n"
      "[cluster]\nconfig = \"c.toml\"\n");
  EXPECT_THAT(check_built(*s, Engine::real).error(), HasSubstr("does not name \"real\""));
  const auto clock =
      read(std::string(head) +
           "[[fault]]\nat = \"1s\"\ndo = \"clock_jump\"\nnode = \"a\"\nby = \"-5s\"\n");
  ASSERT_TRUE(clock) << clock.error();
  EXPECT_EQ(std::get<FaultAt>(clock->faults[0].when).action.by, Duration(-5s));
  EXPECT_THAT(check_built(*clock, Engine::real).error(), HasSubstr("simulator only"));
}

TEST(Scenario, ShippedFilesAreReadAndBuilt) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(COTERIE_SCENARIOS)) {
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    const auto s = read_scenario(text.str(), entry.path().filename().string(), kinds);
    ASSERT_TRUE(s) << s.error();
    std::vector<std::string> nodes(abc.begin(), abc.end());
    if (s->cluster.config.text == "../local-5.toml") nodes.insert(nodes.end(), {"d", "e"});
    EXPECT_TRUE(check_nodes(*s, nodes)) << check_nodes(*s, nodes).error();
    for (const Engine engine : s->engines) {
      EXPECT_TRUE(check_built(*s, engine)) << check_built(*s, engine).error();
    }
    EXPECT_FALSE(s->faults.empty()) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 10u);
}

}  // namespace
}  // namespace coterie::sim
