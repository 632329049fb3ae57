// Nodes that are asked for their status at every moment of their lives, with real processes.

#include <fstream>
#include <thread>

#include "node/status_question.hpp"
#include "tests/node/program_fixture.hpp"

namespace coterie {
namespace {

/// The lines of the node's log in which its guardian tells of a death that nobody asked for.
std::string unasked_deaths(const fs::path& log) {
  std::ifstream file(log);
  std::string found;
  for (std::string line; std::getline(file, line);) {
    const bool died = line.find("the node died") != std::string::npos;
    if (died && line.find("signal=9") == std::string::npos) found += line + '\n';
  }
  return found;
}

/// Asks all nodes again and again, while it lives.
class Asker {
 public:
  explicit Asker(const ClusterConfig& config) : thread_([this, &config] { run(config); }) {}
  ~Asker() {
    stop_ = true;
    thread_.join();
  }
  std::size_t rounds() const { return rounds_; }
  std::size_t answers() const { return answers_; }

 private:
  void run(const ClusterConfig& config) {
    StatusQuestion question(config, 2s, {});
    while (!stop_) {
      for (const NodeAnswer& answer : question.ask()) answers_ += answer.status.has_value();
      ++rounds_;
    }
  }
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> rounds_ = 0, answers_ = 0;
  std::thread thread_;
};

class StatusStorm : public ProgramTest {};

TEST_F(StatusStorm, HarmsNoNodeThatStartsStopsOrDies) {
  // Goal: no node dies of being asked, no answer is waited for in vain, and none is missing once
  // the cluster is whole again.
  make();
  const Words nodes{"a", "b", "c"};
  std::vector<std::unique_ptr<Asker>> askers;
  for (int i = 0; i < 4; ++i) askers.push_back(std::make_unique<Asker>(cluster_->config()));
  start(nodes);
  for (int round = 0; round < 6; ++round) {
    const std::string& node = nodes[static_cast<std::size_t>(round) % nodes.size()];
    EXPECT_EQ(call({"boxes/" + std::to_string(round), "put", "--timeout", "30s"}).code, 0);
    if (round % 3 == 0) {
      ASSERT_TRUE(cluster_->kill(node));
    } else {
      ASSERT_TRUE(round % 3 == 1 ? cluster_->power_off(node) : cluster_->stop(node));
      ASSERT_TRUE(cluster_->wait_stopped(node, 60s));
      ASSERT_TRUE(cluster_->start(node));
    }
    const auto back = cluster_->wait_active(nodes, 60s);
    ASSERT_TRUE(back) << back.error();
  }
  for (const auto& asker : askers) {
    // Two more rounds: the second one began after the last node was back.
    const std::size_t rounds = asker->rounds();
    while (asker->rounds() < rounds + 2) cluster_->wait_active(nodes, 1s);
    EXPECT_GE(asker->answers(), nodes.size());
  }
  askers.clear();
  EXPECT_TRUE(cluster_->stop_all(60s));
  for (const std::string& node : nodes) EXPECT_EQ(unasked_deaths(cluster_->log_file(node)), "");
}

}  // namespace
}  // namespace coterie
