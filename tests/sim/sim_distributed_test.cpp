// A distributed application on whole simulated nodes: priority, failover, takeover, and what
// becomes of it on a node that is cut off.

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include <coterie/application.hpp>
#include <coterie/distributed_application.hpp>
#include <coterie/gen_server.hpp>

#include "sim/sim_cluster.hpp"

namespace coterie::test {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;
using Kind = StartType::Kind;

struct Book {
  std::vector<std::pair<std::string, StartType>> starts;
  std::set<std::string> running;
  std::size_t most = 0;
  std::string broken{};  // where it cannot run
  Duration farewell{};   // that its end takes
  std::size_t farewells = 0;
};

class Work final : public GenServer {
 public:
  Work(Book* book, const StartType& type) : book_(*book), node_(node_name()) {
    if (node_ == book_.broken) throw std::runtime_error("not here");
    book_.starts.emplace_back(node_, type);
    book_.running.insert(node_);
    book_.most = std::max(book_.most, book_.running.size());
  }
  ~Work() { book_.running.erase(node_); }
  void terminate(const ExitReason&) {
    sleep(book_.farewell);
    ++book_.farewells;
  }

 private:
  Book& book_;
  const std::string node_;
};

/// With the engine of that cluster file, and a seed.
class DistributedNodes : public testing::TestWithParam<std::tuple<std::string, int>> {
 protected:
  explicit DistributedNodes(bool by_file = false) : by_file_(by_file) {}
  ~DistributedNodes() override {
    for (const auto& violation : cluster_.violations()) ADD_FAILURE() << violation.text;
  }
  ClusterConfig read_config() const {
    auto loaded =
        load_config(COTERIE_SOURCE_DIR "/cluster-configs/" + std::get<0>(GetParam()) + "-3.toml");
    EXPECT_TRUE(loaded) << to_string(loaded.error());
    for (NodeSection& node : loaded->nodes) {
      node.kinds.clear();
      node.respawn = false;
    }
    if (by_file_) loaded->distributed = {{"work", {"c", "{b}"}, 5s, {}, {}}};
    return *std::move(loaded);
  }
  Application application() {
    std::vector<std::vector<std::string>> nodes;
    if (!by_file_) nodes = {{"a"}, {"b", "c"}};
    return {.name = "work", .children = [this, nodes] {
              return std::vector{distributed_application(
                  {.name = "work",
                   .nodes = nodes,
                   .timeout = 3s,
                   .sync = 2s,
                   .children = [this](const StartType& type) {
                     return std::vector{child<Work>("work", {.trap_exit = true}, &book_, type)};
                   }})};
            }};
  }
  void start(const Strings& nodes) {
    for (const std::string& node : nodes) ASSERT_TRUE(cluster_.host(node).start());
  }
  /// Voters that have never met wait for all of them; after that a majority will do.
  void have_met() {
    start(all_);
    ASSERT_TRUE(world_.run_until([&] { return cluster_.whole(all_); }, 20s));
    for (const std::string& node : all_) ASSERT_TRUE(cluster_.host(node).stop());
    ASSERT_TRUE(world_.run_until(
        [&] {
          return std::ranges::all_of(
              all_, [&](const std::string& node) { return !cluster_.host(node).guardian_runs(); });
        },
        60s));
    world_.run_for(10s);
    book_ = {};
  }
  bool runs_on(const std::string& node, Duration most = 60s) {
    return world_.run_until([&] { return book_.running == std::set{node}; }, most);
  }
  void isolate(bool cut) {
    for (const std::string node : {"b", "c"}) {
      cluster_.links().cut("a", node, cut);
      cluster_.links().cut(node, "a", cut);
    }
    cluster_.host("a").disk().away = cut;
  }
  const StartType& last() const { return book_.starts.back().second; }

