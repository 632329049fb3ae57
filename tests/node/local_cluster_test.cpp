// Clusters of real processes. This program is also the node: `node --config FILE --name NAME` runs
// a guardian with a child that does nothing, so that only starting, signals and endings are tried
// here. What is expected is waited for; no test passes by being fast.

#include "node/local_cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <set>

#include "node/config_copy.hpp"
#include "node/guardian.hpp"
#include "node/reserved_ports.hpp"
#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"

namespace coterie {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

// ---- the node's side ----

class ReportsToFile final : public DeathReporter {
 public:
  explicit ReportsToFile(fs::path file) : file_(std::move(file)) {}
  bool report(const Death& death) override {
    std::ofstream(file_, std::ios::app) << death.status.signal << '\n';
    return true;
  }

 private:
  const fs::path file_;
};

class NoSink final : public LogSink {
 public:
  void write(const LogRecord&) noexcept override {}
};

int play(std::vector<std::string> arguments) {
  const auto config = load_config(arguments.at(3));
  const NodeSection& own = *config->find(arguments.at(5));
  if (auto link = GuardianLink::take(arguments); link && *link) {
    SignalSource signals({SIGTERM});
    (*link)->page().set_incarnation({1, NodeId{7}});
    std::fprintf(stderr, "%s serves %d\n", own.name.c_str(), ::getpid());
    pollfd wanted[2] = {{signals.descriptor(), POLLIN, 0}, {(*link)->descriptor(), 0, 0}};
    ::poll(wanted, 2, -1);
    return signals.next() ? 0 : 1;
  }
  SystemClock clock;
  NoSink sink;
  Log log(sink, clock, own.name);
  ReportsToFile reporter(fs::path(own.state_dir) / "reports");
  GuardianOptions options;
  options.state_directory = own.state_dir;
  options.arguments = arguments;
  options.policy.respawn = own.respawn;
  options.policy.backoff_min = 20ms;
  return Guardian(clock, log, reporter, options).run();
}

// ---- this side ----

constexpr std::string_view cluster_text = R"(
[cluster]
id      = "mine"
journal = "sqlite:journal"
[[node]]
name          = "a"
listen        = "127.0.0.1:7101"
client_listen = "127.0.0.1:7201"
respawn       = true
[[node]]
name          = "b"
listen        = "127.0.0.1:7102"
client_listen = "127.0.0.1:7202"
)";

char state_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(") ");
  return end == text.npos ? '-' : text[end + 2];
}

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 3'000; ++i) {
    if (holds()) return true;
    ::poll(nullptr, 0, 10);
  }
  return false;
}

