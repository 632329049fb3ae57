// When a node starts a distributed application, by table.

#include "node/distributed_core.hpp"

#include <gtest/gtest.h>

namespace coterie {
namespace {

using namespace std::chrono_literals;
using Kind = DistributedAct::Kind;
using Names = std::set<std::string>;

struct Node {
  explicit Node(const std::string& own, Duration timeout = 0s, Duration sync = 0s)
      : core(own, {{"a"}, {"b", "c"}, {"d"}}, timeout, sync) {}
  DistributedAct see(Duration at, std::optional<std::string> holder, Names connected) {
    return core.step({Time{at}, std::move(holder), std::move(connected)});
  }
  DistributedCore core;
};

TEST(DistributedCore, TheFirstThatIsThereStartsIt) {
  EXPECT_EQ(Node("a").see(1s, {}, {"b", "c", "d"}).kind, Kind::start);
  EXPECT_EQ(Node("b").see(1s, {}, {"c", "d"}).kind, Kind::start) << "equals: who asks first";
  EXPECT_EQ(Node("x").see(1s, {}, {}).kind, Kind::wait) << "not in the list";
  Node b("b"), d("d");
  EXPECT_EQ(b.see(1s, {}, {"a"}).kind, Kind::wait);
  EXPECT_EQ(b.see(2s - 1ms, {}, {"a"}).kind, Kind::wait);
  EXPECT_EQ(b.see(2s, {}, {"a"}).kind, Kind::start) << "the one before it cannot";
  EXPECT_EQ(d.see(1s, {}, {"a", "b", "c"}).kind, Kind::wait);
  EXPECT_EQ(d.see(2s, {}, {"a", "b", "c"}).kind, Kind::wait);
  EXPECT_EQ(d.see(3s, {}, {"a", "b", "c"}).kind, Kind::start);
  const StartType normal = Node("a").see(1s, {}, {}).type;
  EXPECT_EQ(normal, StartType{});
}

TEST(DistributedCore, AFirstStartWaitsForThoseBefore) {
  Node b("b", 0s, 10s);
  EXPECT_EQ(b.see(1s, {}, {}).kind, Kind::wait);
  EXPECT_EQ(b.see(5s, {}, {"a"}).kind, Kind::start) << "it is there, and had its turn";
  Node c("c", 0s, 10s);
  EXPECT_EQ(c.see(1s, {}, {}).kind, Kind::wait);
  EXPECT_EQ(c.see(11s, {}, {}).kind, Kind::start);
  EXPECT_EQ(Node("a", 0s, 10s).see(1s, {}, {}).kind, Kind::start) << "nobody is before it";
}

TEST(DistributedCore, AfterALossItWaits) {
  Node b("b", 5s, 60s);
  EXPECT_EQ(b.see(1s, "a", {"a"}).kind, Kind::wait);
  EXPECT_EQ(b.see(2s, {}, {}).kind, Kind::wait);
  EXPECT_EQ(b.see(4s, "a", {"a"}).kind, Kind::wait) << "it has come back";
  EXPECT_EQ(b.see(6s, {}, {}).kind, Kind::wait);
  EXPECT_EQ(b.see(11s - 1ms, {}, {}).kind, Kind::wait);
  const auto act = b.see(11s, {}, {});
  EXPECT_EQ(act.kind, Kind::start);
  EXPECT_EQ(act.type, (StartType{StartType::Kind::failover, "a", {}}));
}

// Goal: who has run it itself, for however long, waits as everybody does.
TEST(DistributedCore, AfterItsOwnRunItWaits) {
  Node b("b", 5s);
  EXPECT_EQ(b.see(1s, {}, {}).kind, Kind::start);
  b.core.started();
  EXPECT_EQ(b.see(100s, {}, {"a"}).kind, Kind::wait);
  EXPECT_EQ(b.see(106s - 1ms, {}, {"a"}).kind, Kind::wait);
  const auto act = b.see(106s, {}, {"a"});
  EXPECT_EQ(act.kind, Kind::start);
  EXPECT_EQ(act.type, (StartType{StartType::Kind::failover, "b", {}}));
}

TEST(DistributedCore, OnlyAHigherOneTakesOver) {
  const auto act = Node("a").see(1s, "c", {"c"});
  EXPECT_EQ(act.kind, Kind::take_over);
  EXPECT_EQ(act.type, (StartType{StartType::Kind::takeover, "c", {}}));
  EXPECT_EQ(Node("b").see(1s, "c", {"c"}).kind, Kind::wait) << "not between equals";
  EXPECT_EQ(Node("d").see(1s, "c", {"c"}).kind, Kind::wait);
  EXPECT_EQ(Node("x").see(1s, "c", {"c"}).kind, Kind::wait);
  EXPECT_EQ(Node("b").see(1s, "d", {"d"}).kind, Kind::take_over);
  EXPECT_EQ(Node("a").see(1s, "a", {}).kind, Kind::wait);
  EXPECT_EQ(Node("d").see(1s, "x", {}).kind, Kind::take_over) << "one that is in no list any more";
}

}  // namespace
}  // namespace coterie
