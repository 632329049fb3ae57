// Goal: the faults that a seed draws are the same each time and leave enough nodes up.
#include "sim/timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sim/scenario_reader.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> first_nodes(std::size_t count) {
  std::vector<std::string> nodes{"a", "b", "c", "d", "e"};
  nodes.resize(count);
  return nodes;
}

Scenario scenario_with(const std::string& faults) {
  const auto s = read_scenario(
      "[scenario]\nname = \"n\"\nduration = \"60s\"\n[cluster]\nconfig = \"c\"\n" + faults,
      "s.toml", {});
  EXPECT_TRUE(s) << s.error();
  return s.value_or(Scenario{});
}

std::vector<std::string> told(const std::vector<PlannedFault>& plan) {
  std::vector<std::string> lines;
  for (const PlannedFault& fault : plan) {
    lines.push_back(
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(fault.at).count()) +
        " " + describe(fault));
  }
  return lines;
}

const std::string busy = R"(
[[fault]]
every = "500ms..3s"
after = "2s"
pick = [
  { do = "kill", node = "*", restart_after = "1s..6s" },
  { do = "pause", node = "*", for = "300ms..3s" },
  { do = "stop", node = "owner:contracts/contract-7", restart_after = "2s" },
  { do = "one_way", from = "*", to = "*", for = "1s" },
  { do = "kill", node = "*" },
  { do = "restart", node = "*" },
  { do = "pause", node = "*" },
  { do = "resume", node = "*" },
]
[[fault]]
at = "20s"
do = "kill"
node = "b"
restart_after = "5s"
)";

TEST(Timeline, FixedFaultsKeepTheirTimesAndOrder) {
  const Scenario s = scenario_with(R"(
[[fault]]
at = "9s"
do = "restart"
node = "b"
[[fault]]
at = "5s"
do = "kill"
node = "b"
[[fault]]
at = "5s"
do = "pause"
node = "most_names"
for = "2s"
[[fault]]
at = "1s"
do = "partition"
groups = [["a", "b"], ["c"]]
)");
  EXPECT_EQ(told(timeline(s, first_nodes(3), 1)),
            (std::vector<std::string>{"1000 partition a,b | c", "5000 kill b",
                                      "5000 pause most_names for 2s", "9000 restart b"}));
  EXPECT_EQ(timeline_end(s), 60s);
}

TEST(Timeline, TheSameSeedDrawsTheSameFaults) {
  const Scenario s = scenario_with(busy);
  const auto nodes = first_nodes(5);
  EXPECT_EQ(told(timeline(s, nodes, 7)), told(timeline(s, nodes, 7)));
  EXPECT_NE(told(timeline(s, nodes, 7)), told(timeline(s, nodes, 8)));
}

TEST(Timeline, AVoterIsDrawnAmongTheVoters) {
  Scenario s = scenario_with(R"(
[[fault]]
every = "1s"
pick = [{ do = "kill", node = "voter", restart_after = "100ms" }]
)");
  const auto nodes = first_nodes(5);
  const auto drawn = [&] {
    std::set<std::string> found;
    for (const PlannedFault& fault : timeline(s, nodes, 3)) found.insert(fault.action.node->text);
    return found;
  };
  EXPECT_EQ(drawn(), std::set<std::string>(nodes.begin(), nodes.end())) << "all take part";
  s.cluster.voters = {"b", "d", "e"};
  EXPECT_EQ(drawn(), (std::set<std::string>{"b", "d", "e"}));
}

TEST(Timeline, MaxDownIsNeverExceeded) {
  const Scenario s = scenario_with(busy);
  std::set<FaultKind> kinds_seen;
  for (const std::size_t count : {3u, 5u}) {
    const auto nodes = first_nodes(count);
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      // Every fault's absence as the driver would cause it, counted at every moment one begins.
      struct Away {
        Duration begin, end;
        std::string node;
        FaultKind kind;
      };
      std::vector<Away> away;
      const auto plan = timeline(s, nodes, seed);
      EXPECT_TRUE(std::ranges::is_sorted(plan, {}, &PlannedFault::at));
      for (const PlannedFault& fault : plan) {
        kinds_seen.insert(fault.action.kind);
        const std::string node = fault.action.node ? to_string(*fault.action.node) : "";
        EXPECT_NE(node, "*");
        if (fault.action.from) {
          EXPECT_NE(fault.action.from->text, fault.action.to->text);
        }
        if (nodes_taken(fault.action) == 0) {
          for (Away& other : away) {
            const bool resumes = fault.action.kind == FaultKind::resume;
            if (other.node == node && resumes == (other.kind == FaultKind::pause)) {
              other.end = std::min(other.end, fault.at);
            }
          }
          continue;
        }
        for (const Away& other : away) {
          const bool drawn_by_name = fault.max_down && fault.action.node &&
                                     fault.action.node->kind == NodeSelector::Kind::name;
          EXPECT_FALSE(drawn_by_name && other.node == node && fault.at > other.begin &&
                       fault.at < other.end)
              << "a node that is away is taken again";
        }
        away.push_back({fault.at, fault.ends_after ? fault.at + *fault.ends_after : infinity, node,
                        fault.action.kind});
      }
      for (const Away& moment : away) {
        const auto down = std::ranges::count_if(away, [&](const Away& other) {
          return other.begin <= moment.begin && moment.begin < other.end;
        });
        EXPECT_LE(down, minority(count)) << "seed " << seed;
      }
    }
  }
  EXPECT_TRUE(kinds_seen.contains(FaultKind::restart));
  EXPECT_TRUE(kinds_seen.contains(FaultKind::resume));
  EXPECT_TRUE(kinds_seen.contains(FaultKind::one_way));
}

TEST(Timeline, DrawnFaultsRepeatFromAfterUntilUntil) {
  const Scenario s = scenario_with(
      "[[fault]]\nevery = \"4s\"\nafter = \"18s\"\nuntil = \"34s\"\n"
      "pick = [{ do = \"pause\", node = \"*\", for = \"1s\" }]\n");
  std::vector<std::int64_t> at;
  for (const PlannedFault& fault : timeline(s, first_nodes(3), 3)) at.push_back(fault.at / 1s);
  EXPECT_EQ(at, (std::vector<std::int64_t>{18, 22, 26, 30}));
}

TEST(Timeline, TwoNodesAreNeverReduced) {
  EXPECT_EQ(minority(1), 0u);
  EXPECT_EQ(minority(2), 0u);
  EXPECT_EQ(minority(3), 1u);
  EXPECT_EQ(minority(5), 2u);
  const Scenario s = scenario_with(
      "[[fault]]\nevery = \"1s\"\npick = [{ do = \"kill\", node = \"*\", restart_after = \"1s\" "
      "}]\n");
  EXPECT_TRUE(timeline(s, first_nodes(2), 1).empty());
}

}  // namespace
}  // namespace coterie::sim
