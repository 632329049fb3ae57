// The state directory against crashes, damage, copies and bad disks, with real files.

#include "node/state_directory.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <fstream>

#include "process/crc32c.hpp"
#include "process/seeded_random.hpp"

namespace coterie {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Code = StateError::Code;

class StateDirectoryTest : public testing::Test {
 protected:
  StateDirectoryTest() {
    std::string name = (fs::temp_directory_path() / "coterie-state-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    path_ = root_ / "deep" / "a";
  }
  ~StateDirectoryTest() override { fs::remove_all(root_); }

  auto open(const fs::path& path) { return StateDirectory::open(path, random_, machine_); }
  auto open() { return open(path_); }
  /// Opens, closes, and returns the incarnation.
  Incarnation run_once() {
    auto state = open();
    EXPECT_TRUE(state) << state.error().message;
    return state ? (*state)->incarnation() : Incarnation{};
  }
  void scribble(std::size_t offset, std::string_view bytes) {
    std::fstream file(path_ / "incarnation", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }

  SeededRandom random_{11};
  MachineIdentity machine_{"0123abcd", "b007"};
  fs::path root_, path_;
};

// Goal: two runs never share an incarnation, and the counter grows by each start.
TEST_F(StateDirectoryTest, CounterGrowsAtEachStart) {
  Incarnation before;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    const Incarnation run = run_once();
    EXPECT_EQ(run.counter, i);
    EXPECT_NE(run.id, NodeId::none);
    EXPECT_NE(run.id, before.id);
    before = run;
  }
}

// Goal: the record survives its own text, and no single flipped bit passes for a record.
TEST_F(StateDirectoryTest, RecordsAreReadBackAndDamageIsSeen) {
  const IncarnationRecord record{9, {7, NodeId{0xFEDCBA9876543210}}, 2049, 131, "3d12", "0c-5"};
  const std::string text = write_record(record);
  EXPECT_EQ(read_record(text + "anything"), record);
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(read_record(damaged), std::unexpected(RecordProblem::corrupt)) << damaged;
  }
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(read_record(text.substr(0, length)));
  }
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
}

// Goal: whichever copy is torn or rotten, and wherever, the next counter is greater than any used.
TEST_F(StateDirectoryTest, OneDamagedCopyNeverLowersTheCounter) {
  std::uint64_t used = run_once().counter;
  for (const std::size_t copy : {std::size_t{0}, IncarnationRecord::copy_offset}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{60}}) {
      scribble(copy + at, "\xFF\x01garbage");
      auto state = open();
      ASSERT_TRUE(state) << state.error().message;
      EXPECT_EQ((*state)->incarnation().counter, used + 1);
      EXPECT_THAT((*state)->remark(), HasSubstr("repaired"));
      used = (*state)->incarnation().counter;
    }
  }
  EXPECT_EQ(open().value()->remark(), "");
}

// Goal: a start that died between its two writes used its counter for nothing that matters: the
// next counter is greater than that of any run that began.
TEST_F(StateDirectoryTest, DeathBetweenTheTwoWrites) {
  run_once();
  std::string older;
  {
    std::ifstream file(path_ / "incarnation", std::ios::binary);
    older.assign(std::istreambuf_iterator<char>(file), {});
  }
  const std::uint64_t used = run_once().counter;
  scribble(IncarnationRecord::copy_offset, older.substr(0, IncarnationRecord::bytes_max));
  EXPECT_EQ(run_once().counter, used + 1);
  scribble(0, older.substr(0, IncarnationRecord::bytes_max));
  EXPECT_EQ(run_once().counter, used + 2);
}

// Goal: with both copies gone the node refuses to start instead of guessing.
TEST_F(StateDirectoryTest, TwoDamagedCopiesAreRefused) {
  run_once();
  scribble(5, "#");
  scribble(IncarnationRecord::copy_offset + 40, "#");
  auto state = open();
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Code::corrupt);
  EXPECT_THAT(state.error().message, HasSubstr(path_.string()));
  EXPECT_THAT(state.error().message, HasSubstr("remove it to start as a new node"));

  fs::resize_file(path_ / "incarnation", 0);
  EXPECT_EQ(open().error().code, Code::corrupt);
}

// Goal: a file of a later layout is neither misread nor overwritten.
TEST_F(StateDirectoryTest, LaterLayoutIsRefused) {
  run_once();
  std::string text = "coterie incarnation 2 whatever=1";
  char crc[16];
  std::snprintf(crc, sizeof crc, "%x", crc32c(text));
  text += std::string(" crc=") + crc + "\n";
  scribble(0, text);
  auto state = open();
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Code::newer);
  std::ifstream file(path_ / "incarnation");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line + "\n", text);
}

