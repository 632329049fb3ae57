#pragma once
// A cluster of real processes for tests of the command line: three nodes from local-3.toml with
// ports and files of their own, running test_program.cpp.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "node/config.hpp"
#include "node/local_cluster.hpp"
#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"
#include "tests/node/program_run.hpp"

namespace coterie {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

inline const fs::path program = COTERIE_TEST_PROGRAM;
inline const fs::path configs = COTERIE_SOURCE_DIR "/cluster-configs";
using Words = std::vector<std::string>;

inline bool one_line(const std::string& text) {
  return text.ends_with('\n') && std::ranges::count(text, '\n') == 1;
}

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    std::string name = (fs::temp_directory_path() / "coterie-program-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~ProgramTest() override {
    cluster_.reset();
    fs::remove_all(root_);
  }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
    return (root_ / name).string();
  }

  /// Writes a cluster file for local-3 with ports and paths of its own; starts nothing.
  void make(std::vector<ConfigOverride> overrides = {}) {
    for (const std::string node : {"a", "b", "c"}) {
      overrides.push_back({"node." + node + ".kinds", Words{"boxes"}, {"test", 1, 1}});
    }
    LocalClusterOptions options;
    options.config_file = (configs / "local-3.toml").string();
    options.directory = root_;
    options.overrides = std::move(overrides);
    options.program = program;
    auto made = LocalCluster::make(clock_, random_, std::move(options));
    ASSERT_TRUE(made) << made.error();
    cluster_ = *std::move(made);
  }
  void start(const Words& nodes) {
    for (const std::string& node : nodes) {
      const auto started = cluster_->start(node);
      ASSERT_TRUE(started) << started.error();
    }
    const auto active = cluster_->wait_active(nodes, 60s);
    ASSERT_TRUE(active) << active.error() << '\n' << cluster_->log_tail(nodes.front(), 20);
  }

  ProgramResult run(const std::string& command, Words arguments, Duration within = 60s) {
    Words all{command, "--config", cluster_->config_file().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_and_wait(program, all, within);
  }
  ProgramResult call(Words arguments) { return run("call", std::move(arguments)); }

  SystemClock clock_;
  SeededRandom random_{1};
  fs::path root_;
  std::unique_ptr<LocalCluster> cluster_;
};

}  // namespace coterie
