// What `coterie journal` says of streams: whole ones, ones of several owners, damaged ones.

#include "node/journal_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coterie/pack.hpp>

#include "journal/kept_state.hpp"
#include "journal/memory.hpp"

namespace coterie {
namespace {

using testing::HasSubstr;

struct Paid {
  std::int64_t amount = 0;
  std::string by;
};

/// Reads what it is told.
class Told final : public Streams {
 public:
  StorageResult<std::vector<Event>> open(std::string_view, Epoch) override { return events; }
  StorageResult<std::vector<StorageResult<void>>> append(std::span<const Append>) override {
    return std::vector<StorageResult<void>>{};
  }
  StorageResult<std::vector<Event>> read(std::string_view) override { return events; }
  StorageResult<std::vector<std::string>> list(std::string_view) override {
    return std::vector<std::string>{"s"};
  }
  StorageResult<std::vector<Event>> events;
};

Event event(std::uint64_t sequence, Epoch epoch) {
  return {.sequence = sequence,
          .epoch = epoch,
          .request_id = "r\"1",
          .payload = pack(Paid{5, "me"}, Form::named),
          .outcome = {}};
}

// Goal: an event is one line of JSON, whatever was packed and whatever the names are.
TEST(JournalReport, AnEventIsALineOfJson) {
  EXPECT_EQ(event_json("a/\"b", event(3, {2, 7})),
            R"({"stream":"a/\"b","sequence":3,"epoch":[2,7],"request_id":"r\"1",)"
            R"("event":{"amount":5,"by":"me"},"outcome":null})");
  Event odd = event(1, {1, 1});
  odd.payload = Bytes("\xc1\xff", 2);  // no packed value
  EXPECT_THAT(event_json("s", odd), HasSubstr(R"("event":{"$base64":"wf8="})"));
  Event snapshot{.sequence = 7, .epoch = {2, 7}, .kind = Event::Kind::snapshot};
  snapshot.payload = pack(KeptState{pack(Paid{6, "us"}, Form::named), {{{"r", "o"}}, {1, 2}}});
  EXPECT_EQ(event_json("s", snapshot),
            R"({"stream":"s","sequence":7,"epoch":[2,7],"snapshot":{"amount":6,"by":"us"},)"
            R"("requests":1,"older_requests":2})");
  snapshot.kind = Event::Kind::damaged_snapshot;
  snapshot.payload = "why";
  EXPECT_THAT(event_json("s", snapshot), HasSubstr(R"("damaged_snapshot":"why")"));
}

// Goal: owners are counted, and what is out of order is named.
TEST(JournalReport, ChecksOrderAndOwners) {
  Told streams;
  streams.events = std::vector{event(1, {1, 1}), event(2, {1, 1}), event(3, {2, 1})};
  const StreamCheck whole = check_stream(streams, "s");
  EXPECT_EQ(whole.events, 3u);
  EXPECT_EQ(whole.owners, 2u);
  EXPECT_EQ(whole.damage, "");
  Event snapshot = event(2, {1, 1});
  snapshot.kind = Event::Kind::snapshot;
  streams.events =
      std::vector{snapshot, event(3, {1, 1}), event(4, {1, 1})};  // 1 and 2 are trimmed
  EXPECT_EQ(check_stream(streams, "s").damage, "");
  EXPECT_EQ(check_stream(streams, "s").events, 2u);
  EXPECT_EQ(check_stream(streams, "s").snapshots, 1u);
  snapshot.kind = Event::Kind::damaged_snapshot;
  snapshot.payload = "changed on disk";
  streams.events = std::vector{event(1, {1, 1}), event(2, {1, 1}), snapshot, event(3, {1, 1})};
  EXPECT_EQ(check_stream(streams, "s").damage,
            "the snapshot of event 2 is damaged: changed on disk");
  streams.events = std::vector{event(1, {1, 1}), event(3, {1, 1})};
  EXPECT_THAT(check_stream(streams, "s").damage, HasSubstr("event 3 stands where event 2"));
  streams.events = std::vector{event(1, {2, 1}), event(2, {1, 9})};
  EXPECT_THAT(check_stream(streams, "s").damage, HasSubstr("older epoch"));
  streams.events = std::unexpected(StorageError{StorageError::Code::corrupt, "broken chain"});
  EXPECT_EQ(check_stream(streams, "s").damage, "broken chain");
  EXPECT_FALSE(export_streams(streams, {"s"}, [](const std::string&) { return true; }));
}

}  // namespace
}  // namespace coterie
