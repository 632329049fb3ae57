// The guardian with real processes. This program is also the node: started by a guardian it plays
// the part that its arguments name for its run. Each run adds a line to the file `runs`, each
// report one to `reports`. What is expected is waited for; no test passes by being fast.

#include "node/guardian.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "node/exit_codes.hpp"
#include "node/state_directory.hpp"
#include "process/system_clock.hpp"
#include "process/system_random.hpp"

namespace coterie {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

void add_line(const fs::path& path, const std::string& line) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  const std::string text = line + '\n';
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    ::_exit(99);
  }
}

std::vector<std::string> lines(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> found;
  for (std::string line; std::getline(file, line);) found.push_back(line);
  return found;
}

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 30'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

bool running(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t state = text.rfind(") ");
  return state != std::string::npos && text[state + 2] != 'Z' && text[state + 2] != 'X';
}

// ---- the node's side ----

void serve(GuardianLink& link, SignalSource& signals, bool renew) {
  SystemClock clock;
  for (;;) {
    if (renew) link.page().lease_renewed(clock.now() + 2s);
    if (signals.next()) return;
    pollfd wanted[2] = {{signals.descriptor(), POLLIN, 0}, {link.descriptor(), 0, 0}};
    ::poll(wanted, 2, 20);
  }
}

