// Goal: cluster-configs/hosts-3.toml as it is shipped, on three hosts with PostgreSQL. The hosts
// are network namespaces with the file's addresses, the database is on the first of them, each node
// is a `coterie node` of this program, each question a `coterie call`. What is expected is waited
// for; a host or server that cannot be made is a failure.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include <coterie/program.hpp>

#include "node/address.hpp"
#include "node/exit_codes.hpp"
#include "node/local_cluster.hpp"
#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"
#include "tests/failover/counters.hpp"
#include "tests/failover/host_database.hpp"
#include "tests/failover/host_network.hpp"

namespace coterie::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* cluster_file = COTERIE_SOURCE_DIR "/cluster-configs/hosts-3.toml";

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

struct Question {
  std::string through;  // the node that is asked first
  std::string key;
  std::string words;  // TYPE and what follows
  std::string timeout = "20s";
  std::string from{};  // the host of the caller; empty: the bridge
};

class HostsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/coterie-hosts-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::permissions(root_, fs::perms(0755));
    const auto config = load_config(cluster_file);
    ASSERT_TRUE(config) << to_string(config.error());
    std::vector<HostNetwork::Host> hosts;
    for (const NodeSection& node : config->nodes) {
      hosts.push_back({node.name, parse_address(node.listen)->host});
      nodes_.push_back(node.name);
    }
    ASSERT_EQ(nodes_.size(), 3u);
    auto network = HostNetwork::make(hosts);
    ASSERT_TRUE(network) << network.error();
    network_ = *std::move(network);
    auto database = HostDatabase::make(*network_, nodes_[0], root_);
    ASSERT_TRUE(database) << database.error();
    database_ = *std::move(database);

    // The program of each node, on its host.
    std::ofstream program(root_ / "coterie");
    program << "#!/bin/sh\nfor name; do :; done\ncase $name in\n";
    for (const std::string& node : nodes_) {
      program << node << ") exec " << network_->on(node) << quoted(self_.string())
              << " \"$@\" ;;\n";
    }
    program << "esac\n";
    program.close();
    fs::permissions(root_ / "coterie", fs::perms(0755));
    LocalClusterOptions options;
    options.config_file = cluster_file;
    options.directory = root_;
    options.own_ports = false;
    options.program = root_ / "coterie";
    auto cluster = LocalCluster::make(clock_, random_, std::move(options));
    ASSERT_TRUE(cluster) << cluster.error();
    cluster_ = *std::move(cluster);
    ASSERT_EQ(cluster_->config().cluster.journal, config->cluster.journal);
    for (const std::string& node : nodes_) ASSERT_TRUE(cluster_->start(node));
    const auto active = cluster_->wait_active(nodes_, 30s);
    ASSERT_TRUE(active) << active.error();
  }

  void TearDown() override {
    if (cluster_ && HasFailure()) {
      for (const std::string& node : nodes_) {
        std::cerr << "---- log of " << node << '\n' << cluster_->log_tail(node, 60);
      }
    }
    if (cluster_) {
      // Clean: each node leaves when it is asked to, and no process of it stays.
      const auto stopped = cluster_->stop_all(20s);
      EXPECT_TRUE(stopped) << stopped.error();
      for (const std::string& node : nodes_) EXPECT_EQ(cluster_->exit_code(node), 0) << node;
    }
    cluster_.reset();
    database_.reset();
    if (network_) {
      for (const std::string& node : nodes_) {
        EXPECT_THAT(network_->processes(node), testing::IsEmpty()) << node;
      }
    }
    network_.reset();
    EXPECT_FALSE(fs::exists(root_));
  }

  Ended ask(const Question& question) const {
    return run_shell((question.from.empty() ? "" : network_->on(question.from)) +
                     quoted(self_.string()) + " call --config " +
                     quoted(cluster_->config_file().string()) + " --node " + question.through +
                     " --timeout " + question.timeout + ' ' + question.key + ' ' + question.words);
  }
  std::string add(const std::string& id) const { return "add '{\"by\":1}' --request-id " + id; }
  Ended status_of(const std::string& node) const {
    return ask({node, "coterie.node@" + node, "coterie.status", "1s", node});
  }

  /// A counter that lives on `node`, with the sum 3.
  std::string counter_on(const std::string& node) const {
    for (int i = 0; i < 40; ++i) {
      const std::string id = node + std::to_string(i);
      const std::string key = "contracts/" + id;
      const Ended started = ask({nodes_[0], key, "start"});
      EXPECT_EQ(started.exit_code, 0) << started.output;
      const auto names = cluster_->names(node, "contracts");
      if (!names || std::ranges::find(*names, id) == names->end()) continue;
      for (int n = 1; n <= 3; ++n) {
        EXPECT_EQ(ask({nodes_[0], key, add(id + '-' + std::to_string(n))}).output,
                  std::to_string(n) + '\n');
      }
      return key;
    }
    ADD_FAILURE() << "no counter lives on " << node;
    return {};
  }

  /// Until the shell command's output holds `text`; the time it took.
  template <class Try>
  Duration eventually(Duration bound, const Try& attempt) const {
    const Time start = clock_.now();
    while (!attempt()) {
      if (clock_.now() - start > bound) {
        ADD_FAILURE() << "not within " << milliseconds(bound) << " ms";
        break;
      }
      std::this_thread::sleep_for(50ms);
    }
    return clock_.now() - start;
  }

  const fs::path self_ = fs::read_symlink("/proc/self/exe");
  const SystemClock clock_;
  SeededRandom random_{3};
  fs::path root_;
  std::vector<std::string> nodes_;
  std::unique_ptr<HostNetwork> network_;
  std::unique_ptr<HostDatabase> database_;
  std::unique_ptr<LocalCluster> cluster_;
};

