// Voters that lose their disks, and majorities that are lost for good, with real nodes and the
// commands that an operator has for them. Everything is waited for; nothing passes by being fast.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "node/local_cluster.hpp"
#include "node/run_directory.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

constexpr Duration long_enough = 60s;

struct Ran {
  int code = -1;
  std::string output;
};

Ran run(const std::string& arguments) {
  Ran ran;
  FILE* pipe = ::popen((std::string(COTERIE_PROGRAM) + " " + arguments + " 2>&1").c_str(), "r");
  char bytes[512];
  while (std::fgets(bytes, sizeof bytes, pipe) != nullptr) ran.output += bytes;
  const int status = ::pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

class Voters : public testing::Test {
 protected:
  void SetUp() override {
    LocalClusterOptions options;
    options.config_file = std::string(COTERIE_SOURCE_DIR) + "/tests/failover/cluster.toml";
    options.directory = directory.path();
    options.overrides = {{"cluster.agreement", "voters", {"this test", 0, 0}}};
    options.program = COTERIE_PROGRAM;
    auto made = LocalCluster::make(clock, random, std::move(options));
    ASSERT_TRUE(made) << made.error();
    cluster = *std::move(made);
    for (const std::string& node : all) ASSERT_TRUE(cluster->start(node));
    const auto active = cluster->wait_active(all, long_enough);
    ASSERT_TRUE(active) << active.error();
  }

  /// Until the node says so of itself.
  bool becomes(const std::string& node, const std::function<bool(const NodeStatus&)>& so) {
    const Time end = after(clock.now(), long_enough);
    while (clock.now() < end) {
      if (const auto status = cluster->status(node); status && so(*status)) return true;
    }
    return false;
  }
  bool is_active(const std::string& node) {
    return becomes(node, [](const NodeStatus& status) { return status.state == "active"; });
  }
  bool has_vote(const std::string& node, const std::string& vote) {
    return becomes(node, [&](const NodeStatus& status) { return status.vote == vote; });
  }
  std::string config() const { return " --config " + cluster->config_file().string(); }

  /// The cluster file with these voters, for every node that starts from now on.
  void rewrite_voters(const std::string& voters) {
    std::ifstream in(cluster->config_file());
    std::stringstream text;
    text << in.rdbuf();
    std::string changed = text.str();
    const std::string with = "voters = [" + voters + "]\n";
    const auto line = changed.find("voters = [");
    if (line != std::string::npos) changed.erase(line, changed.find('\n', line) + 1 - line);
    changed.insert(changed.find("[cluster]\n") + 10, with);
    std::ofstream(cluster->config_file(), std::ios::trunc) << changed;
  }

  const std::vector<std::string> all{"a", "b", "c"};
  SystemClock clock;
  SystemRandom random;
  RunDirectory directory = RunDirectory::make("", "voters-test").value();
  std::unique_ptr<LocalCluster> cluster;
};

// Goal: a voter that comes back with an empty disk is a member without a vote; admitted, its vote
// counts: with it and without another one the cluster decides.
TEST_F(Voters, AReplacedVoterIsAdmitted) {
  const std::string admit = "voter admit c" + config();
  EXPECT_THAT(run(admit + " --confirm 'the old disk of c is gone'").output,
              HasSubstr("votes already"));
  ASSERT_TRUE(cluster->power_off("c"));
  ASSERT_TRUE(cluster->lose_state("c"));
  ASSERT_TRUE(cluster->start("c"));
  ASSERT_TRUE(has_vote("c", "waits")) << cluster->log_tail("c", 30);
  ASSERT_TRUE(is_active("c"));
  EXPECT_THAT(run("status" + config()).output, HasSubstr("coterie voter admit c"));

  const Ran unvouched = run(admit);
  EXPECT_EQ(unvouched.code, 2);
  EXPECT_THAT(unvouched.output, HasSubstr("--confirm \"the old disk of c is gone\""));
  EXPECT_EQ(run("voter admit d" + config()).code, 2);
  ASSERT_TRUE(has_vote("c", "waits"));

  const Ran admitted = run(admit + " --confirm 'the old disk of c is gone'");
  EXPECT_EQ(admitted.code, 0) << admitted.output << cluster->log_tail("c", 30);
  ASSERT_TRUE(cluster->power_off("a"));
  const std::vector<std::string> rest{"b", "c"};
  EXPECT_TRUE(becomes("c", [](const NodeStatus& status) {
    return status.state == "active" && status.members.size() >= 2 &&
           std::ranges::none_of(status.members, [](const MemberStatus& member) {
             return member.name == "a" && member.incarnation.id != NodeId::none;
           });
  })) << cluster->log_tail("c", 30);

  // The vote outlives the next start.
  ASSERT_TRUE(cluster->start("a"));
  ASSERT_TRUE(is_active("a"));
  ASSERT_TRUE(cluster->power_off("c"));
  ASSERT_TRUE(cluster->start("c"));
  EXPECT_TRUE(has_vote("c", "votes")) << cluster->log_tail("c", 30);
}

// Goal: an admission needs the others: who is not let in for want of a majority is not admitted.
TEST_F(Voters, AnAdmissionNeedsTheOthers) {
  ASSERT_TRUE(cluster->power_off("c"));
  ASSERT_TRUE(cluster->lose_state("c"));
  ASSERT_TRUE(cluster->power_off("a"));
  ASSERT_TRUE(cluster->start("c"));
  ASSERT_TRUE(has_vote("c", "waits"));
  const std::string admit = "voter admit c" + config() + " --confirm 'the old disk of c is gone'";
  const Ran refused = run(admit);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.output, HasSubstr("has to be active first"));
  ASSERT_TRUE(cluster->start("a"));
  ASSERT_TRUE(is_active("c")) << cluster->log_tail("c", 30);
  EXPECT_EQ(run(admit).code, 0);
  EXPECT_TRUE(has_vote("c", "votes")) << cluster->log_tail("c", 30);
}