/// argv: program, directory, parts by comma: the first for the first run, the last for all later.
int play(GuardianLink link, const std::vector<std::string>& arguments) {
  SignalSource signals({SIGTERM});
  SystemClock clock;
  SystemRandom random;
  const fs::path root = arguments.at(1);
  auto state = StateDirectory::open(root / "state", random, MachineIdentity::read());
  if (!state) return exit_code::failure;
  const Incarnation run = (*state)->incarnation();
  std::vector<std::string> parts;
  std::istringstream text(arguments.at(2));
  for (std::string part; std::getline(text, part, ',');) parts.push_back(part);
  const std::string part = parts[std::min<std::size_t>(run.counter, parts.size()) - 1];
  link.page().set_incarnation(run);
  add_line(root / "runs",
           std::to_string(run.counter) + ' ' + part + ' ' + std::to_string(::getpid()));

  if (part.starts_with("exit:")) return std::stoi(part.substr(5));
  RunningName name(link.page().running(), "contracts/poison");
  if (part == "kill") ::raise(SIGKILL);
  if (part == "segv") {
    ::signal(SIGSEGV, SIG_DFL);  // sanitizers have a handler of their own
    ::raise(SIGSEGV);
  }
  if (part == "stop") {
    link.page().lease_renewed(clock.now() + 100ms);
    ::raise(SIGSTOP);
  }
  if (part == "loop") {
    link.page().lease_renewed(clock.now() + 100ms);
    for (;;) link.page().beat();
  }
  if (part == "freeze") {
    const Time end = clock.now() + 100ms;
    link.page().lease_renewed(end);
    link.page().acknowledge_frozen(end);
    serve(link, signals, false);
    return exit_code::ok;
  }
  if (part == "serve") {
    serve(link, signals, true);
    return exit_code::ok;
  }
  if (part == "stubborn") {
    for (;;) ::pause();
  }
  if (part == "litter") {
    const pid_t orphan = ::fork();
    if (orphan == 0) {
      ::closefrom(3);  // else it would keep the directory's lock
      ::_exit(::usleep(100'000) == 0 ? 0 : 1);
    }
    add_line(root / "orphans", std::to_string(orphan));
    return exit_code::fenced;
  }
  if (part == "watch") {
    while (link.guardian_alive()) {
      link.page().lease_renewed(clock.now() + 2s);
      ::usleep(5'000);
    }
    add_line(root / "orphaned", "alone");
    return exit_code::ok;
  }
  return 98;
}

// ---- the guardian's side ----

class ReportsToFile final : public DeathReporter {
 public:
  ReportsToFile(fs::path root, std::string how) : root_(std::move(root)), how_(std::move(how)) {}
  bool report(const Death& death) override {
    add_line(root_ / "attempts", std::to_string(::getpid()));
    const std::size_t attempts = lines(root_ / "attempts").size();
    if (how_ == "hang" && attempts == 1) {
      for (;;) ::pause();
    }
    if (how_ == "throw" && attempts == 1) throw std::runtime_error("no route");
    if (how_ == "fail" && attempts <= 2) return false;
    std::string line = std::to_string(death.incarnation.counter) +
                       " code=" + std::to_string(death.status.code) +
                       " signal=" + std::to_string(death.status.signal) +
                       " by_guardian=" + std::to_string(death.by_guardian) + " running=";
    for (const std::string& name : death.running) line += name + ';';
    // The dead process must have been waited for: nothing at all is left of it.
    std::istringstream run(lines(root_ / "runs").at(death.incarnation.counter - 1));
    std::string counter, part, pid;
    run >> counter >> part >> pid;
    line += fs::exists("/proc/" + pid) ? " still-there" : " gone";
    add_line(root_ / "reports", line);
    return true;
  }

 private:
  const fs::path root_;
  const std::string how_;
};

class GuardianTest : public testing::Test {
 protected:
  GuardianTest() {
    std::string name = (fs::temp_directory_path() / "coterie-guardian-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    policy_.backoff_min = 20ms;
    policy_.backoff_max = 40ms;
  }
  ~GuardianTest() override {
    for (const pid_t pid : started_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    for (const std::string& line : runs()) {
      const pid_t pid = pid_of(line);
      std::error_code error;
      if (running(pid) && fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", error) ==
                              fs::read_symlink("/proc/self/exe")) {
        ::kill(pid, SIGKILL);
      }
    }
    fs::remove_all(root_);
  }

  /// A guardian in a process of its own.
  pid_t start(const std::string& parts, const std::string& reporter = "ok") {
    const pid_t pid = ::fork();
    if (pid != 0) {
      started_.push_back(pid);
      return pid;
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // as pid 1 would be
    SystemClock clock;
    auto sink = open_log({.file = root_ / "log"}).value();
    Log log(*sink, clock, "a", LogLevel::debug);
    ReportsToFile reports(root_, reporter);
    int code = 97;
    {
      Guardian guardian(clock, log, reports,
                        {.state_directory = root_ / "state",
                         .arguments = {"node", root_.string(), parts},
                         .policy = policy_,
                         .reports = reports_,
                         .exit_wait = 20s});
      code = guardian.run();
    }
    ::_exit(code);
  }
  /// The exit code of a guardian, 128 + n for a signal.
  int wait(pid_t pid) {
    int status = 0;
    const bool ended = eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
    EXPECT_TRUE(ended) << "the guardian does not end";
    if (!ended) return -1;
    std::erase(started_, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::vector<std::string> runs() const { return lines(root_ / "runs"); }
  std::vector<std::string> reports() const { return lines(root_ / "reports"); }
  bool runs_are(std::size_t count) {
    return eventually([&] { return runs().size() == count; });
  }
  static pid_t pid_of(const std::string& run) {
    return static_cast<pid_t>(std::stol(run.substr(run.rfind(' ') + 1)));
  }

  fs::path root_;
  guardian::Policy policy_;
  DeathReportsOptions reports_{.retry_min = 10ms, .retry_max = 20ms};
  std::vector<pid_t> started_;
};

// Goal: the program ends with its node's code; these ends are final even with respawn.
TEST_F(GuardianTest, EndsWithTheNodesCode) {
  policy_.respawn = true;
  std::size_t count = 0;
  for (const int code : {exit_code::ok, exit_code::usage, exit_code::name_taken}) {
    fs::remove_all(root_ / "state");
    fs::remove(root_ / "runs");
    EXPECT_EQ(wait(start("exit:" + std::to_string(code) + ",exit:50")), code);
    EXPECT_THAT(runs(), SizeIs(1));
    EXPECT_THAT(reports(), SizeIs(++count));
  }
}

// Goal: a fenced node is started again each time, every run has a new incarnation, and each death
// is told after the process was waited for.
TEST_F(GuardianTest, FencedNodesAreStartedAgain) {
  EXPECT_EQ(wait(start("exit:75,exit:75,exit:1")), 1);
  EXPECT_THAT(runs(), SizeIs(3));
  EXPECT_THAT(reports(),
              testing::UnorderedElementsAre("1 code=75 signal=0 by_guardian=0 running= gone",
                                            "2 code=75 signal=0 by_guardian=0 running= gone",
                                            "3 code=1 signal=0 by_guardian=0 running= gone"));
}

// Goal: after a kill -9 or a wild pointer the report names what was running; without respawn the
// program ends.
TEST_F(GuardianTest, ReportsWhatWasRunning) {
  EXPECT_EQ(wait(start("kill")), 137);
  EXPECT_EQ(wait(start("segv")), 137 - 9 + 11);
  EXPECT_THAT(reports(),
              ElementsAre("1 code=0 signal=9 by_guardian=0 running=contracts/poison; gone",
                          "2 code=0 signal=11 by_guardian=0 running=contracts/poison; gone"));
}

// Goal: with respawn a killed node comes back.
TEST_F(GuardianTest, RespawnsWhenTold) {
  policy_.respawn = true;
  EXPECT_EQ(wait(start("kill,exit:0")), 0);
  EXPECT_THAT(runs(), SizeIs(2));
}

// Goal: a node that is stopped, or stuck in an endless callback, past its lease is killed and
// started again, without respawn.
TEST_F(GuardianTest, KillsWhatIsPastItsLease) {
  EXPECT_EQ(wait(start("stop,loop,exit:0")), 0);
  EXPECT_THAT(runs(), SizeIs(3));
  EXPECT_THAT(reports(), testing::UnorderedElementsAre(
                             "1 code=0 signal=9 by_guardian=1 running=contracts/poison; gone",
                             "2 code=0 signal=9 by_guardian=1 running=contracts/poison; gone",
                             "3 code=0 signal=0 by_guardian=0 running= gone"));
}

// Goal: a node that has frozen is left alone, however long its lease has been over.
TEST_F(GuardianTest, LeavesAFrozenNodeAlone) {
  const pid_t guardian = start("freeze");
  ASSERT_TRUE(runs_are(1));
  std::this_thread::sleep_for(1s);  // five times what a node that had not frozen would get
  EXPECT_TRUE(running(pid_of(runs().front())));
  ::kill(guardian, SIGTERM);
  EXPECT_EQ(wait(guardian), 0);
  EXPECT_THAT(runs(), SizeIs(1));
}

// Goal: SIGTERM and SIGINT reach the node, which leaves; the pid files name the two while they
// live and are gone after.
TEST_F(GuardianTest, StopsInOrder) {
  for (const int signal : {SIGTERM, SIGINT}) {
    fs::remove_all(root_ / "state");
    fs::remove(root_ / "runs");
    const pid_t guardian = start("serve");
    ASSERT_TRUE(runs_are(1));
    EXPECT_THAT(lines(root_ / "state/guardian.pid"), ElementsAre(std::to_string(guardian)));
    EXPECT_TRUE(eventually([&] { return !lines(root_ / "state/node.pid").empty(); }));
    EXPECT_THAT(lines(root_ / "state/node.pid"),
                ElementsAre(std::to_string(pid_of(runs().front()))));
    ::kill(guardian, signal);
    EXPECT_EQ(wait(guardian), 0);
    EXPECT_FALSE(fs::exists(root_ / "state/guardian.pid"));
    EXPECT_FALSE(fs::exists(root_ / "state/node.pid"));
  }
}

// Goal: a node that does not leave is killed, by itself or when asked twice.
TEST_F(GuardianTest, DrainIsBounded) {
  policy_.drain_max = 50ms;
  policy_.drain_grace = 50ms;
  pid_t guardian = start("stubborn");
  ASSERT_TRUE(runs_are(1));
  ::kill(guardian, SIGTERM);
  EXPECT_EQ(wait(guardian), 137);

  policy_.drain_grace = 1h;
  guardian = start("stubborn");
  ASSERT_TRUE(runs_are(2));
  ::kill(guardian, SIGTERM);
  std::this_thread::sleep_for(20ms);  // else the kernel makes one of the two
  ::kill(guardian, SIGTERM);
  EXPECT_EQ(wait(guardian), 137);
  EXPECT_THAT(reports().back(), HasSubstr("by_guardian=1"));
}

// Goal: when the guardian is killed the node goes on and knows it.
TEST_F(GuardianTest, NodeOutlivesItsGuardianAndKnows) {
  const pid_t guardian = start("watch");
  ASSERT_TRUE(runs_are(1));
  EXPECT_FALSE(fs::exists(root_ / "orphaned"));
  ::kill(guardian, SIGKILL);
  EXPECT_EQ(wait(guardian), 137);
  EXPECT_TRUE(eventually([&] { return !lines(root_ / "orphaned").empty(); }));
}

// Goal: a report that fails or throws is repeated.
TEST_F(GuardianTest, RepeatsFailedReports) {
  for (const std::string how : {"fail", "throw"}) {
    fs::remove_all(root_ / "state");
    for (const char* file : {"runs", "attempts", "reports"}) fs::remove(root_ / file);
    EXPECT_EQ(wait(start("exit:1", how)), 1);
    EXPECT_THAT(lines(root_ / "attempts"), SizeIs(how == "fail" ? 3 : 2));
    EXPECT_THAT(reports(), SizeIs(1));
  }
}

// Goal: a report that hangs delays no restart, is killed, and repeated.
TEST_F(GuardianTest, HangingReportDelaysNothing) {
  reports_.attempt_max = 1h;
  pid_t guardian = start("exit:75,serve", "hang");
  ASSERT_TRUE(runs_are(2));  // while the report still hangs
  EXPECT_THAT(reports(), SizeIs(0));
  ASSERT_TRUE(eventually([&] { return !lines(root_ / "attempts").empty(); }));
  const auto hanging = static_cast<pid_t>(std::stol(lines(root_ / "attempts").front()));
  EXPECT_TRUE(running(hanging));
  ::kill(guardian, SIGKILL);  // with the guardian dies what it was about to tell
  wait(guardian);
  EXPECT_TRUE(eventually([&] { return !running(hanging); }));
  ::kill(pid_of(runs().back()), SIGKILL);
  ASSERT_TRUE(eventually([&] { return !running(pid_of(runs().back())); }));

  reports_.attempt_max = 50ms;
  fs::remove_all(root_ / "state");
  for (const char* file : {"runs", "attempts"}) fs::remove(root_ / file);
  EXPECT_EQ(wait(start("exit:1", "hang")), 1);
  EXPECT_THAT(reports(), SizeIs(1));
}

// Goal: one guardian of a directory at a time; the second does nothing to the first.
TEST_F(GuardianTest, SecondGuardianIsRefused) {
  const pid_t first = start("serve");
  ASSERT_TRUE(runs_are(1));
  EXPECT_EQ(wait(start("serve")), exit_code::failure);
  EXPECT_THAT(lines(root_ / "state/guardian.pid"), ElementsAre(std::to_string(first)));
  EXPECT_THAT(runs(), SizeIs(1));
  ::kill(first, SIGTERM);
  EXPECT_EQ(wait(first), 0);
}

// Goal: it reaps children that are not its own, as pid 1 must.
TEST_F(GuardianTest, ReapsOrphans) {
  const pid_t guardian = start("litter,serve");
  ASSERT_TRUE(runs_are(2));
  const std::string orphan = lines(root_ / "orphans").at(0);
  EXPECT_TRUE(eventually([&] { return !fs::exists("/proc/" + orphan); }));
  ::kill(guardian, SIGTERM);
  EXPECT_EQ(wait(guardian), 0);
}

// Goal: the guardian's argument is of no use to anybody else.
TEST_F(GuardianTest, ForgedArgumentIsRefused) {
  for (const char* word : {"--under-guardian=", "--under-guardian=900,901", "--under-guardian=x"}) {
    std::vector<std::string> arguments{"node", word};
    EXPECT_FALSE(GuardianLink::take(arguments));
  }
  std::vector<std::string> arguments{"node", "--name", "a"};
  const auto none = GuardianLink::take(arguments);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  EXPECT_THAT(arguments, SizeIs(3));
}

}  // namespace
}  // namespace coterie

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  auto link = coterie::GuardianLink::take(arguments);
  if (!link) return 96;
  if (*link) return coterie::play(std::move(**link), arguments);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
