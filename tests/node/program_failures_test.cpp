// Nodes that cannot start, with real processes: each ends in bounded time with one clear line and
// code 1 (or 76), also with respawn, and leaves nothing behind that keeps the next start from
// working.

#include <arpa/inet.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>

#include "node/address.hpp"
#include "tests/node/program_fixture.hpp"

namespace coterie {
namespace {

/// A listening socket, while it lives.
class TakenPort {
 public:
  explicit TakenPort(const std::string& address) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(parse_address(address)->port);
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;  // the cluster holds the port for its nodes, and shares it
    EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
  }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;
  ~TakenPort() { ::close(socket_); }

 private:
  int socket_ = -1;
};

/// A small file system in memory, while it lives.
class SmallDisk {
 public:
  SmallDisk(fs::path at, const std::string& size) : at_(std::move(at)) {
    fs::create_directories(at_);
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
    EXPECT_TRUE(mounted_) << "these tests need the right to mount a tmpfs";
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  void make_read_only() {
    EXPECT_EQ(::mount("tmpfs", at_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr), 0);
  }
  /// Nothing more fits.
  void fill() {
    std::ofstream file(at_ / "filling", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }

 private:
  const fs::path at_;
  bool mounted_ = false;
};

class ProgramFailures : public ProgramTest {
 protected:
  /// The last line that is not the log's: what the user is to read.
  static std::string complaint(const std::string& error) {
    std::string found;
    std::istringstream lines(error);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("trials node: ")) found = line;
    }
    return found;
  }
  void expect_refused(const Words& arguments, int code, const std::string& text) {
    const ProgramResult result = run("node", arguments, 40s);
    EXPECT_EQ(result.code, code) << result.error;
    EXPECT_THAT(complaint(result.error), HasSubstr(text)) << result.error;
  }
  ConfigOverride journal(const fs::path& where) {
    return {"cluster.journal", "sqlite:" + where.string(), {"test", 1, 1}};
  }
};

TEST_F(ProgramFailures, APortInUse) {
  // Goal: either listener's port taken by a stranger is named, and the start works when it is free.
  make();
  const NodeSection& own = cluster_->config().nodes.front();
  for (const std::string& address : {own.listen, own.client_listen}) {
    const TakenPort taken(address);
    expect_refused({"--name", "a"}, 1, address);
  }
  start({"a"});
}

TEST_F(ProgramFailures, AStateDirectoryInUse) {
  // Goal: a second start of a running node disturbs nothing.
  make();
  start({"a"});
  const ProgramResult result = run("node", {"--name", "a"}, 40s);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.error, HasSubstr("state directory"));
  EXPECT_EQ(call({"boxes/x", "put"}).code, 0);
}

TEST_F(ProgramFailures, ANameThatIsAlive) {
  // Goal: a node whose name a living one has, with files and ports of its own, is told so and
  // causes no removal.
  make();
  start({"a", "b"});
  const NodeSection& c = cluster_->config().nodes.back();
  const std::string prefix = "node.a.";
  const ProgramResult result =
      run("node",
          {"--name", "a", "--set", prefix + "listen=" + c.listen, "--set",
           prefix + "client_listen=" + c.client_listen, "--set", "node.c.listen=127.0.0.1:1",
           "--set", "node.c.client_listen=127.0.0.1:2", "--set",
           prefix + "state_dir=" + (root_ / "other").string()},
          60s);
  EXPECT_EQ(result.code, 76) << result.error;
  EXPECT_THAT(complaint(result.error), HasSubstr("a")) << result.error;
  EXPECT_TRUE(cluster_->wait_active(Words{"a", "b"}, 10s));
}

TEST_F(ProgramFailures, AJournalOfAnotherCluster) {
  // Goal: a node with another cluster id neither reads nor changes what is there.
  make();
  start({"a"});
  ASSERT_EQ(call({"boxes/x", "put"}).code, 0);
  expect_refused({"--name", "b", "--set", "cluster.id=other"}, 2, "other");
  EXPECT_EQ(call({"boxes/x", "put"}).out, "2\n");
}

