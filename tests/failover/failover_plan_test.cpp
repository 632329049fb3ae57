// A failover test that cannot begin: every mistake in the scenario or its cluster is one line with
// its place, before anything starts; the command's exit code is then 2.

#include "sim/failover_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sim/failover_command.hpp"

namespace coterie::sim {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// Of the kind "contracts"; nothing here ever drives it.
class NamedWorkload final : public Workload {
 public:
  std::string_view kind() const noexcept override { return "contracts"; }
  const WorkloadModel& model() const noexcept override { std::abort(); }
  std::vector<std::string> words() const override { return {"pay", "get"}; }
  std::expected<std::vector<WorkloadOperation>, std::string> read(std::istream&,
                                                                  std::string_view) const override {
    return {};
  }
  std::unique_ptr<Source> source(std::uint64_t,
                                 const std::map<std::string, std::uint64_t>&) const override {
    return nullptr;
  }
  WorkloadCall call(const WorkloadOperation&) const override { return {}; }
  std::expected<WorkloadAnswer, std::string> answer(const WorkloadOperation&,
                                                    BytesView) const override {
    return {};
  }
  WorkloadOperation last_read(const std::string&) const override { return {}; }
  std::vector<std::string> compare(
      std::span<const WorkloadOperation>,
      const std::map<std::string, Bytes, std::less<>>&) const override {
    return {};
  }
};

class FailoverPlanTest : public testing::Test {
 protected:
  FailoverPlanTest() {
    fs::create_directories(directory / "scenarios");
    write("cluster.toml",
          "[cluster]\nid = \"t\"\njournal = \"sqlite:j\"\n"
          "[[node]]\nname = \"a\"\nlisten = \"127.0.0.1:7101\"\nkinds = [\"contracts\"]\n"
          "respawn = true\n"
          "[[node]]\nname = \"b\"\nlisten = \"127.0.0.1:7102\"\n");
    Application application;
    application.name = "test";
    application.workloads.push_back(std::make_shared<NamedWorkload>());
    program.applications.push_back(std::move(application));
  }
  ~FailoverPlanTest() override { fs::remove_all(directory); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory / name) << text;
  }
  /// `tail` follows [scenario] and [cluster] (lines 1 to 6).
  std::expected<FailoverPlan, std::string> plan(const std::string& tail,
                                                const std::string& cluster = "") {
    write("scenarios/s.toml",
          "[scenario]\nname = \"t\"\nduration = \"5s\"\n[cluster]\n"
          "config = \"../cluster.toml\"\n" +
              cluster + "\n" + tail);
    return plan_failover(file(), program);
  }
  std::string error(const std::string& tail, const std::string& cluster = "") {
    const auto made = plan(tail, cluster);
    return made ? "no error" : made.error();
  }
  std::string file() const { return (directory / "scenarios/s.toml").string(); }