// Goal: one counter for all nodes; killed with its node, it answers elsewhere with every
// acknowledged addition and no repeated one.
TEST_F(HostsTest, KeepsNamesThroughTheDeathOfTheirNode) {
  const std::string key = counter_on(nodes_[1]);
  for (const std::string& node : nodes_) {
    EXPECT_EQ(ask({node, key, "get"}).output, "3\n") << node;
    const Ended again = ask({node, key, "start"});
    EXPECT_EQ(again.exit_code, exit_code::refused) << again.output;
    EXPECT_EQ(again.output, "\"already_started\"\n");
  }

  const Time killed = clock_.now();
  ASSERT_TRUE(cluster_->kill(nodes_[1]));
  const Ended after_kill = ask({nodes_[0], key, add("after-kill")});
  const Duration took = clock_.now() - killed;
  EXPECT_EQ(after_kill.output, "4\n");
  EXPECT_LT(took, cluster_->config().lease.length) << "the guardian tells; no lease is waited for";
  std::cout << "kill -9 to answer: " << milliseconds(took) << " ms\n";

  EXPECT_EQ(ask({nodes_[2], key, add("after-kill")}).output, "4\n") << "the same request";
  const auto active = cluster_->wait_active(nodes_, 20s);
  EXPECT_TRUE(active) << active.error();
  for (const std::string& node : nodes_) EXPECT_EQ(ask({node, key, "get"}).output, "4\n");
}

// Goal: a host whose cable is pulled answers nothing that others have moved past, its names run
// elsewhere after the lease, and with the cable back it is a new incarnation.
TEST_F(HostsTest, FreezesAHostThatIsCutOff) {
  const std::string lonely = nodes_[2];
  const std::string key = counter_on(lonely);
  const auto before = cluster_->status(lonely);
  ASSERT_TRUE(before) << before.error();

  // Asked on the host itself all the time. Answers are judged afterwards.
  struct Reading {
    Time asked;
    Ended ended;
  };
  std::vector<Reading> readings;
  std::atomic<bool> enough{false};
  std::atomic<int> asked_and_ended{0};
  const Time cut = clock_.now();
  const auto done = network_->cut(lonely);
  ASSERT_TRUE(done) << done.error();
  std::thread reader([&] {
    while (!enough) {
      const Time asked = clock_.now();
      readings.push_back({asked, ask({lonely, key, "get", "400ms", lonely})});
      ++asked_and_ended;
    }
  });
  const Ended elsewhere = ask({nodes_[0], key, add("after-cut")});
  const Time answered = clock_.now();
  EXPECT_EQ(elsewhere.output, "4\n");
  std::cout << "cut to answer: " << milliseconds(answered - cut) << " ms\n";
  EXPECT_EQ(ask({nodes_[1], key, add("after-cut-2")}).output, "5\n");
  // One may have been asked before.
  const int late_from = asked_and_ended + 1;
  while (asked_and_ended < late_from + 3) std::this_thread::sleep_for(50ms);
  const Ended frozen = status_of(lonely);
  EXPECT_THAT(frozen.output, HasSubstr("\"frozen\""));
  enough = true;
  reader.join();
  int late = 0;
  for (const Reading& reading : readings) {
    if (reading.asked < answered) {
      if (reading.ended.exit_code == 0) {
        EXPECT_EQ(reading.ended.output, "3\n");
      }
      continue;
    }
    ++late;
    EXPECT_THAT(reading.ended.exit_code,
                testing::AnyOf(exit_code::not_executed, exit_code::maybe_executed))
        << reading.ended.output;
  }
  EXPECT_GE(late, 3);

  const Time joined = clock_.now();
  ASSERT_TRUE(network_->join(lonely));
  eventually(20s, [&] {
    const auto now = cluster_->status(lonely);
    return now && now->state == "active" && now->incarnation.counter > before->incarnation.counter;
  });
  const auto active = cluster_->wait_active(nodes_, 20s);
  EXPECT_TRUE(active) << active.error();
  std::cout << "cable back to member again: " << milliseconds(clock_.now() - joined) << " ms\n";
  for (const std::string& node : nodes_) EXPECT_EQ(ask({node, key, "get"}).output, "5\n") << node;
}

