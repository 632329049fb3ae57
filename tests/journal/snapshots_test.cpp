// Snapshots on every engine: where a replay begins, how many stay, what is deleted behind them, and
// that the fence holds for them too. Damage to them: SQLite and PostgreSQL.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/sqlite_connection.hpp"
#include "tests/journal/engines.hpp"
#include "tests/journal/postgres_admin.hpp"

namespace coterie::test {
namespace {

using Code = StorageError::Code;
using testing::HasSubstr;

/// An entry as text: "3" an event, "S3" a snapshot, "D3" a damaged one.
std::string text_of(const StorageResult<std::vector<Event>>& entries) {
  if (!entries) return "error: " + entries.error().message;
  std::string text;
  for (const Event& one : *entries) {
    if (!text.empty()) text += ' ';
    if (one.kind == Event::Kind::snapshot) text += 'S';
    if (one.kind == Event::Kind::damaged_snapshot) text += 'D';
    text += std::to_string(one.sequence);
    const std::string number = std::to_string(one.sequence);
    switch (one.kind) {
      case Event::Kind::event:
        EXPECT_EQ(one.payload, "e" + number);
        break;
      case Event::Kind::snapshot:
        EXPECT_EQ(one.payload, "state " + number);
        break;
      case Event::Kind::damaged_snapshot:
        EXPECT_FALSE(one.payload.empty());
        break;
    }
  }
  return text;
}

struct Taking {
  bool snapshot = false;
  bool trim = false;
  std::size_t kept = 2;
};

StorageResult<void> append(StorageSet& node, Epoch epoch, std::uint64_t from, std::uint64_t count,
                           Taking taking = {}) {
  Append append{"s", epoch, from, {}};
  for (std::uint64_t i = from; i < from + count; ++i) {
    append.events.push_back({.payload = "e" + std::to_string(i)});
  }
  if (taking.snapshot) append.snapshot = "state " + std::to_string(from + count - 1);
  append.snapshots_kept = taking.kept;
  append.trim = taking.trim;
  auto results = node.streams->append({&append, 1});
  if (!results) return std::unexpected(results.error());
  return results->front();
}

class SnapshotsTest : public OnEachEngine {
 protected:
  StorageSet a_ = place_.storage("a");
  StorageSet b_ = place_.storage("b");
  StorageSet c_ = place_.storage("c");
};
COTERIE_ON_EACH_ENGINE(SnapshotsTest);

// A replay begins at the newest snapshot; what is there to be looked at is everything.
TEST_P(SnapshotsTest, AReplayBeginsAtTheNewest) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, {1, 1}, 1, 3, {.snapshot = true}));
  EXPECT_EQ(text_of(b_.streams->open("s", {1, 1})), "S3");
  ASSERT_TRUE(a_.streams->open("s", {1, 2}));
  ASSERT_TRUE(append(a_, {1, 2}, 4, 2));
  ASSERT_TRUE(append(a_, {1, 2}, 6, 0, {.snapshot = true}));  // of what is there
  ASSERT_TRUE(append(a_, {1, 2}, 6, 1));
  EXPECT_EQ(text_of(b_.streams->open("s", {2, 1})), "S5 6");
  EXPECT_EQ(text_of(a_.streams->read("s")), "1 2 3 S3 4 5 S5 6");
  // The new owner goes on behind it, and takes its own.
  ASSERT_TRUE(append(b_, {2, 1}, 7, 1, {.snapshot = true}));
  EXPECT_EQ(text_of(a_.streams->open("s", {3, 1})), "S7");
  ASSERT_TRUE(append(a_, {3, 1}, 8, 1));
  EXPECT_EQ(text_of(c_.streams->open("s", {4, 1})), "S7 8");
}

// The fence and the sequence hold for a snapshot alone as for an event.
TEST_P(SnapshotsTest, AnOlderOwnerTakesNone) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  EXPECT_EQ(append(a_, {1, 1}, 1, 0, {.snapshot = true}).error().code, Code::misuse);  // of nothing
  ASSERT_TRUE(append(a_, {1, 1}, 1, 2));
  EXPECT_EQ(append(a_, {1, 1}, 2, 0, {.snapshot = true}).error().code, Code::conflict);
  ASSERT_TRUE(b_.streams->open("s", {2, 1}));
  EXPECT_EQ(append(a_, {1, 1}, 3, 0, {.snapshot = true}).error().code, Code::fenced);
  EXPECT_EQ(text_of(c_.streams->read("s")), "1 2");
}

// So many stay as were asked for; the same place twice is one snapshot.
TEST_P(SnapshotsTest, KeepsTheNewest) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  for (std::uint64_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(append(a_, {1, 1}, i, 1, {.snapshot = true, .kept = 3}));
  }
  ASSERT_TRUE(append(a_, {1, 1}, 6, 0, {.snapshot = true, .kept = 3}));
  EXPECT_EQ(text_of(a_.streams->read("s")), "1 2 3 S3 4 S4 5 S5");
  ASSERT_TRUE(append(a_, {1, 1}, 6, 0, {.snapshot = true, .kept = 1}));
  EXPECT_EQ(text_of(a_.streams->read("s")), "1 2 3 4 5 S5");
}