// Goal: the cluster's tombstone raises the next counter, durably, and never lowers it.
TEST_F(StateDirectoryTest, RaisedByTheClustersTombstone) {
  {
    auto state = open().value();
    EXPECT_TRUE(state->raise_to(41));
    EXPECT_TRUE(state->raise_to(12));
    EXPECT_EQ(state->incarnation().counter, 1u);  // this run stays what it is
    EXPECT_FALSE(state->raise_to(~std::uint64_t{0}));
  }
  EXPECT_EQ(run_once().counter, 42u);
}

// Goal: a directory is one run's at a time, and the refusal says whose it is.
TEST_F(StateDirectoryTest, LockedByARunningNode) {
  auto first = open();
  ASSERT_TRUE(first);
  auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::locked);
  EXPECT_THAT(second.error().message, HasSubstr("(pid " + std::to_string(::getpid()) + ")"));
  first->reset();
  EXPECT_TRUE(open());
}

// Goal: after kill -9 the lock is free and proves that very run dead.
TEST_F(StateDirectoryTest, KilledRunIsProvenDead) {
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto state = open();
    const Incarnation run = state ? (*state)->incarnation() : Incarnation{};
    if (::write(ready[1], &run, sizeof run) != sizeof run) ::_exit(1);
    for (;;) ::pause();
  }
  Incarnation run;
  ASSERT_EQ(::read(ready[0], &run, sizeof run), static_cast<ssize_t>(sizeof run));
  EXPECT_EQ(open().error().code, Code::locked);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  auto state = open();
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ((*state)->proven_dead(), run);
  EXPECT_EQ((*state)->incarnation().counter, run.counter + 1);
  ::close(ready[0]);
  ::close(ready[1]);
}

// Goal: the lock of a copy proves nothing about the run of the original; nor does one of another
// machine, or of one that was booted since.
TEST_F(StateDirectoryTest, CopiedDirectoryProvesNothing) {
  const fs::path copy = root_ / "copy";
  {
    auto original = open().value();
    EXPECT_FALSE(original->proven_dead());  // there was none
    fs::copy(path_, copy);
    auto copied = open(copy).value();
    EXPECT_FALSE(copied->proven_dead());
    EXPECT_THAT(copied->remark(), HasSubstr("copied"));
  }
  EXPECT_TRUE(open(copy).value()->proven_dead());
  machine_.boot = "b008";
  EXPECT_FALSE(open().value()->proven_dead());
  EXPECT_TRUE(open().value()->proven_dead());
  machine_.machine = "another";
  EXPECT_FALSE(open().value()->proven_dead());
  machine_.machine = "";
  EXPECT_FALSE(open().value()->proven_dead());
  EXPECT_FALSE(open().value()->proven_dead());
}

// Goal: this machine says who it is.
TEST_F(StateDirectoryTest, MachineHasABootId) {
  EXPECT_EQ(MachineIdentity::read().boot.size(), 36u);
}

// Goal: a path that is a file is refused with its name.
TEST_F(StateDirectoryTest, PathIsAFile) {
  fs::create_directories(path_.parent_path());
  std::ofstream(path_) << "x";
  auto state = open();
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Code::unusable);
  EXPECT_THAT(state.error().message, HasSubstr(path_.string()));
}

/// Runs `body` in a child with a mount namespace of its own; true if it returned true. Skips where
/// the system allows no such namespace.
int in_mount_namespace(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(77);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(77);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Goal: a full disk is told as such, nothing half-made is taken for a counter, and the counter
// goes on when there is room again.
TEST_F(StateDirectoryTest, FullDisk) {
  fs::create_directories(path_);
  const int result = in_mount_namespace([&] {
    if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=16k") != 0) ::_exit(77);
    // From no room at all to room for everything, page by page: each step fails at another place.
    for (std::size_t filled = 16'384; filled != 0; filled -= 4'096) {
      {
        std::ofstream filler(path_ / "filler", std::ios::binary);
        filler << std::string(filled, 'x');
      }
      const auto state = open();
      if (state) return filled < 16'384 && (*state)->incarnation().counter == 1;
      if (state.error().code != Code::full) return false;
    }
    return false;
  });
  if (result == 77) GTEST_SKIP() << "no mount namespaces here";
  EXPECT_EQ(result, 0);
}

// Goal: a read-only disk is told as such, for a new directory and for one with a past.
TEST_F(StateDirectoryTest, ReadOnlyDisk) {
  fs::create_directories(path_);
  const int result = in_mount_namespace([&] {
    if (::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64k") != 0) ::_exit(77);
    if (::mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
      return false;
    const auto fresh = open();
    if (fresh || fresh.error().code != Code::read_only) return false;
    ::mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT, nullptr);
    if (!open()) return false;
    ::mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
    const auto old = open();
    return !old && old.error().code == Code::read_only;
  });
  if (result == 77) GTEST_SKIP() << "no mount namespaces here";
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace coterie
