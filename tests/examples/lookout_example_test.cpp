// The lookouts of examples/lookout on three nodes of a real cluster: process groups, a global name,
// its monitor and a lock, before and after the loss of the leader's node.

#include "tests/node/program_fixture.hpp"

namespace coterie {
namespace {

class LookoutExample : public ProgramTest {
 protected:
  void make_lookout() {
    std::string text = "[cluster]\nid = \"lookout\"\njournal = \"sqlite:journal\"\n";
    int port = 7001;
    for (const std::string node : {"a", "b", "c"}) {
      text += "[[node]]\nname = \"" + node + "\"\nlisten = \"127.0.0.1:" + std::to_string(port++);
      text += "\"\nclient_listen = \"127.0.0.1:" + std::to_string(port++) + "\"\n";
    }
    LocalClusterOptions options;
    options.config_file = write("lookout.toml", text);
    options.directory = root_;
    options.program = program;
    auto made = LocalCluster::make(clock_, random_, std::move(options));
    ASSERT_TRUE(made) << made.error();
    cluster_ = *std::move(made);
    start({"a", "b", "c"});
  }
  std::string report(const std::string& node) { return call({"lookout@" + node, "report"}).out; }
  /// Asks until the node says both.
  std::string report(const std::string& node, const std::string& one, const std::string& other) {
    std::string said;
    const Time end = after(clock_.now(), 60s);
    do {
      said = report(node);
    } while ((said.find(one) == std::string::npos || said.find(other) == std::string::npos) &&
             clock_.now() < end);
    EXPECT_THAT(said, AllOf(HasSubstr(one), HasSubstr(other))) << node;
    return said;
  }
};

TEST_F(LookoutExample, TheLeadMovesWhenItsNodeIsLost) {
  make_lookout();
  std::string leader;
  for (const std::string node : {"a", "b", "c"}) {
    if (report(node, "3 on the lookout", "lead").find("I lead") != std::string::npos) leader = node;
  }
  for (const std::string node : {"a", "b", "c"}) {
    if (leader.empty() &&
        report(node, "3 on the lookout", " lead").find("I lead") != std::string::npos) {
      leader = node;
    }
  }
  ASSERT_FALSE(leader.empty());
  for (const std::string node : {"a", "b", "c"}) {
    if (node != leader) report(node, "3 on the lookout", leader + " leads");
    EXPECT_EQ(call({"lookout@" + node, "ring"}).out, "\"ding\"\n");
  }
  ASSERT_TRUE(cluster_->power_off(leader));
  std::vector<std::string> others;
  for (const std::string node : {"a", "b", "c"}) {
    if (node == leader) continue;
    others.push_back(node);
    report(node, "2 on the lookout", "1 left");
  }
  std::string next;
  const Time end = after(clock_.now(), 60s);
  while (next.empty() && clock_.now() < end) {
    for (const std::string& node : others) {
      if (report(node).find("I lead") != std::string::npos) next = node;
    }
  }
  ASSERT_FALSE(next.empty());
  for (const std::string& node : others) {
    if (node != next) report(node, next + " leads", "2 on the lookout");
    EXPECT_EQ(call({"lookout@" + node, "ring"}).out, "\"ding\"\n");
  }
  EXPECT_TRUE(cluster_->stop_all(60s));
}

}  // namespace
}  // namespace coterie
