// What only SQLite can meet: real processes that share a directory, and disks that are full,
// read-only, damaged or missing. Runs as root where it mounts; a mount that fails fails the test.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <new>
#include <set>
#include <sstream>

#include "journal/sqlite_connection.hpp"
#include "journal/sqlite_file.hpp"
#include "journal/sqlite_gather.hpp"
#include "tests/journal/engines.hpp"

namespace coterie::test {
namespace {

namespace fs = std::filesystem;
using Code = StorageError::Code;
using testing::HasSubstr;

constexpr auto cluster = "sqlite-test";

struct Directory {
  std::string path = make_directory();
  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path); }
};

StorageResult<StorageSet> open_at(const std::string& directory, const std::string& node,
                                  int wait_ms = 5000) {
  return open_storage({.description = "sqlite:" + directory,
                       .node = node,
                       .cluster_id = cluster,
                       .wait = std::chrono::milliseconds(wait_ms)});
}

StorageResult<void> append_one(Streams& streams, const std::string& stream, Epoch epoch,
                               std::uint64_t sequence, const Bytes& payload) {
  Append append{stream, epoch, sequence, {{.payload = payload}}};
  auto results = streams.append({&append, 1});
  if (!results) return std::unexpected(results.error());
  return results->front();
}

template <class T>
void expect_error(const StorageResult<T>& result, Code code, const std::string& part) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_THAT(result.error().message, HasSubstr(part));
}

// ---- real processes ----

pid_t spawn(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  return child;
}

