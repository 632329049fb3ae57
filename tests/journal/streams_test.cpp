#include <gtest/gtest.h>

#include "tests/journal/engines.hpp"

namespace coterie::test {
namespace {

using Code = StorageError::Code;

class StreamsTest : public OnEachEngine {
 protected:
  StorageSet a_ = place_.storage("a");
  StorageSet b_ = place_.storage("b");

  static StorageResult<void> append(StorageSet& node, const std::string& stream, Epoch epoch,
                                    std::uint64_t sequence, std::vector<Bytes> payloads) {
    Append append{stream, epoch, sequence, {}};
    for (auto& payload : payloads) append.events.push_back({.payload = std::move(payload)});
    auto results = node.streams->append({&append, 1});
    if (!results) return std::unexpected(results.error());
    return results->front();
  }
  static std::vector<Bytes> payloads(const StorageResult<std::vector<Event>>& events) {
    std::vector<Bytes> found;
    EXPECT_TRUE(events) << events.error().message;
    if (events) {
      for (const auto& event : *events) found.push_back(event.payload);
    }
    return found;
  }
  static void expect_error(const StorageResult<void>& result, Code code) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_FALSE(result.error().message.empty());
  }
};
COTERIE_ON_EACH_ENGINE(StreamsTest);

// A new stream is empty; what is appended comes back whole, in order, also to another node.
TEST_P(StreamsTest, ReplaysWhatWasAppended) {
  EXPECT_TRUE(a_.streams->open("s", {1, 1}).value().empty());
  Append first{
      "s", {1, 1}, 1, {{.request_id = "r1", .payload = Bytes("\0p", 2), .outcome = "o"}, {}}};
  ASSERT_TRUE(a_.streams->append({&first, 1}).value()[0]);
  ASSERT_TRUE(append(a_, "s", {1, 1}, 3, {"third"}));
  const std::vector<Event> expected = {{1, {1, 1}, "r1", Bytes("\0p", 2), "o"},
                                       {2, {1, 1}, "", "", ""},
                                       {3, {1, 1}, "", "third", ""}};
  EXPECT_EQ(a_.streams->read("s").value(), expected);
  EXPECT_EQ(b_.streams->read("s").value(), expected);
  EXPECT_EQ(b_.streams->open("s", {1, 2}).value(), expected);
  EXPECT_TRUE(b_.streams->read("other").value().empty());
}

// Only the owner of the last open appends; an older epoch is refused for ever, also to open.
TEST_P(StreamsTest, FencesOlderEpochs) {
  ASSERT_TRUE(a_.streams->open("s", {1, 5}));
  ASSERT_TRUE(append(a_, "s", {1, 5}, 1, {"a"}));
  EXPECT_EQ(payloads(b_.streams->open("s", {2, 1})), std::vector<Bytes>{"a"});
  expect_error(append(a_, "s", {1, 5}, 2, {"late"}), Code::fenced);
  ASSERT_TRUE(append(b_, "s", {2, 1}, 2, {"b"}));
  expect_error(append(a_, "s", {1, 5}, 3, {"late"}), Code::fenced);
  expect_error(append(b_, "s", {2, 2}, 3, {"greater, but never opened"}), Code::fenced);
  const auto older = a_.streams->open("s", {1, 9});
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, Code::fenced);
  EXPECT_EQ(payloads(a_.streams->read("s")), (std::vector<Bytes>{"a", "b"}));
}

// A stream that moves back and forth keeps one gapless order across its owners.
TEST_P(StreamsTest, MovesBetweenNodes) {
  std::vector<Bytes> expected;
  for (std::uint64_t turn = 1; turn <= 6; ++turn) {
    auto& owner = turn % 2 == 0 ? b_ : a_;
    ASSERT_EQ(payloads(owner.streams->open("s", {turn, 1})), expected);
    for (int i = 0; i < 2; ++i) {
      expected.push_back(std::to_string(turn) + "." + std::to_string(i));
      ASSERT_TRUE(append(owner, "s", {turn, 1}, expected.size(), {expected.back()}));
    }
  }
  EXPECT_EQ(payloads(a_.streams->read("s")), expected);
}

// The same epoch may open again: an answer that was lost is asked for a second time.
TEST_P(StreamsTest, OpensAgainAtTheSameEpoch) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, "s", {1, 1}, 1, {"x"}));
  EXPECT_EQ(payloads(a_.streams->open("s", {1, 1})), std::vector<Bytes>{"x"});
  ASSERT_TRUE(append(a_, "s", {1, 1}, 2, {"y"}));
  EXPECT_EQ(payloads(a_.streams->read("s")), (std::vector<Bytes>{"x", "y"}));
}