// Goal: the database crashes and comes back under calls, after longer and after less than a lease:
// everybody waits, nobody is removed, every addition counts once, and every name answers through
// every node again. (A crash leaves appends of unknown outcome; their counters are started anew.)
TEST_F(HostsTest, WaitsForADatabaseThatIsAway) {
  struct Caller {
    std::string key;
    std::atomic<int> acknowledged{0};
    std::string wrong{};
  };
  std::vector<std::unique_ptr<Caller>> callers;
  for (const std::string& node : nodes_) {
    callers.push_back(std::make_unique<Caller>());
    callers.back()->key = "contracts/trickle-" + node;
    const Ended started = ask({node, callers.back()->key, "start"});
    ASSERT_EQ(started.exit_code, 0) << started.output;
  }
  std::vector<std::uint64_t> incarnations;
  for (const std::string& node : nodes_) {
    incarnations.push_back(cluster_->status(node).value_or(NodeStatus{}).incarnation.counter);
  }

  std::atomic<bool> enough{false};
  std::vector<std::thread> threads;
  for (auto& caller : callers) {
    threads.emplace_back([this, &enough, &own = *caller] {
      for (int n = 1; !enough && own.wrong.empty(); ++n) {
        // Through each node in turn, so that all of them remember where it runs.
        const std::string& node = nodes_[static_cast<std::size_t>(n) % nodes_.size()];
        const Question question{node, own.key, add(own.key + '-' + std::to_string(n)), "3s"};
        const Time asked = clock_.now();
        Ended ended = ask(question);
        // Unknown or not executed: the same request again, until there is an answer.
        while ((ended.exit_code == exit_code::not_executed ||
                ended.exit_code == exit_code::maybe_executed) &&
               clock_.now() - asked < 30s) {
          ended = ask(question);
        }
        if (ended.exit_code != 0 || ended.output != std::to_string(n) + '\n') {
          own.wrong = "addition " + std::to_string(n) + " through " + node + " was answered with " +
                      ended.output;
        }
        own.acknowledged = n;
      }
    });
  }
  const auto all_reach = [&](int more) {
    std::vector<int> goals;
    for (const auto& caller : callers) goals.push_back(caller->acknowledged + more);
    return eventually(30s, [&] {
      for (std::size_t i = 0; i < callers.size(); ++i) {
        if (callers[i]->acknowledged < goals[i] && callers[i]->wrong.empty()) return false;
      }
      return true;
    });
  };
  all_reach(4);
  const auto stopped = database_->stop();
  EXPECT_TRUE(stopped) << stopped.error();
  for (const std::string& node : nodes_) {
    eventually(10s, [&] {
      const auto status = cluster_->status(node);
      return status && status->state == "frozen";
    });
  }
  std::this_thread::sleep_for(1s);
  const auto started = database_->start();
  EXPECT_TRUE(started) << started.error();
  std::cout << "database back to answers of all: " << milliseconds(all_reach(1)) << " ms\n";
  all_reach(4);
  EXPECT_TRUE(database_->stop());
  EXPECT_TRUE(database_->start());
  std::cout << "after a shorter outage: " << milliseconds(all_reach(1)) << " ms\n";
  all_reach(4);
  enough = true;
  for (std::thread& thread : threads) thread.join();

  const auto active = cluster_->wait_active(nodes_, 10s);
  EXPECT_TRUE(active) << active.error();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    EXPECT_EQ(cluster_->status(nodes_[i]).value_or(NodeStatus{}).incarnation.counter,
              incarnations[i])
        << nodes_[i] << " was removed although only the database was away";
  }
  for (const auto& caller : callers) {
    EXPECT_EQ(caller->wrong, "");
    for (const std::string& node : nodes_) {
      EXPECT_EQ(ask({node, caller->key, "get"}).output, std::to_string(caller->acknowledged) + '\n')
          << caller->key << " through " << node;
    }
  }
}

}  // namespace
}  // namespace coterie::test

int main(int argc, char** argv) {
  if (argc > 1 && (std::string_view(argv[1]) == "node" || std::string_view(argv[1]) == "call")) {
    return coterie::run_program(argc, argv, {.applications = {coterie::test::counters()}});
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