int exit_code(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Memory that forked children share with their parent.
template <class T>
struct Shared {
  T* value =
      new (::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          T();
  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(value, sizeof(T)); }
  T* operator->() const { return value; }
};

// Three processes that start on an empty directory at the same instant all succeed.
TEST(SqliteProcesses, CreateTheFilesAtTheSameInstant) {
  struct Gate {
    std::atomic<int> arrived = 0;
  };
  for (int round = 0; round < 8; ++round) {
    const Directory parent;
    const std::string directory = parent.path + "/journal";
    const Shared<Gate> gate;
    std::vector<pid_t> children;
    for (const std::string node : {"a", "b", "c"}) {
      children.push_back(spawn([&, node] {
        ++gate->arrived;
        while (gate->arrived < 3) ::sched_yield();
        auto storage = open_at(directory, node);
        if (!storage) {
          ::fprintf(stderr, "%s: %s\n", node.c_str(), storage.error().message.c_str());
          return 1;
        }
        Transaction put{{}, {{"node/" + node, "1"}}};
        if (!storage->names->commit({&put, 1}) || !storage->agreement->commit({&put, 1})) return 2;
        if (!storage->streams->open(node, {1, 1})) return 3;
        return append_one(*storage->streams, node, {1, 1}, 1, "x") ? 0 : 4;
      }));
    }
    for (const auto child : children) EXPECT_EQ(exit_code(child), 0) << "round " << round;
    auto storage = open_at(directory, "a");
    ASSERT_TRUE(storage) << storage.error().message;
    EXPECT_EQ(storage->names->scan("node/").value().size(), 3u);
    EXPECT_EQ(storage->streams->list("").value().size(), 3u);
    for (const auto& entry : fs::directory_iterator(directory)) {
      EXPECT_FALSE(entry.path().filename().string().starts_with(".creating")) << entry.path();
    }
  }
}

struct Field {
  std::atomic<std::uint64_t> epochs = 0;
  std::atomic<bool> stop = false;
};

/// Takes streams and appends to them; tells each acknowledged event to `told` as "stream payload".
int play(const std::string& directory, const std::string& node, Field& field, int told) {
  auto storage = open_at(directory, node);
  if (!storage) return 1;
  for (int turn = 0; !field.stop; ++turn) {
    const Epoch epoch{1, ++field.epochs};
    const auto stream = "s" + std::to_string(turn % 3);
    const auto opened = storage->streams->open(stream, epoch);
    if (!opened && opened.error().code == Code::fenced) continue;
    if (!opened) {
      ::fprintf(stderr, "%s: %s\n", node.c_str(), opened.error().message.c_str());
      return 2;
    }
    auto sequence = opened->size();
    for (int i = 0; i < 5; ++i) {
      const auto payload = node + "." + to_string(epoch) + "." + std::to_string(i);
      const auto done = append_one(*storage->streams, stream, epoch, ++sequence, payload);
      if (!done && done.error().code == Code::fenced) break;
      if (!done) {
        ::fprintf(stderr, "%s: %s\n", node.c_str(), done.error().message.c_str());
        return 3;
      }
      const auto line = stream + " " + payload + "\n";
      if (::write(told, line.data(), line.size()) < 0) return 4;
    }
  }
  return 0;
}

// While three processes take streams from one another one is killed without warning: every event
// that was acknowledged to anybody is in the replay once, in order, without a gap.
TEST(SqliteProcesses, KeepEveryAcknowledgedEventWhenOneIsKilled) {
  const Directory directory;
  const Shared<Field> field;
  int pipe_ends[2] = {};
  ASSERT_EQ(::pipe(pipe_ends), 0);
  std::vector<pid_t> children;
  for (const std::string node : {"a", "b", "c"}) {
    children.push_back(
        spawn([&, node] { return play(directory.path, node, *field.value, pipe_ends[1]); }));
  }
  ::close(pipe_ends[1]);
  std::string told;
  std::size_t lines = 0;
  std::size_t killed_at = 0;
  char chunk[4096];
  for (ssize_t got = 0; (got = ::read(pipe_ends[0], chunk, sizeof chunk)) > 0;) {
    told.append(chunk, static_cast<std::size_t>(got));
    lines += static_cast<std::size_t>(std::count(chunk, chunk + got, '\n'));
    if (killed_at == 0 && lines >= 150) {
      ::kill(children[0], SIGKILL);
      killed_at = lines;
    }
    if (killed_at != 0 && lines >= killed_at + 150) field->stop = true;
  }
  ::close(pipe_ends[0]);
  EXPECT_EQ(exit_code(children[0]), 128 + SIGKILL);
  EXPECT_EQ(exit_code(children[1]), 0);
  EXPECT_EQ(exit_code(children[2]), 0);

  auto storage = open_at(directory.path, "d");
  ASSERT_TRUE(storage) << storage.error().message;
  std::map<std::string, std::multiset<std::string>> stored;
  for (const std::string stream : {"s0", "s1", "s2"}) {
    const auto events = storage->streams->open(stream, {2, 1});
    ASSERT_TRUE(events) << events.error().message;
    for (std::size_t i = 0; i < events->size(); ++i) {
      EXPECT_EQ((*events)[i].sequence, i + 1);
      stored[stream].insert((*events)[i].payload);
    }
  }
  std::istringstream acked(told);
  std::string stream;
  std::string payload;
  while (acked >> stream >> payload) EXPECT_EQ(stored[stream].count(payload), 1u) << payload;
  EXPECT_GE(lines, 300u);
}

// A process that is stopped inside a transaction makes the others answer `unavailable` within their
// bound, and once it is gone they go on.
TEST(SqliteProcesses, AnswerWhileAStoppedProcessHoldsTheLock) {
  const Directory directory;
  ASSERT_TRUE(open_at(directory.path, "a"));
  const pid_t child = spawn([&] {
    auto file = detail::SqliteConnection::open(directory.path + "/names.db",
                                               std::chrono::milliseconds(1000));
    if (!file || !file->begin()) return 1;
    ::raise(SIGSTOP);
    return 0;
  });
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  expect_error(open_at(directory.path, "a", 50), Code::unavailable,
               "another process held its lock");
  ::kill(child, SIGKILL);
  EXPECT_EQ(exit_code(child), 128 + SIGKILL);
  EXPECT_TRUE(open_at(directory.path, "a", 50));
}

// An open gets through to the streams of a process that appends to its file without a pause.
TEST(SqliteProcesses, OpenPassesAWriterAtFullSpeed) {
  const Directory directory;
  const Shared<Field> field;
  const pid_t writer = spawn([&] {
    auto storage = open_at(directory.path, "a");
    if (!storage) return 1;
    if (!storage->streams->open("mine", {1, 1}) || !storage->streams->open("moves", {1, 1})) {
      return 2;
    }
    for (std::uint64_t i = 1; !field->stop; ++i) {
      if (!append_one(*storage->streams, "mine", {1, 1}, i, "x")) return 3;
      field->epochs = i;
    }
    return 0;
  });
  while (field->epochs < 20) ::sched_yield();
  auto storage = open_at(directory.path, "b", 5000);
  for (std::uint64_t epoch = 2; epoch < 22; ++epoch) {
    const auto opened = storage->streams->open("moves", {epoch, 1});
    EXPECT_TRUE(opened) << opened.error().message;
  }
  field->stop = true;
  EXPECT_EQ(exit_code(writer), 0);
}

// ---- disks ----

// A directory that is missing, a file in its place and an unusable name are told apart.
TEST(SqliteFaults, NamesWhatIsWrongWithThePath) {
  const Directory directory;
  expect_error(open_at(directory.path + "/no/such", "a"), Code::unavailable, "mkdir -p");
  std::ofstream(directory.path + "/file") << "text";
  expect_error(open_at(directory.path + "/file", "a"), Code::misuse, "is not a directory");
  fs::create_directory(directory.path + "/names.db");
  expect_error(open_at(directory.path, "a"), Code::misuse, "not a regular file");
  expect_error(open_at("", "a"), Code::misuse, "sqlite:DIRECTORY");
}

// Storage of another cluster, renamed files and unknown kinds of storage are refused.
TEST(SqliteFaults, RefusesWhatIsNotItsOwn) {
  const Directory directory;
  ASSERT_TRUE(open_at(directory.path, "a"));
  expect_error(open_storage({"sqlite:" + directory.path, "a", "other"}), Code::misuse,
               "belongs to cluster 'sqlite-test'");
  fs::rename(directory.path + "/agreement.db", directory.path + "/names.db");
  expect_error(open_at(directory.path, "a"), Code::misuse, "is of kind 'agreement'");
  expect_error(open_storage({"mysql:x", "a", "c"}), Code::misuse, "'mysql:x' is unknown");
  expect_error(open_storage({"memory", "", "c"}), Code::misuse, "name of the node");
}

// Garbage and an emptied file are corrupt, not new: nothing starts without its past.
TEST(SqliteFaults, RefusesGarbageAndEmptiedFiles) {
  for (const std::string name : {"agreement.db", "names.db", "journal-a.db"}) {
    const Directory directory;
    ASSERT_TRUE(open_at(directory.path, "a"));
    std::ofstream(directory.path + "/" + name, std::ios::trunc) << std::string(8192, 'g');
    expect_error(open_at(directory.path, "a"), Code::corrupt, name);
    std::ofstream(directory.path + "/" + name, std::ios::trunc);
    expect_error(open_at(directory.path, "a"), Code::corrupt, "is empty");
  }
}

// Files that a later program has written are refused, each by its name, and left as they are.
TEST(SqliteFaults, RefusesALaterFormat) {
  for (const std::string name : {"agreement.db", "names.db", "journal-a.db"}) {
    const Directory directory;
    ASSERT_TRUE(open_at(directory.path, "a"));
    {
      auto file = detail::SqliteConnection::open(directory.path + "/" + name,
                                                 std::chrono::milliseconds(1000));
      ASSERT_TRUE(file->execute("UPDATE meta SET value = '2' WHERE key = 'format'"));
    }
    const auto refused = open_at(directory.path, "a");
    expect_error(refused, Code::misuse, name + "' has format '2', this program reads '1'");
  }
}

/// Overwrites the first occurrence of `from` in a file by `to` of the same length.
void change(const std::string& path, const std::string& from, const std::string& to) {
  ASSERT_EQ(from.size(), to.size());
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  const auto at = content.str().find(from);
  ASSERT_NE(at, std::string::npos) << path;
  file.seekp(static_cast<std::streamoff>(at));
  file << to;
}

// A bit that flips where SQLite cannot see it is found by our checksums; the other streams live.
TEST(SqliteFaults, FindsChangedBytes) {
  const Directory directory;
  {
    auto storage = open_at(directory.path, "a");
    for (const std::string stream : {"bad", "good", "fence"}) {
      ASSERT_TRUE(storage->streams->open(stream, {7, 7}));
      ASSERT_TRUE(append_one(*storage->streams, stream, {7, 7}, 1, "payload of " + stream));
    }
    const std::vector<Transaction> batch = {{{}, {{"record", "some value"}}},
                                            {{}, {{"good", "1"}}}};
    ASSERT_TRUE(storage->names->commit(batch));
  }
  change(directory.path + "/journal-a.db", "payload of bad", "payl0ad of bad");
  change(directory.path + "/names.db", "some value", "some valve");
  change(directory.path + "/names.db", std::string("fence\x07\x07", 7),
         std::string("fence\x07\x08", 7));
  auto storage = open_at(directory.path, "a");
  ASSERT_TRUE(storage) << storage.error().message;
  expect_error(storage->streams->open("bad", {8, 1}), Code::corrupt, "event 1 does not fit");
  expect_error(storage->streams->read("bad"), Code::corrupt, "'bad'");
  expect_error(storage->streams->open("fence", {8, 1}), Code::corrupt, "fence of stream 'fence'");
  EXPECT_EQ(storage->streams->open("good", {8, 1}).value().size(), 1u);
  expect_error(storage->names->read("record"), Code::corrupt, "'record'");
  expect_error(storage->names->scan(""), Code::corrupt, "'record'");
  EXPECT_EQ(storage->names->read("good").value()->value, "1");
}

// A page of zeros is damage that SQLite reports, and an event that is gone leaves a gap.
TEST(SqliteFaults, FindsLostPagesAndEvents) {
  const Directory directory;
  {
    auto storage = open_at(directory.path, "a");
    ASSERT_TRUE(storage->streams->open("s", {1, 1}));
    ASSERT_TRUE(storage->streams->open("t", {1, 1}));
    for (std::uint64_t i = 1; i <= 3; ++i) {
      ASSERT_TRUE(append_one(*storage->streams, "s", {1, 1}, i, "event"));
      ASSERT_TRUE(append_one(*storage->streams, "t", {1, 1}, i, Bytes(6000, 't')));
    }
  }
  {
    auto file = detail::SqliteConnection::open(directory.path + "/journal-a.db",
                                               std::chrono::milliseconds(1000));
    ASSERT_TRUE(file->execute("DELETE FROM events WHERE stream = 's' AND sequence = 2"));
  }
  {
    auto storage = open_at(directory.path, "a");
    expect_error(storage->streams->open("s", {1, 2}), Code::corrupt, "after event 1 comes event 3");
  }
  const auto path = directory.path + "/journal-a.db";
  const auto size = fs::file_size(path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (auto page = std::uintmax_t{2} * 4096; page < size; page += 4096) {
    file.seekp(static_cast<std::streamoff>(page));
    file << std::string(4096, '\0');
  }
  file.close();
  auto storage = open_at(directory.path, "b");
  ASSERT_TRUE(storage) << storage.error().message;
  ASSERT_FALSE(storage->streams->open("t", {1, 2}));
  EXPECT_EQ(storage->streams->open("t", {1, 2}).error().code, Code::corrupt);
}

// One page in the middle of a file is lost: the streams with events in it are refused, and the next
// one in order of name, whose first event is looked for there; all others live.
TEST(SqliteFaults, OneLostPageIsTheDamageOfFewStreams) {
  const Directory directory;
  const auto stream = [](int i) { return "stream " + std::to_string(i); };
  constexpr int streams = 20;
  {
    auto storage = open_at(directory.path, "a");
    for (int i = 0; i < streams; ++i) {
      ASSERT_TRUE(storage->streams->open(stream(i), {1, 1}));
      // Two to a page, so that each page has events of one or two streams.
      for (std::uint64_t event = 1; event <= 4; ++event) {
        ASSERT_TRUE(append_one(*storage->streams, stream(i), {1, 1}, event,
                               "of " + stream(i) + Bytes(1500, '.')));
      }
    }
  }
  const auto path = directory.path + "/journal-a.db";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  const auto at = content.str().find("of stream 7") / 4096 * 4096;
  std::set<std::string> hit;
  for (int i = 0; i < streams; ++i) {
    if (content.str().substr(at, 4096).find("of " + stream(i) + '.') != std::string::npos) {
      hit.insert(stream(i));
    }
  }
  file.seekp(static_cast<std::streamoff>(at));
  file << std::string(4096, '\0');
  file.close();
  ASSERT_TRUE(!hit.empty() && hit.size() <= 3);
  auto storage = open_at(directory.path, "b");
  ASSERT_TRUE(storage) << storage.error().message;
  std::size_t refused = 0;
  for (int i = 0; i < streams; ++i) {
    const auto opened = storage->streams->open(stream(i), {1, 2});
    if (!opened) {
      EXPECT_EQ(opened.error().code, Code::corrupt) << opened.error().message;
      ++refused;
      continue;
    }
    EXPECT_FALSE(hit.contains(stream(i))) << stream(i);
    EXPECT_EQ(opened->size(), 4u);
    EXPECT_TRUE(append_one(*storage->streams, stream(i), {1, 2}, 5, "goes on"));
  }
  EXPECT_GE(refused, hit.size());
  EXPECT_LE(refused, hit.size() + 1);
}

// A node's file that vanished is missed by whoever needs its events, before and during use.
TEST(SqliteFaults, MissesAFileThatVanished) {
  const Directory directory;
  const auto path = directory.path + "/journal-a.db";
  {
    auto a = open_at(directory.path, "a");
    ASSERT_TRUE(a->streams->open("s", {1, 1}));
    ASSERT_TRUE(append_one(*a->streams, "s", {1, 1}, 1, "x"));
    fs::rename(path, path + ".away");
    expect_error(append_one(*a->streams, "s", {1, 1}, 2, "y"), Code::unavailable,
                 "deleted, renamed");
    fs::rename(path + ".away", path);
    EXPECT_TRUE(append_one(*a->streams, "s", {1, 1}, 2, "y"));
  }
  auto b = open_at(directory.path, "b");
  ASSERT_TRUE(b->streams->open("other", {1, 1}));
  fs::rename(path, path + ".away");
  expect_error(b->streams->open("s", {1, 2}), Code::corrupt, "is missing");
  EXPECT_TRUE(b->streams->open("other", {1, 2}));
  fs::rename(path + ".away", path);
  EXPECT_EQ(b->streams->open("s", {1, 2}).value().size(), 2u);
}

/// A small file system of its own.
struct Mount {
  std::string path = make_directory();
  explicit Mount(const std::string& options) {
    if (::mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) != 0) {
      throw std::runtime_error("mounting a tmpfs failed, run this test as root: " +
                               std::string(std::strerror(errno)));
    }
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() {
    ::umount2(path.c_str(), MNT_DETACH);
    fs::remove_all(path);
  }
  void make_read_only() {
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "") != 0) {
      throw std::runtime_error("remounting failed: " + std::string(std::strerror(errno)));
    }
  }
};