TEST_F(ProgramFailures, ACorruptJournal) {
  // Goal: files that are no database are named, and left as they are.
  make();
  start({"a"});
  ASSERT_TRUE(cluster_->stop("a"));
  ASSERT_EQ(cluster_->wait_stopped("a", 30s).value_or(-1), 0);
  const fs::path folder = cluster_->config().cluster.journal.substr(7);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) std::ofstream(entry.path()) << std::string(8192, '!');
  }
  expect_refused({"--name", "a"}, 1, folder.string());
}

TEST_F(ProgramFailures, AReadOnlyJournal) {
  // Goal: a journal that cannot be written is told at start.
  SmallDisk disk(root_ / "disk", "4m");
  make({journal(root_ / "disk" / "journal")});
  start({"a"});
  ASSERT_TRUE(cluster_->stop("a"));
  ASSERT_EQ(cluster_->wait_stopped("a", 30s).value_or(-1), 0);
  disk.make_read_only();
  expect_refused({"--name", "a"}, 1, "disk/journal");
}

TEST_F(ProgramFailures, AFullDisk) {
  // Goal: no space for the journal, or for the state directory, is told at start.
  SmallDisk disk(root_ / "disk", "1m");
  disk.fill();
  make({journal(root_ / "disk" / "journal")});
  expect_refused({"--name", "a"}, 1, "disk");
  expect_refused({"--name", "a", "--set", "cluster.journal=sqlite:" + (root_ / "fine").string(),
                  "--set", "node.a.state_dir=" + (root_ / "disk" / "a").string()},
                 1, "disk/a");
}

TEST_F(ProgramFailures, NoPostgres) {
  // Goal: a database that is not there is told in bounded time.
  make({{"cluster.journal",
         std::string("postgres:host=127.0.0.1 port=1 user=nobody"),
         {"test", 1, 1}}});
  expect_refused({"--name", "a"}, 1, "127.0.0.1");
}

TEST_F(ProgramFailures, StopsWhileItStarts) {
  // Goal: SIGTERM ends a node at any moment of its start, with nothing left behind.
  make();
  for (const Duration wait : {0ms, 20ms, 100ms, 400ms}) {
    BackgroundProgram node(program,
                           {"node", "--config", cluster_->config_file().string(), "--name", "a"});
    ::usleep(static_cast<useconds_t>(wait / 1us));
    node.signal(SIGTERM);
    const ProgramResult result = node.wait(40s);
    EXPECT_TRUE(result.code == 0 || result.code == 128 + SIGTERM) << result.code << result.error;
  }
  start({"a"});
}

TEST_F(ProgramFailures, ACallbackThatDoesNotReturn) {
  // Goal: the node ends in bounded time all the same, and says why. It does not leave: its death
  // is the proof that the callback runs no more, and only then the name runs elsewhere.
  make({{"guardian.drain_max", "1s", {"test", 1, 1}}});
  start({"a", "b", "c"});
  ASSERT_EQ(call({"boxes/x", "put", "--node", "a"}).code, 0);
  std::string home;
  for (const std::string node : {"a", "b", "c"}) {
    const auto names = cluster_->names(node, "boxes");
    if (names && !names->empty()) home = node;
  }
  ASSERT_NE(home, "");
  EXPECT_EQ(call({"boxes/x", "spin", "--timeout", "1s"}).code, 5);
  ASSERT_TRUE(cluster_->stop(home));
  const auto code = cluster_->wait_stopped(home, 60s);
  ASSERT_TRUE(code) << code.error();
  const std::string log = cluster_->log_tail(home, 40);
  EXPECT_EQ(*code, 1) << log;
  EXPECT_THAT(complaint(log), HasSubstr("a callback does not return")) << log;
  EXPECT_THAT(log, HasSubstr("the node ends without leaving"));
  EXPECT_EQ(call({"boxes/x", "put", "--timeout", "30s"}).out, "1\n");
}

}  // namespace
}  // namespace coterie