  const bool by_file_;
  const ClusterConfig config_ = read_config();
  const Strings all_{"a", "b", "c"};
  Book book_;
  sim::SimWorld world_{static_cast<std::uint64_t>(std::get<1>(GetParam()))};
  sim::SimCluster cluster_{world_, config_, {application()}};
};

// Goal: the first of the list starts it; when that is lost an equal does, after the timeout; when
// it is back it takes over. At no time do two run.
TEST_P(DistributedNodes, FailsOverAndIsTakenOver) {
  start({"a", "b", "c"});
  ASSERT_TRUE(runs_on("a"));
  world_.run_for(10s);
  ASSERT_EQ(book_.starts.size(), 1u);
  EXPECT_EQ(last().kind, Kind::normal);
  const Epoch first = last().epoch;
  EXPECT_TRUE(first);

  ASSERT_TRUE(cluster_.host("a").power_off());
  book_.running.clear();
  const Time lost = world_.now();
  ASSERT_TRUE(world_.run_until([&] { return book_.running.size() == 1; }, 60s));
  EXPECT_GE(world_.now() - lost, 3s);
  EXPECT_LT(world_.now() - lost, 10s);
  const std::string second = *book_.running.begin();
  EXPECT_NE(second, "a");
  EXPECT_EQ(last().kind, Kind::failover);
  EXPECT_EQ(last().node, "a");
  EXPECT_GT(last().epoch, first);
  world_.run_for(10s);
  EXPECT_EQ(book_.starts.size(), 2u) << "not between equals";

  start({"a"});
  ASSERT_TRUE(runs_on("a"));
  EXPECT_EQ(last().kind, Kind::takeover);
  EXPECT_EQ(last().node, second);
  world_.run_for(10s);
  EXPECT_EQ(book_.starts.size(), 3u);
  EXPECT_EQ(book_.most, 1u);
}

// Goal: a takeover waits until the children have stopped in their own time.
TEST_P(DistributedNodes, ATakeoverIsOrderly) {
  have_met();
  start({"b", "c"});
  ASSERT_TRUE(world_.run_until([&] { return book_.running.size() == 1; }, 60s));
  book_.farewell = 4s;
  start({"a"});
  ASSERT_TRUE(runs_on("a"));
  EXPECT_EQ(book_.farewells, 1u);
  EXPECT_EQ(book_.most, 1u);
  EXPECT_EQ(last().kind, Kind::takeover);
}

// Goal: where its children cannot run the application ends, and the node with it, as with every
// permanent application; the next node starts it.
TEST_P(DistributedNodes, GivesUpWhereItCannotRun) {
  book_.broken = "a";
  start({"a", "b", "c"});
  ASSERT_TRUE(world_.run_until([&] { return book_.running.size() == 1; }, 2min));
  EXPECT_FALSE(book_.running.contains("a"));
}

// Goal: at a first start those of lower priority wait for the others, and then do without them.
TEST_P(DistributedNodes, WaitsForThoseBefore) {
  start({"b", "c"});
  world_.run_for(1s);
  start({"a"});
  ASSERT_TRUE(runs_on("a"));
  EXPECT_EQ(book_.starts.size(), 1u);
}
TEST_P(DistributedNodes, GoesOnWithoutThoseBefore) {
  have_met();
  start({"b", "c"});
  ASSERT_TRUE(world_.run_until([&] { return book_.running.size() == 1; }, 60s));
  EXPECT_EQ(last().kind, Kind::normal);
}

// Goal: cut off from everything, a node ends the application soon after its lease, before others
// have started it; healed, it takes it over again.
TEST_P(DistributedNodes, ACutOffNodeEndsIt) {
  start({"a", "b", "c"});
  ASSERT_TRUE(runs_on("a"));
  world_.run_for(2s);  // the others have seen it
  isolate(true);
  ASSERT_TRUE(world_.run_until([&] { return !book_.running.contains("a"); }, 60s));
  ASSERT_TRUE(world_.run_until([&] { return book_.running.size() == 1; }, 60s));
  EXPECT_EQ(last().kind, Kind::failover);
  EXPECT_EQ(book_.most, 1u);
  world_.run_for(10s);
  isolate(false);
  ASSERT_TRUE(runs_on("a")) << "it came back and took it over";
  EXPECT_EQ(book_.most, 1u);
}

// Goal: the same when it is cut off at any moment of its start.
TEST_P(DistributedNodes, ACutOffNodeEndsWhatItHasJustBegun) {
  for (const Duration moment : {0ms, 5ms, 20ms, 50ms, 100ms}) {
    book_ = {};
    start({"a", "b", "c"});
    ASSERT_TRUE(world_.run_until([&] { return cluster_.whole(all_); }, 20s));
    world_.run_for(moment);
    isolate(true);
    world_.run_for(4s);
    EXPECT_FALSE(book_.running.contains("a"));
    ASSERT_TRUE(world_.run_until([&] { return book_.running.size() == 1; }, 60s));
    isolate(false);
    ASSERT_TRUE(runs_on("a"));
    for (const std::string& node : all_) ASSERT_TRUE(cluster_.host(node).stop());
    ASSERT_TRUE(world_.run_until([&] { return book_.running.empty(); }, 60s));
    world_.run_for(20s);
  }
}

class DistributedByTheFile : public DistributedNodes {
 protected:
  DistributedByTheFile() : DistributedNodes(true) {}
};
// Goal: what the cluster file says of nodes and times goes before what the program says.
TEST_P(DistributedByTheFile, TheFileSaysWhereItRuns) {
  start({"a", "b", "c"});
  ASSERT_TRUE(runs_on("c"));
  world_.run_for(10s);
  ASSERT_TRUE(cluster_.host("c").power_off());
  book_.running.clear();
  const Time lost = world_.now();
  ASSERT_TRUE(runs_on("b"));
  EXPECT_GE(world_.now() - lost, 5s);
  ASSERT_TRUE(cluster_.host("b").stop());
  world_.run_for(20s);
  EXPECT_TRUE(book_.running.empty()) << "a is in none of the groups";
  start({"b", "c"});
  ASSERT_TRUE(runs_on("c"));
  EXPECT_EQ(book_.most, 1u);
}

TEST(DistributedApplications, RefusesWhatIsAMistake) {
  EXPECT_THROW(static_cast<void>(distributed_application({.name = "x"})), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(BothEngines, DistributedByTheFile,
                         testing::Combine(testing::Values("local", "voters"), testing::Range(1, 3)),
                         [](const auto& drawn) {
                           return std::get<0>(drawn.param) +
                                  std::to_string(std::get<1>(drawn.param));
                         });
INSTANTIATE_TEST_SUITE_P(BothEngines, DistributedNodes,
                         testing::Combine(testing::Values("local", "voters"), testing::Range(1, 9)),
                         [](const auto& drawn) {
                           return std::get<0>(drawn.param) +
                                  std::to_string(std::get<1>(drawn.param));
                         });

}  // namespace
}  // namespace coterie::test