// A read-only disk is named as such, empty or not.
TEST(SqliteFaults, SaysThatTheDiskIsReadOnly) {
  Mount mount("size=4m");
  const auto journal = mount.path + "/journal";
  ASSERT_TRUE(open_at(journal, "a"));
  mount.make_read_only();
  expect_error(open_at(journal, "a"), Code::unavailable, "/journal/agreement.db");
  expect_error(open_at(journal, "b"), Code::unavailable, "read-only");
  expect_error(open_at(mount.path + "/new", "a"), Code::unavailable, "mkdir -p");
}

// On a full disk appends and opens fail before they take effect, reads go on, and when space
// returns the same append succeeds.
TEST(SqliteFaults, GoesOnWhenAFullDiskHasSpaceAgain) {
  Mount mount("size=3m");
  auto a = open_at(mount.path + "/journal", "a");
  ASSERT_TRUE(a) << a.error().message;
  ASSERT_TRUE(a->streams->open("s", {1, 1}));
  const Bytes payload(20000, 'p');
  std::uint64_t next = 1;
  for (; next <= 5; ++next) {
    ASSERT_TRUE(append_one(*a->streams, "s", {1, 1}, next, payload));
  }
  {
    std::ofstream filler(mount.path + "/filler");
    while (filler << std::string(4096, 'f') << std::flush) {
    }
  }
  StorageResult<void> result;
  for (; (result = append_one(*a->streams, "s", {1, 1}, next, payload)); ++next) {
    ASSERT_LT(next, 200u);
  }
  expect_error(result, Code::unavailable, "no space left");
  EXPECT_FALSE(result.error().maybe_applied);
  EXPECT_EQ(a->streams->read("s").value().size(), next - 1);
  // A snapshot that finds no space deletes nothing of what it would have stood for.
  const Append snapshot{.stream = "s",
                        .epoch = {1, 1},
                        .expected_sequence = next,
                        .snapshot = Bytes(100000, 's'),
                        .snapshots_kept = 1,
                        .trim = true};
  const auto taken = a->streams->append({&snapshot, 1});
  EXPECT_FALSE(taken && taken->front());
  EXPECT_EQ(a->streams->read("s").value().size(), next - 1);
  Transaction put{{}, {{"big", Bytes(200000, 'b')}}};
  expect_error(a->names->commit({&put, 1}), Code::unavailable, "no space left");
  EXPECT_EQ(a->names->read("big").value(), std::nullopt);

  fs::remove(mount.path + "/filler");
  ASSERT_TRUE(append_one(*a->streams, "s", {1, 1}, next, payload));
  ASSERT_TRUE(a->names->commit({&put, 1}));
  a = open_at(mount.path + "/journal", "a");
  EXPECT_EQ(a->streams->open("s", {1, 2}).value().size(), next);
}