  const fs::path directory =
      fs::path(testing::TempDir()) /
      ("failover_plan_" +
       std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
  Program program;
};

// The timeline, not the guardian, decides when a node comes back, unless the file says otherwise.
TEST_F(FailoverPlanTest, ReadsScenarioAndCluster) {
  const auto made = plan("[[workload]]\nkind = \"contracts\"\nkeys = 3\nops = { pay = 1 }\n",
                         "override = { \"lease.length\" = \"3s\" }");
  ASSERT_TRUE(made) << made.error();
  EXPECT_THAT(made->nodes, ElementsAre("a", "b"));
  EXPECT_EQ(made->config.lease.length, std::chrono::seconds(3));
  EXPECT_FALSE(made->config.find("a")->respawn);
  EXPECT_TRUE(made->workloads.contains("contracts"));

  const auto kept = plan("", "nodes = [\"a\"]\noverride = { \"node.a.respawn\" = true }");
  ASSERT_TRUE(kept) << kept.error();
  EXPECT_THAT(kept->nodes, ElementsAre("a"));
  EXPECT_TRUE(kept->config.find("a")->respawn);
}

TEST_F(FailoverPlanTest, MistakesAreLinesWithTheirPlace) {
  const std::string at = file() + ":";
  EXPECT_THAT(error("[[fault]]\nat = \"1s\"\ndo = \"kil\"\nnode = \"a\"\n"),
              AllOf(StartsWith(at + "9:6: "), HasSubstr("\"kill\"")));
  EXPECT_THAT(error("[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"d\"\n"),
              AllOf(StartsWith(at + "10:8: "), HasSubstr("no node \"d\"")));
  EXPECT_THAT(error("[[fault]]\nat = \"1s\"\ndo = \"clock_stop\"\nnode = \"a\"\n"),
              AllOf(StartsWith(at + "9:6: "), HasSubstr("for the simulator only")));
  EXPECT_THAT(error("[[fault]]\nat = \"1s\"\ndo = \"kill\"\nnode = \"owner:contract/x\"\n"),
              AllOf(StartsWith(at + "10:8: "), HasSubstr("did you mean \"contracts\"")));
  EXPECT_THAT(error("[[fault]]\nat = \"1s\"\ndo = \"poison\"\nname = \"payment/x\"\n"),
              AllOf(StartsWith(at + "9:6: "), HasSubstr("hosts \"payment\"")));
  EXPECT_THAT(error("[[fault]]\nat = \"1s\"\ndo = \"one_way\"\nfrom = \"a\"\nto = \"a\"\n"),
              AllOf(StartsWith(at + "11:6: "), HasSubstr("expected two nodes")));
  EXPECT_THAT(error("[[expect]]\nat = \"1s\"\nnode = \"c\"\nstate = \"active\"\n"),
              AllOf(StartsWith(at + "9:8: "), HasSubstr("no node \"c\"")));
  EXPECT_THAT(error("", "nodes = [\"a\", \"x\"]"),
              AllOf(StartsWith(at + "6:15: "), HasSubstr("no node \"x\"")));
  EXPECT_THAT(error("", "override = { \"lease.lenght\" = \"3s\" }"),
              AllOf(StartsWith(at + "6:"), HasSubstr("lease.length")));
  EXPECT_THAT(error("", "override = { \"lease.length\" = 3 }"), StartsWith(at + "6:"));
  EXPECT_THAT(error("[[workload]]\nkind = \"carts\"\nkeys = 1\n"),
              AllOf(StartsWith(at + "8:8: "), HasSubstr("carts")));
  EXPECT_THAT(error("[[workload]]\nkind = \"contracts\"\nkeys = 1\n", "nodes = [\"b\"]"),
              AllOf(StartsWith(at + "8:8: "), HasSubstr("no node that starts hosts")));
}

// Mistakes of the cluster file are placed there; a missing one is placed where it was named.
TEST_F(FailoverPlanTest, TheClusterFileIsChecked) {
  write("cluster.toml", "[cluster]\nid = \"t\"\njournl = \"sqlite:j\"\n");
  EXPECT_THAT(error(""), AllOf(HasSubstr("cluster.toml:3:1: "), HasSubstr("journal")));
  fs::remove(directory / "cluster.toml");
  EXPECT_THAT(error(""), StartsWith(file() + ":5:10: "));
}

TEST_F(FailoverPlanTest, FilesThatAreNone) {
  EXPECT_THAT(plan_failover((directory / "none.toml").string(), program).error(),
              HasSubstr("none.toml: cannot be read"));
  EXPECT_THAT(plan_failover(directory.string(), program).error(), HasSubstr("is a directory"));
}

// The command's exit code for all of them, and for files that it cannot write.
TEST_F(FailoverPlanTest, TheExitCodeIsTwo) {
  FailoverOptions options;
  options.scenario = "none.toml";
  EXPECT_EQ(play_failover(options, program), 2);
  ASSERT_TRUE(plan(""));
  options.scenario = file();
  options.json = "/none/verdict.json";
  EXPECT_EQ(play_failover(options, program), 2);
  options.json.clear();
  options.keep = (directory / "scenarios").string();
  EXPECT_EQ(play_failover(options, program), 2) << "not empty";
}

}  // namespace
}  // namespace coterie::sim
