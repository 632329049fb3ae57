// What only PostgreSQL can meet: lost connections, a server that hangs or is away, unsafe settings.

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "tests/journal/engines.hpp"
#include "tests/journal/postgres_admin.hpp"

namespace coterie::test {
namespace {

using Code = StorageError::Code;
using testing::HasSubstr;

class PostgresTest : public testing::Test {
 protected:
  /// Ends every connection of the library, as a restart of the server would.
  static void cut_connections() {
    postgres_execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '" +
        application() + "'");
  }
  static std::string application() { return "journal_test_" + std::to_string(::getpid()); }

  StorageResult<StorageSet> open(const std::string& more = {}, int wait_ms = 2000) const {
    return open_storage({.description = "postgres:" + postgres_conninfo() +
                                        " application_name=" + application() + " " + more,
                         .node = "a",
                         .cluster_id = place_.cluster_id(),
                         .wait = std::chrono::milliseconds(wait_ms)});
  }
  static StorageResult<void> append(Streams& streams, std::uint64_t sequence) {
    Append append{"s", {1, 1}, sequence, {{.payload = std::to_string(sequence)}}};
    auto results = streams.append({&append, 1});
    if (!results) return std::unexpected(results.error());
    return results->front();
  }

  const Place place_{"postgres"};
};

// A connection that was cut is told once, as `unavailable`, and opened again by the next request.
TEST_F(PostgresTest, ConnectsAgainAfterALoss) {
  auto storage = open();
  ASSERT_TRUE(storage) << storage.error().message;
  Transaction put{{}, {{"a", "1"}}};
  ASSERT_TRUE(storage->names->commit({&put, 1}));
  cut_connections();
  const auto cut = storage->names->read("a");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::unavailable);
  EXPECT_FALSE(cut.error().maybe_applied);
  EXPECT_THAT(cut.error().message, HasSubstr("connects again"));
  EXPECT_EQ(storage->names->read("a").value()->value, "1");
}

// While connections are cut again and again under load, no acknowledged append is lost, none is
// doubled, and an unknown one is told as such.
TEST_F(PostgresTest, LosesNothingWhileConnectionsAreCut) {
  auto storage = open();
  ASSERT_TRUE(storage->streams->open("s", {1, 1}));
  std::atomic<bool> stop = false;
  std::thread cutter([&] {
    while (!stop) {
      cut_connections();
      std::this_thread::sleep_for(std::chrono::milliseconds(15));
    }
  });
  int cuts = 0;
  std::uint64_t next = 1;
  // A fast disk may write 400 before the first cut: goes on until there was one. What a lost answer
  // left open is known by the next append.
  bool open_end = false;
  while (open_end || next <= 400 || (cuts == 0 && next <= 100'000)) {
    const auto done = append(*storage->streams, next);
    open_end = !done && done.error().code != Code::conflict;
    if (done) {
      ++next;
      continue;
    }
    if (done.error().code == Code::conflict) {  // the one whose answer was lost was applied
      ++next;
      continue;
    }
    EXPECT_EQ(done.error().code, Code::unavailable) << done.error().message;
    ++cuts;
  }
  stop = true;
  cutter.join();
  EXPECT_GT(cuts, 0);
  auto events = storage->streams->read("s");
  if (!events) events = storage->streams->read("s");  // this connection was cut as well
  ASSERT_TRUE(events) << events.error().message;
  ASSERT_EQ(events->size(), next - 1);
  for (std::size_t i = 0; i < 400; ++i) EXPECT_EQ((*events)[i].payload, std::to_string(i + 1));
}

// A lock that somebody holds is waited for within the bound, then the answer is `unavailable`, and
// nothing of the request happens later.
TEST_F(PostgresTest, BoundsTheWaitForALock) {
  auto storage = open({}, 400);
  ASSERT_TRUE(storage->streams->open("s", {1, 1}));
  std::thread holder([&] {
    postgres_execute("BEGIN; SELECT * FROM \"coterie_" + place_.cluster_id() +
                     "\".fences FOR UPDATE; SELECT pg_sleep(2); COMMIT");
  });
  StorageResult<void> done;
  std::uint64_t next = 1;
  while ((done = append(*storage->streams, next))) ++next;
  EXPECT_EQ(done.error().code, Code::unavailable);
  EXPECT_FALSE(done.error().maybe_applied) << done.error().message;
  holder.join();
  EXPECT_TRUE(append(*storage->streams, next));
}

// A server that stops answering is given up within the bound, and used again once it answers.
TEST_F(PostgresTest, GivesUpAServerThatHangs) {
  auto storage = open({}, 200);
  ASSERT_TRUE(storage->streams->open("s", {1, 1}));
  ASSERT_TRUE(append(*storage->streams, 1));
  const auto backend = std::stoi(postgres_execute(
      "SELECT pid FROM pg_stat_activity WHERE query = 'COMMIT' AND application_name = '" +
      application() + "' ORDER BY query_start DESC LIMIT 1"));
  ASSERT_EQ(::kill(backend, SIGSTOP), 0) << "run this test as root or as the server's user";
  const auto hung = append(*storage->streams, 2);
  EXPECT_EQ(::kill(backend, SIGCONT), 0);
  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.error().code, Code::unavailable);
  EXPECT_THAT(hung.error().message, HasSubstr("no answer for 300 ms"));
  EXPECT_TRUE(append(*storage->streams, 2));
}