// A node that starts again appends after what it had; nothing is kept in memory only.
TEST_P(StreamsTest, SurvivesBeingClosed) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, "s", {1, 1}, 1, {"x"}));
  a_ = place_.storage("a");
  ASSERT_TRUE(append(a_, "s", {1, 1}, 2, {"y"}));
  expect_error(append(a_, "s", {1, 1}, 2, {"z"}), Code::conflict);
  EXPECT_EQ(payloads(a_.streams->open("s", {1, 2})), (std::vector<Bytes>{"x", "y"}));
}

// A wrong sequence is a conflict, whether too small or too great, and changes nothing.
TEST_P(StreamsTest, RefusesTheWrongSequence) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, "s", {1, 1}, 1, {"x"}));
  for (const std::uint64_t wrong : {0, 1, 3}) {
    expect_error(append(a_, "s", {1, 1}, wrong, {"y"}), Code::conflict);
  }
  EXPECT_EQ(payloads(a_.streams->read("s")), std::vector<Bytes>{"x"});
}

// Every append of a batch is judged by itself, those of one stream in order.
TEST_P(StreamsTest, JudgesABatchOneByOne) {
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(a_.streams->open("t", {1, 1}));
  ASSERT_TRUE(b_.streams->open("u", {1, 1}));
  const std::vector<Append> batch = {
      {"s", {1, 1}, 1, {{.payload = "s1"}}},     {"never opened", {1, 1}, 1, {{.payload = "n"}}},
      {"s", {1, 1}, 2, {{.payload = "s2"}}},     {"t", {1, 1}, 2, {{.payload = "gap"}}},
      {"", {1, 1}, 1, {{.payload = "no name"}}}, {"u", {1, 0}, 1, {{.payload = "old epoch"}}},
      {"t", {1, 1}, 1, {{.payload = "t1"}}}};
  const auto results = a_.streams->append(batch).value();
  ASSERT_EQ(results.size(), batch.size());
  EXPECT_TRUE(results[0]);
  expect_error(results[1], Code::fenced);
  EXPECT_TRUE(results[2]);
  expect_error(results[3], Code::conflict);
  expect_error(results[4], Code::misuse);
  expect_error(results[5], Code::fenced);
  EXPECT_TRUE(results[6]);
  EXPECT_EQ(payloads(b_.streams->read("s")), (std::vector<Bytes>{"s1", "s2"}));
  EXPECT_EQ(payloads(b_.streams->read("t")), std::vector<Bytes>{"t1"});
  EXPECT_TRUE(a_.streams->append({}).value().empty());
}

// Many streams open in one pass, each with its own answer.
TEST_P(StreamsTest, OpensManyAtOnce) {
  ASSERT_TRUE(a_.streams->open("s", {3, 1}));
  ASSERT_TRUE(append(a_, "s", {3, 1}, 1, {"s1"}));
  ASSERT_TRUE(a_.streams->open("t", {1, 1}));
  ASSERT_TRUE(append(a_, "t", {1, 1}, 1, {"t1"}));
  const std::vector<Opening> openings = {
      {"t", {2, 1}}, {"s", {2, 1}}, {"new", {2, 1}}, {"", {2, 1}}, {"zero", {}}};
  const auto results = b_.streams->open_many(openings).value();
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(payloads(results[0]), std::vector<Bytes>{"t1"});
  EXPECT_EQ(results[1].error().code, Code::fenced);
  EXPECT_TRUE(results[2].value().empty());
  EXPECT_EQ(results[3].error().code, Code::misuse);
  EXPECT_EQ(results[4].error().code, Code::misuse);
  EXPECT_TRUE(append(b_, "t", {2, 1}, 2, {"t2"}));
  EXPECT_TRUE(append(a_, "s", {3, 1}, 2, {"s2"}));
  EXPECT_TRUE(b_.streams->open_many({}).value().empty());
}

// Streams are listed by prefix, in order, from every node.
TEST_P(StreamsTest, ListsByPrefix) {
  for (const char* name : {"contracts/2", "contracts/1", "ledger/1"}) {
    ASSERT_TRUE(a_.streams->open(name, {1, 1}));
  }
  EXPECT_EQ(b_.streams->list("contracts/").value(),
            (std::vector<std::string>{"contracts/1", "contracts/2"}));
  EXPECT_EQ(b_.streams->list("").value().size(), 3u);
}

// Big events and long request ids come back unchanged.
TEST_P(StreamsTest, KeepsBigEvents) {
  const Bytes big(3 << 20, '\x07');
  ASSERT_TRUE(a_.streams->open("s", {1, 1}));
  ASSERT_TRUE(append(a_, "s", {1, 1}, 1, {big, "small", big}));
  EXPECT_EQ(payloads(b_.streams->open("s", {1, 2})), (std::vector<Bytes>{big, "small", big}));
}

}  // namespace
}  // namespace coterie::test