class LocalClusterTest : public testing::Test {
 protected:
  LocalClusterTest() {
    std::string name = (fs::temp_directory_path() / "coterie-local-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    std::ofstream(root_ / "mine.toml") << cluster_text;
  }
  ~LocalClusterTest() override {
    cluster_.reset();
    fs::remove_all(root_);
  }

  void make() {
    LocalClusterOptions options;
    options.config_file = (root_ / "mine.toml").string();
    options.directory = root_;
    auto made = LocalCluster::make(clock_, random_, std::move(options));
    ASSERT_TRUE(made) << made.error();
    cluster_ = *std::move(made);
  }
  /// Waits until a program other than `before` says that it serves.
  pid_t serving(const std::string& node, pid_t before = 0) {
    std::optional<pid_t> pid;
    EXPECT_TRUE(eventually([&] {
      pid = cluster_->program(node);
      return pid && *pid != before &&
             cluster_->log_tail(node, 1) == node + " serves " + std::to_string(*pid) + '\n';
    })) << node;
    return pid.value_or(0);
  }
  std::string reports(const std::string& node) {
    std::ifstream file(root_ / node / "reports");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  SystemClock clock_;
  SeededRandom random_{1};
  fs::path root_;
  std::unique_ptr<LocalCluster> cluster_;
};

// Goal: the nodes read a file of their own, with free ports, absolute paths and the changes asked
// for, and a change that the cluster cannot have is refused with its place.
TEST_F(LocalClusterTest, WritesAClusterFileOfItsOwn) {
  make();
  const ClusterConfig& config = cluster_->config();
  EXPECT_EQ(config.cluster.journal, "sqlite:" + (root_ / "journal").string());
  EXPECT_EQ(config.nodes.at(1).state_dir, (root_ / "b").string());
  std::set<std::string> addresses;
  for (const NodeSection& node : config.nodes) {
    addresses.insert({node.listen, node.client_listen, node.advertise, node.client_advertise});
  }
  EXPECT_EQ(addresses.size(), 4u);
  EXPECT_FALSE(addresses.contains("127.0.0.1:7101"));
  EXPECT_TRUE(config.nodes.at(0).respawn);

  const std::vector<ConfigOverride> changes = {
      {"lease.length", "3s", {"kill.toml", 7, 1}},
      {"log.modules.node", "debug", {"kill.toml", 7, 1}},
      {"node.b.kinds", std::vector<std::string>{"x", "y"}, {"kill.toml", 7, 1}}};
  const auto copy = copy_config(cluster_text, "mine.toml", changes);
  ASSERT_TRUE(copy) << to_string(copy.error());
  const auto changed = parse_config(*copy, "/elsewhere/cluster.toml");
  ASSERT_TRUE(changed) << to_string(changed.error());
  EXPECT_EQ(changed->lease.length, 3s);
  EXPECT_EQ(changed->log.modules[static_cast<std::size_t>(LogModule::node)], LogLevel::debug);
  EXPECT_EQ(changed->nodes.at(1).kinds, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(changed->cluster.journal, "sqlite:" + (fs::current_path() / "journal").string());

  const std::vector<ConfigOverride> wrong = {{"lease.lenght", "3s", {"kill.toml", 7, 3}}};
  EXPECT_THAT(to_string(copy_config(cluster_text, "mine.toml", wrong).error()),
              HasSubstr("kill.toml:7:3: "));
}

// Goal: a killed program is reported by its guardian and started again; a stopped node ends with 0.
TEST_F(LocalClusterTest, KillsProgramsAndStopsNodes) {
  make();
  ASSERT_TRUE(cluster_->start("a"));
  EXPECT_EQ(cluster_->start("a").error(), "node a is started already");
  const pid_t first = serving("a");
  ASSERT_TRUE(cluster_->kill("a"));
  serving("a", first);
  EXPECT_TRUE(eventually([&] { return reports("a") == "9\n"; }));
  EXPECT_TRUE(cluster_->started("a"));

  ASSERT_TRUE(cluster_->start("b"));
  serving("b");
  ASSERT_TRUE(cluster_->kill("b"));
  EXPECT_EQ(cluster_->wait_stopped("b", 20s), 128 + SIGKILL) << "it has no respawn";
  EXPECT_FALSE(cluster_->kill("b"));
  ASSERT_TRUE(cluster_->start("b"));
  serving("b");
  EXPECT_TRUE(cluster_->stop_all(20s));
  EXPECT_EQ(cluster_->exit_code("a"), 0);
  EXPECT_EQ(cluster_->exit_code("b"), 0);
  EXPECT_THAT(cluster_->log_tail("b", 1), HasSubstr("b serves"));
}

// Goal: after power_off nobody is left to tell, and the node may be started again.
TEST_F(LocalClusterTest, PowersOffGuardianAndProgramTogether) {
  make();
  ASSERT_TRUE(cluster_->start("a"));
  const pid_t program = serving("a");
  ASSERT_TRUE(cluster_->power_off("a"));
  EXPECT_EQ(state_of(program), '-');
  EXPECT_EQ(reports("a"), "");
  EXPECT_EQ(cluster_->exit_code("a"), 128 + SIGKILL);
  ASSERT_TRUE(cluster_->start("a"));
  EXPECT_NE(serving("a"), program);
}

// Goal: pause and resume reach the program, not its guardian, and a paused node can be stopped.
TEST_F(LocalClusterTest, PausesAndResumesPrograms) {
  make();
  ASSERT_TRUE(cluster_->start("a"));
  const pid_t program = serving("a");
  ASSERT_TRUE(cluster_->pause("a"));
  EXPECT_TRUE(eventually([&] { return state_of(program) == 'T'; }));
  ASSERT_TRUE(cluster_->resume("a"));
  EXPECT_TRUE(eventually([&] { return state_of(program) == 'S'; }));
  ASSERT_TRUE(cluster_->pause("a"));
  EXPECT_TRUE(cluster_->stop_all(20s));
  EXPECT_EQ(cluster_->exit_code("a"), 0);
}

// Goal: nothing is left when the cluster goes away, in order or by a kill of the whole program.
TEST_F(LocalClusterTest, LeavesNoProcessBehind) {
  make();
  ASSERT_TRUE(cluster_->start("a"));
  ASSERT_TRUE(cluster_->start("b"));
  const pid_t programs[] = {serving("a"), serving("b")};
  cluster_.reset();
  for (const pid_t pid : programs) EXPECT_EQ(state_of(pid), '-');

  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    make();
    pid_t pid = cluster_->start("a") ? serving("a") : 0;
    static_cast<void>(!::write(ends[1], &pid, sizeof pid));
    for (;;) ::pause();
  }
  pid_t program = 0;
  ASSERT_EQ(::read(ends[0], &program, sizeof program), static_cast<ssize_t>(sizeof program));
  ASSERT_GT(program, 0);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  // Its orphans are ours: this program adopted them when it made the first cluster.
  EXPECT_TRUE(eventually([&] {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return state_of(program) == '-' && !fs::exists(root_ / "a" / "guardian.pid");
  }));
  ::close(ends[0]);
  ::close(ends[1]);
}

// Goal: the wait for a cluster ends at once when a node of it cannot be there any more.
TEST_F(LocalClusterTest, SaysWhyANodeIsNotActive) {
  make();
  const std::vector<std::string> nodes = {"a"};
  EXPECT_EQ(cluster_->wait_active(nodes, 20s).error(), "node a was not started");
  ASSERT_TRUE(cluster_->start("a"));
  serving("a");
  EXPECT_THAT(cluster_->wait_active(nodes, 100ms).error(), HasSubstr("node a: "));
  ASSERT_TRUE(cluster_->power_off("a"));
  EXPECT_EQ(cluster_->wait_active(nodes, 20s).error(), "node a ended with exit code 137");
  EXPECT_FALSE(cluster_->start("z"));
}

}  // namespace
}  // namespace coterie

int main(int argc, char** argv) {
  if (argc > 5 && std::string_view(argv[1]) == "node") {
    return coterie::play(std::vector<std::string>(argv, argv + argc));
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