// Something that listens and never speaks is no server.
TEST_F(PostgresTest, GivesUpAListenerThatNeverSpeaks) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 4), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto port = std::to_string(ntohs(address.sin_port));
  const auto result = open("host=127.0.0.1 sslmode=disable port=" + port, 100);
  ::close(listener);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("no answer for 150 ms"));
}

// A server that is too busy to answer a node that starts is asked again.
TEST_F(PostgresTest, AsksABusyServerAgainAtStart) {
  ASSERT_TRUE(open());
  const std::string table = "\"coterie_" + place_.cluster_id() + "\".meta";
  // Until a second connection waits for the table: the first one has given up then.
  std::thread holder([&] {
    postgres_execute("DO $$ DECLARE seen int[] := '{}'; BEGIN LOCK TABLE " + table +
                     "; WHILE cardinality(seen) < 2 LOOP PERFORM pg_stat_clear_snapshot(); "
                     "seen := ARRAY(SELECT pid FROM pg_stat_activity WHERE wait_event_type = "
                     "'Lock' AND application_name = '" +
                     application() + "' UNION SELECT unnest(seen)); END LOOP; END $$");
  });
  while (postgres_execute("SELECT count(*) FROM pg_locks WHERE granted AND mode = "
                          "'AccessExclusiveLock' AND relation = '" +
                          table + "'::regclass") == "0") {
  }
  const auto storage = open({}, 500);
  EXPECT_TRUE(storage) << storage.error().message;
  if (!storage) static_cast<void>(open({}, 500));  // lets the holder end
  holder.join();
}

// A server that is not there, refuses us or is unsafe is told at start, each in its own words.
TEST_F(PostgresTest, NamesWhatIsWrongAtStart) {
  const auto expect = [](const StorageResult<StorageSet>& result, Code code,
                         const std::string& part) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr(part));
  };
  expect(open("host=/no/such/directory", 200), Code::unavailable, "/no/such/directory");
  expect(open("dbname=no_such_database"), Code::unavailable, "no_such_database");
  expect(open("options='-c synchronous_commit=off'"), Code::misuse, "synchronous_commit is off");
  expect(open("no_such_key=1"), Code::unavailable, "no_such_key");
  expect(open_storage({"postgres:" + postgres_conninfo(), "a", std::string(60, 'c')}), Code::misuse,
         "50 bytes");
}

// A server that keeps less than we promise is allowed and named.
TEST_F(PostgresTest, WarnsOfAServerWithoutFsync) {
  auto storage = open();
  ASSERT_TRUE(storage) << storage.error().message;
  const bool fsync = postgres_execute("SHOW fsync") == "on";
  EXPECT_EQ(storage->warnings.empty(), fsync && postgres_execute("SHOW full_page_writes") == "on");
  if (!fsync) {
    EXPECT_THAT(storage->warnings.at(0), HasSubstr("fsync is off"));
  }
}

// Nodes that start at once on an empty database take turns in making the tables.
TEST_F(PostgresTest, MakesTheTablesOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> opened = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto storage = open({}, 5000);
      if (storage) ++opened;
      EXPECT_TRUE(storage) << storage.error().message;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(opened, 4);
}

// A schema that a later program has changed is refused, and left as it is.
TEST_F(PostgresTest, RefusesALaterFormat) {
  ASSERT_TRUE(open());
  const auto schema = "SET search_path = \"coterie_" + place_.cluster_id() + "\"; ";
  postgres_execute(schema + "UPDATE meta SET value = '2' WHERE key = 'format'");
  const auto refused = open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::misuse);
  EXPECT_THAT(refused.error().message, HasSubstr("has format '2', this program reads '1'"));
  // One from before formats were stamped is of the first.
  postgres_execute(schema + "DROP TABLE meta");
  EXPECT_TRUE(open());
}

// Rows that somebody changed or removed are refused.
TEST_F(PostgresTest, FindsChangedRows) {
  auto storage = open();
  const auto schema = "SET search_path = \"coterie_" + place_.cluster_id() + "\"; ";
  ASSERT_TRUE(storage->streams->open("s", {1, 1}));
  for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(append(*storage->streams, i));
  Transaction put{{}, {{"a", "1"}}};
  ASSERT_TRUE(storage->names->commit({&put, 1}));
  postgres_execute(schema + "UPDATE names SET value = 'x'");
  EXPECT_EQ(storage->names->read("a").error().code, Code::corrupt);
  EXPECT_EQ(storage->names->commit({&put, 1}).error().code, Code::corrupt);
  postgres_execute(schema + "DELETE FROM events WHERE sequence = 3");
  EXPECT_EQ(storage->streams->open("s", {1, 2}).error().code, Code::corrupt);
  postgres_execute(schema + "UPDATE events SET payload = 'x' WHERE sequence = 1");
  EXPECT_THAT(storage->streams->read("s").error().message, HasSubstr("event 1 does not fit"));
}

}  // namespace
}  // namespace coterie::test