// Goal: what is left of a lost majority goes on when its operator gives the others up, word by
// word, and not before; those are refused for ever, with their old file and with the new one.
TEST_F(Voters, ALostMajorityIsGivenUp) {
  const std::string recover = "recover --force-voters --name c" + config();
  const Ran whole = run(recover);
  EXPECT_EQ(whole.code, 1);
  EXPECT_THAT(whole.output, HasSubstr("stop the node first"));
  ASSERT_TRUE(cluster->power_off("c"));
  const Ran all_named = run(recover);
  EXPECT_EQ(all_named.code, 1);
  EXPECT_THAT(all_named.output, HasSubstr("names all 3 voters"));

  std::ifstream in(cluster->config_file());
  std::stringstream old_file;
  old_file << in.rdbuf();
  rewrite_voters("\"c\"");
  const Ran alive = run(recover + " --confirm 'give up a, b for ever'");
  EXPECT_EQ(alive.code, 1);
  EXPECT_THAT(alive.output, AllOf(HasSubstr("lives"), HasSubstr("nothing was changed")));

  ASSERT_TRUE(cluster->power_off("a"));
  ASSERT_TRUE(cluster->power_off("b"));
  const Ran told = run(recover);
  EXPECT_EQ(told.code, 1);
  EXPECT_THAT(told.output, AllOf(HasSubstr("What this gives up"), HasSubstr("given up: a, b"),
                                 HasSubstr("--confirm \"give up a, b for ever\"")));
  EXPECT_EQ(run(recover + " --confirm 'give up a'").code, 1);
  const Ran done = run(recover + " --confirm 'give up a, b for ever'");
  EXPECT_EQ(done.code, 0) << done.output;
  std::ifstream record(cluster->config().find("c")->state_dir + "/recovered");
  std::stringstream recorded;
  recorded << record.rdbuf();
  EXPECT_THAT(recorded.str(), AllOf(HasSubstr("history 1 begins"), HasSubstr("given up: a, b")));

  ASSERT_TRUE(cluster->start("c"));
  EXPECT_TRUE(is_active("c")) << cluster->log_tail("c", 30);
  EXPECT_TRUE(has_vote("c", "votes"));
  // b comes back as a member with the new file; it is no voter any more.
  ASSERT_TRUE(cluster->start("b"));
  EXPECT_TRUE(is_active("b")) << cluster->log_tail("b", 30);
  EXPECT_TRUE(has_vote("b", "none"));
  // a comes back with the old file, in which a and b are a majority.
  std::ofstream(cluster->config_file(), std::ios::trunc) << old_file.str();
  ASSERT_TRUE(cluster->start("a"));
  EXPECT_TRUE(has_vote("a", "none")) << cluster->log_tail("a", 30);
  EXPECT_THAT(cluster->log_tail("a", 100), HasSubstr("given up by `coterie recover"));
  EXPECT_TRUE(is_active("c"));
}

}  // namespace
}  // namespace coterie
