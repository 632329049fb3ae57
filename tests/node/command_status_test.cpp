// What `coterie status` says of the nodes' answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/status_table.hpp"
#include "process/json.hpp"

namespace coterie {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

NodeStatus active(const std::string& name, std::uint64_t id) {
  NodeStatus status;
  status.cluster = "local-3";
  status.node = name;
  status.incarnation = {id, NodeId{0xabcdef000 + id}};
  status.state = "active";
  status.lease_left_ms = 1800;
  status.guardian = true;
  status.os_pid = 4000 + static_cast<std::int64_t>(id);
  status.uptime_ms = 7'384'000;
  status.view = 7;
  status.processes = 20;
  status.kinds = {{"contracts", 10 * id, 0, 0, 0, 0, 2, 3, ""}};
  return status;
}

/// Two nodes that see each other.
std::vector<NodeAnswer> pair_of_nodes() {
  std::vector<NodeAnswer> nodes = {{"a", "127.0.0.1:7201", "", active("a", 1)},
                                   {"b", "127.0.0.1:7202", "", active("b", 2)}};
  for (NodeAnswer& node : nodes) {
    for (const NodeAnswer& other : nodes) {
      MemberStatus member;
      member.name = other.name;
      member.incarnation = other.status->incarnation;
      member.connected = true;
      node.status->members.push_back(member);
    }
  }
  return nodes;
}

const WallTime noon{std::chrono::sys_days{std::chrono::year(2026) / 1 / 2} +
                    std::chrono::hours(12)};

TEST(Status, ShowsAHealthyCluster) {
  // Goal: the table as people see it, aligned, whole.
  auto nodes = pair_of_nodes();
  nodes[1].status->fullest = {{"quiet", 0}, {"ledger", 12}};
  const ClusterView view = judge_cluster("local-3", nodes);
  EXPECT_TRUE(view.healthy);
  EXPECT_THAT(view.problems, IsEmpty());
  EXPECT_EQ(status_table(view, noon), R"(cluster local-3: 2 of 2 nodes active

NODE  STATE   INCARNATION  VIEW  LEASE   UP SINCE              UP     NAMES  RESTARTS  PROCESSES  CRASHES  QUEUED  GUARDIAN  PID
a     active  1#abcdef     7     1800ms  2026-01-02 09:56:56Z  2h03m  10     2         20         0        0       yes       4001
b     active  2#abcdef     7     1800ms  2026-01-02 09:56:56Z  2h03m  20     2         20         0        0       yes       4002

KIND       NODE  RUNNING  STARTING  WAITING  FAILED  QUARANTINED  RESTARTS  TAKEN OVER  LAST ERROR
contracts  a     10       0         0        0       0            2         3           -
contracts  b     20       0         0        0       0            2         3           -

FULLEST MAILBOXES  NODE  MESSAGES
ledger             b     12
)");
}

TEST(Status, AnUnreachableNodeIsShownWithItsReason) {
  // Goal: a node that does not answer makes the cluster unhealthy and is in the table.
  auto nodes = pair_of_nodes();
  nodes.push_back({"c", "db.example:7203", "db.example:7203: Name or service not known", {}});
  const ClusterView view = judge_cluster("local-3", nodes);
  EXPECT_FALSE(view.healthy);
  EXPECT_THAT(view.problems, ElementsAre("node c is unreachable: db.example:7203: Name or service "
                                         "not known"));
  const std::string table = status_table(view, noon);
  EXPECT_THAT(table, HasSubstr("2 of 3 nodes active"));
  EXPECT_THAT(table, HasSubstr("\nc     unreachable\n"));
  EXPECT_THAT(table, HasSubstr("\n! node c is unreachable: "));
}

TEST(Status, EachProblemHasItsLine) {
  // Goal: what makes a cluster unhealthy, and what only deserves a line.
  struct Row {
    std::function<void(std::vector<NodeAnswer>&)> change;
    bool healthy;
    std::vector<std::string> problems;
  };
  const Row rows[] = {
      {[](auto& n) { n[1].status->state = "frozen"; }, false, {"node b is frozen"}},
      {[](auto& n) { n[1].status->view = 6; },
       false,
       {"the nodes are in different views: 6 (b) 7 (a)"}},
      {[](auto& n) { n[0].status->members.pop_back(); }, false, {"node b is not in the view of a"}},
      {[](auto& n) { n[0].status->members[1].incarnation.counter = 9; },
       false,
       {"node b is not in the view of a"}},
      {[](auto& n) { n[0].status->guardian = false; },
       true,
       {"node a has no guardian: nobody starts it again, and its death is seen by its lease only"}},
      {[](auto& n) {
         n[0].status->members[1].connected = false;
         n[0].status->members[1].link = "resolving h";
       },
       true,
       {"node a is not connected with b: resolving h"}},
      {[](auto& n) { n[0].status->kinds[0].failed = n[1].status->kinds[0].failed = 4; },
       true,
       {"contracts: 4 names have failed for good"}},
      {[](auto& n) { n[1].status->kinds[0].quarantined = 1; },
       true,
       {"contracts: 1 names are quarantined, each took two nodes down"}},
  };
  for (const Row& row : rows) {
    auto nodes = pair_of_nodes();
    row.change(nodes);
    const ClusterView view = judge_cluster("local-3", nodes);
    EXPECT_EQ(view.problems, row.problems);
    EXPECT_EQ(view.healthy, row.healthy) << row.problems.front();
  }
}

TEST(Status, TheJsonHoldsEverything) {
  // Goal: programs get what people see, absent statuses as null.
  std::vector<NodeAnswer> nodes = {{"a", "x:1", "", active("a", 1)}, {"b", "y:1", "why", {}}};
  const std::string json = to_json(judge_cluster("local-3", nodes));
  EXPECT_THAT(json, HasSubstr(R"("cluster":"local-3","healthy":false)"));
  EXPECT_THAT(json, HasSubstr(R"("state":"active","lease_left_ms":1800)"));
  EXPECT_THAT(json, HasSubstr(R"({"name":"b","address":"y:1","error":"why","status":null})"));
}

}  // namespace
}  // namespace coterie
