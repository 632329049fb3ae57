// Who claims which names, and what the journals show of one owner at a time.

#include "sim/failover_claims.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/memory.hpp"
#include "sim/failover_audit.hpp"

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Sighting sighting(std::map<std::string, std::vector<std::string>> nodes) {
  Sighting seen;
  for (auto& [node, names] : nodes) seen.nodes[node] = {1, true, {{"contracts", std::move(names)}}};
  return seen;
}

ExpectRunning expect(std::int64_t count, std::vector<std::string> on = {}) {
  ExpectRunning expected{"contracts", count, {}};
  for (std::string& node : on) expected.on.push_back({std::move(node), {}});
  return expected;
}

// "Each exactly once, none elsewhere": the count, the places and doubles all matter.
TEST(FailoverClaims, RunningExactlyOnce) {
  const auto good = sighting({{"a", {"1", "2"}}, {"b", {"3"}}});
  EXPECT_TRUE(running(expect(3), good).met);
  EXPECT_EQ(running(expect(3), good).seen, "3 running: a 2, b 1");
  EXPECT_TRUE(running(expect(3, {"a", "b"}), good).met);
  EXPECT_FALSE(running(expect(4), good).met);
  EXPECT_FALSE(running(expect(2), good).met);
  EXPECT_FALSE(running(expect(3, {"a"}), good).met);
  EXPECT_THAT(running(expect(3, {"a"}), good).seen, HasSubstr("also on b"));
  const auto twice = sighting({{"a", {"1", "2"}}, {"b", {"2", "3"}}});
  EXPECT_FALSE(running(expect(3), twice).met);
  EXPECT_THAT(running(expect(3), twice).seen, HasSubstr("more than once: 2"));
  EXPECT_FALSE(running({"carts", 3, {}}, good).met);
}

// What a node without a lease lists does not run: it counts neither as there nor as a double.
TEST(FailoverClaims, NamesOfAFrozenNodeDoNotRun) {
  auto seen = sighting({{"a", {"1", "2"}}, {"b", {"2"}}});
  seen.nodes["b"].active = false;
  EXPECT_TRUE(running(expect(2), seen).met);
  ClaimLog log;
  log.add(seen);
  log.add(seen);
  EXPECT_THAT(log.doubles(), IsEmpty());
}

// One sighting may catch a name while it moves; two in a row with the same two runs may not.
TEST(FailoverClaims, TwoOwnersNeedTwoSightings) {
  const auto twice = sighting({{"a", {"1"}}, {"b", {"1"}}});
  ClaimLog moves;
  moves.add(twice);
  moves.add(sighting({{"a", {}}, {"b", {"1"}}}));
  moves.add(twice);
  auto restarted = twice;
  restarted.nodes["a"].incarnation = 2;
  moves.add(restarted);
  EXPECT_THAT(moves.doubles(), IsEmpty());
  moves.add(restarted);
  moves.add(restarted);
  ASSERT_THAT(moves.doubles(), SizeIs(1)) << "told once";
  EXPECT_EQ(moves.doubles()[0].name, "contracts/1");
  EXPECT_EQ(moves.sightings(), 6u);
}

// A journal of one owner after another is sound; an event of an older owner that comes late is not.
TEST(FailoverAudit, FindsEffectsOfAnOlderOwner) {
  const Epoch old{1, 1}, young{2, 1};
  EXPECT_EQ(stream_fault("s", {{1, old}, {2, old}, {3, young}}), "");
  EXPECT_EQ(stream_fault("s", {}), "");
  EXPECT_THAT(stream_fault("s", {{1, old}, {2, old}, {3, old}, {3, young}}),
              HasSubstr("s: event 3 of epoch"));
  EXPECT_THAT(stream_fault("s", {{2, old}}), HasSubstr("stands where event 1"));
}

TEST(FailoverAudit, ReadsEveryStream) {
  MemoryStreams streams;
  for (const char* name : {"contracts/1", "contracts/2"}) {
    ASSERT_TRUE(streams.open(name, {1, 1}));
    const Append append{name, {1, 1}, 1, {{.payload = {'x'}}}};
    ASSERT_TRUE((*streams.append(std::vector{append}))[0]);
  }
  const JournalAudit audit = audit_journals(streams);
  EXPECT_EQ(audit.streams, 2u);
  EXPECT_EQ(audit.events, 2u);
  EXPECT_EQ(audit.owners, 2u);
  EXPECT_THAT(audit.faults, IsEmpty());
  EXPECT_EQ(audit.unreadable, "");
}

}  // namespace
}  // namespace coterie::sim