// With trim the events go that all kept snapshots contain, once there are so many snapshots; the
// stream lives on, on other nodes too, and what an earlier owner's place still holds is nothing.
TEST_P(SnapshotsTest, TrimsWhatEveryKeptSnapshotContains) {
  const Taking trim{.snapshot = true, .trim = true};
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, {1, 1}, 1, 3, trim));
  EXPECT_EQ(text_of(a_.streams->read("s")), "1 2 3 S3");  // one snapshot could be damaged
  ASSERT_TRUE(append(a_, {1, 1}, 4, 2, trim));
  EXPECT_EQ(text_of(a_.streams->read("s")), "S3 4 5 S5");
  ASSERT_TRUE(append(a_, {1, 1}, 6, 1));
  for (std::uint64_t turn = 2; turn < 8; ++turn) {
    StorageSet& owner = turn % 3 == 0 ? a_ : turn % 3 == 1 ? b_ : c_;
    const auto past = owner.streams->open("s", {turn, 1});
    ASSERT_TRUE(past) << past.error().message;
    const std::uint64_t next = past->back().sequence + 1;
    ASSERT_EQ(next, 3 * turn + 1);
    ASSERT_TRUE(append(owner, {turn, 1}, next, 2, trim));
    ASSERT_TRUE(append(owner, {turn, 1}, next + 2, 1, trim));
  }
  EXPECT_EQ(text_of(a_.streams->open("s", {9, 1})), "S24");
  EXPECT_EQ(text_of(b_.streams->read("s")), "S23 24 S24");
}

// Streams with and without snapshots are opened in one batch, each from its own place.
TEST_P(SnapshotsTest, OpensManyAtOnce) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(a_.streams->open("t", {1, 1}));
  ASSERT_TRUE(append(a_, {1, 1}, 1, 4, {.snapshot = true}));
  const Append plain{"t", {1, 1}, 1, {{.payload = "e1"}}};
  ASSERT_TRUE(a_.streams->append({&plain, 1}).value().front());
  const std::vector<Opening> openings = {{"t", {2, 1}}, {"s", {2, 1}}, {"new", {2, 1}}};
  const auto opened = b_.streams->open_many(openings).value();
  EXPECT_EQ(text_of(opened[0]), "1");
  EXPECT_EQ(text_of(opened[1]), "S4");
  EXPECT_EQ(text_of(opened[2]), "");
}

/// Snapshots that were changed where they are stored.
class DamagedSnapshots : public testing::TestWithParam<std::string> {
 protected:
  void damage(std::uint64_t sequence) {
    const std::string at = std::to_string(sequence);
    if (GetParam() == "postgres") {
      postgres_execute("UPDATE \"coterie_" + place_.cluster_id() +
                       "\".snapshots SET state = 'other' WHERE sequence = " + at);
      return;
    }
    auto file = detail::SqliteConnection::open(place_.directory() + "/journal-a.db",
                                               std::chrono::milliseconds(1000));
    ASSERT_TRUE(
        file->execute(("UPDATE snapshots SET state = 'other' WHERE sequence = " + at).c_str()));
  }
  Place place_{GetParam()};
  StorageSet a_ = place_.storage("a");
};
INSTANTIATE_TEST_SUITE_P(, DamagedSnapshots, testing::Values("sqlite", "postgres"), engine_name);

// A replay falls back to an older snapshot, then to the first event, and says which it passed over.
TEST_P(DamagedSnapshots, ArePassedOver) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, {1, 1}, 1, 3, {.snapshot = true}));
  ASSERT_TRUE(append(a_, {1, 1}, 4, 2, {.snapshot = true}));
  ASSERT_TRUE(append(a_, {1, 1}, 6, 1));
  damage(5);
  EXPECT_EQ(text_of(a_.streams->open("s", {2, 1})), "D5 S3 4 5 6");
  ASSERT_TRUE(append(a_, {2, 1}, 7, 1));  // and goes on
  damage(3);
  const auto past = a_.streams->open("s", {3, 1});
  EXPECT_EQ(text_of(past), "D5 D3 1 2 3 4 5 6 7");
  EXPECT_THAT(past->front().payload, HasSubstr("checksum"));
  EXPECT_EQ(text_of(a_.streams->read("s")), "1 2 3 D3 4 5 D5 6 7");
}

// When the events are gone that it stood for, the stream is refused and the message says so.
TEST_P(DamagedSnapshots, AreRefusedWhenTheirEventsAreGone) {
  const Taking trim{.snapshot = true, .trim = true};
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, {1, 1}, 1, 3, trim));
  ASSERT_TRUE(append(a_, {1, 1}, 4, 2, trim));
  ASSERT_TRUE(append(a_, {1, 1}, 6, 1));
  damage(5);
  EXPECT_EQ(text_of(a_.streams->open("s", {2, 1})), "D5 S3 4 5 6");
  damage(3);
  for (const auto& refused : {a_.streams->open("s", {3, 1}), a_.streams->read("s")}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::corrupt);
    EXPECT_THAT(refused.error().message,
                HasSubstr("events before 4 were deleted behind a snapshot"));
    EXPECT_THAT(refused.error().message, HasSubstr("Restore the journal from a backup"));
  }
}

// The older one of two is damaged: nobody needs it, and what is there can be looked at.
TEST_P(DamagedSnapshots, AnOlderOneIsToldOf) {
  const Taking trim{.snapshot = true, .trim = true};
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, {1, 1}, 1, 3, trim));
  ASSERT_TRUE(append(a_, {1, 1}, 4, 2, trim));
  damage(3);
  EXPECT_EQ(text_of(a_.streams->open("s", {2, 1})), "S5");
  EXPECT_EQ(text_of(a_.streams->read("s")), "D3 4 5 S5");
}

}  // namespace
}  // namespace coterie::test