// What a gathering connection has undone is never written over what others have committed since.
TEST(SqliteFaults, AnUndoneTransactionLeavesNothingToWrite) {
  const Directory directory;
  ASSERT_TRUE(open_at(directory.path, "a"));
  const auto connect = [&](const char* vfs) {
    return detail::SqliteConnection::open(directory.path + "/journal-a.db",
                                          std::chrono::milliseconds(1000), vfs);
  };
  auto gathers = connect(detail::gathering_vfs());
  auto other = connect(nullptr);
  const auto insert = [](detail::SqliteConnection& connection, int first, int rows) {
    const std::string sql = "WITH RECURSIVE n(i) AS (SELECT " + std::to_string(first) +
                            " UNION ALL SELECT i + 1 FROM n WHERE i < " +
                            std::to_string(first + rows - 1) +
                            ") INSERT INTO events SELECT 's', i, 1, 1, '', zeroblob(900), '', 0 "
                            "FROM n";
    return connection.execute(sql.c_str());
  };
  // More pages than it keeps in memory.
  ASSERT_TRUE(gathers->execute("PRAGMA cache_size=10"));
  for (int round = 0; round < 3; ++round) {
    const int first = 1'000 * round;
    // So that undoing reads nothing from the log.
    ASSERT_TRUE(gathers->execute("PRAGMA wal_checkpoint(TRUNCATE)"));
    ASSERT_TRUE(gathers->begin());
    ASSERT_TRUE(insert(*gathers, 10'000 + first, 200));
    gathers->rollback();
    ASSERT_TRUE(insert(*other, first, 400));
    ASSERT_TRUE(insert(*gathers, first + 500, 200));
  }
  std::string integrity;
  std::uint64_t count = 0;
  auto third = connect(nullptr);
  auto check = third->prepare("PRAGMA integrity_check");
  ASSERT_TRUE(check->query([&](auto& row) { integrity += row.bytes(0); }));
  auto rows = third->prepare("SELECT count(*) FROM events");
  ASSERT_TRUE(rows->query([&](auto& row) { count = row.number(0); }));
  EXPECT_EQ(integrity, "ok");
  EXPECT_EQ(count, 1'800u);
}

// Node names that no file system likes make files of their own all the same.
TEST(SqliteFaults, EncodesNodeNames) {
  EXPECT_EQ(detail::journal_file_name("a-1_b.c"), "journal-a-1_b.c.db");
  EXPECT_EQ(detail::journal_file_name("../a b"), "journal-..%2Fa%20b.db");
}

}  // namespace
}  // namespace coterie::test
