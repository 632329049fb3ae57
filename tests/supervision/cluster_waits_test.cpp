// What a cluster-scope supervisor waits for, one answer at a time: none is awaited for ever, none
// is taken for what it is not.

#include <gtest/gtest.h>

#include "process/seeded_random.hpp"
#include "tests/supervision/model_cluster.hpp"

namespace coterie::test {
namespace {

using namespace std::chrono_literals;
using detail::ClusterCore;
using detail::RowResult;
namespace act = detail::act;

/// The only node of its view, with one child.
struct ClusterWaitsTest : ::testing::Test {
  ClusterWaitsTest() {
    auto alone = std::make_shared<View>();
    alone->number = 1;
    Member member;
    member.name = "a";
    member.incarnation = {1, NodeId{1}};
    alone->members.emplace("a", member);
    view = alone;
    core.view_installed(view, true, now);
    EXPECT_TRUE(took<act::Scan>());
    core.scanned(detail::FoundRows{}, now);
    core.start_request(1, {.key = "x"}, now);
    EXPECT_TRUE(took<act::Write>());
    core.wrote({{RowResult::Outcome::committed, 1, {}}}, now);
    EXPECT_TRUE(took<act::Start>());
    core.started("x", {NodeId{1}, 1}, now);
    core.take();
  }
  /// Whether such an action is among those that the last event caused.
  template <class Action>
  bool took() {
    bool found = false;
    for (auto& action : core.take()) found |= std::holds_alternative<Action>(action);
    return found;
  }
  static detail::ClusterOptions options() {
    detail::ClusterOptions options;
    options.node = "a";
    options.node_id = NodeId{1};
    return options;
  }

  Time now{};
  SeededRandom random{1};
  ModelPlacement placement;
  std::shared_ptr<const View> view;
  ClusterCore core{options(), placement, random};
};

TEST_F(ClusterWaitsTest, AStartHeldWithItsNodeIsNoFailure) {
  const StartError late{StartError::Code::failed, {}, ExitReason::term("timeout"), {}};
  core.exited("x", ExitReason::error("std::runtime_error", "boom"), now);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(took<act::Start>()) << i;
    core.tick(false, now += 30s);  // the lease has run out: its init is held until it gives up
    core.start_failed("x", late, now);
    EXPECT_FALSE(took<act::Write>()) << i;  // it is given up by nobody
    core.tick(true, now += 2s);
  }
  EXPECT_EQ(core.status().start_failures_total, 0u);
  // With the lease it is what it says.
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(took<act::Start>()) << i;
    core.start_failed("x", late, now);
    core.tick(true, now += 10s);
  }
  EXPECT_EQ(core.status().start_failures_total, 3u);
}

TEST_F(ClusterWaitsTest, WhoRunsWithARowThatWasDamagedSinceGoesOn) {
  const auto scan = [&](std::vector<std::pair<std::string, std::string>> unreadable) {
    core.tick(true, now += 10s);
    EXPECT_TRUE(took<act::Scan>());
    core.scanned(detail::FoundRows{{}, std::move(unreadable), {}}, now);
  };
  scan({{"x", "not MessagePack"}});
  EXPECT_EQ(core.status().unreadable, 1u);
  EXPECT_TRUE(took<act::Note>());
  scan({{"x", "not MessagePack"}});
  EXPECT_FALSE(took<act::Note>());
  EXPECT_EQ(core.status().running, 1u);
  scan({});
  EXPECT_TRUE(took<act::Stop>());  // deleted by somebody: it is ours no more
  EXPECT_EQ(core.status().unreadable, 0u);
}

/// What the last event asks to be read: the key after which the page begins; nothing: no page.
std::optional<std::string> page_asked(ClusterCore& core) {
  std::optional<std::string> after;
  for (auto& action : core.take()) {
    if (auto* scan = std::get_if<act::Scan>(&action)) after = scan->after;
  }
  return after;
}

detail::FoundRow row_of(const std::string& key, NodeId owner) {
  detail::SpecRow row;
  row.child.key = key;
  row.owner_id = owner;
  row.view = 1;
  return {key, 1, row};
}

// Rows are read page by page; an orphan is claimed before the next page is there, and a child whose
// row stands on any of the pages goes on.
TEST_F(ClusterWaitsTest, ReadsItsRowsInPages) {
  core.tick(true, now += 10s);
  EXPECT_EQ(page_asked(core), "");
  core.scanned(detail::FoundRows{{row_of("o", NodeId{9})}, {}, "o"}, now);
  bool claimed = false;
  std::optional<std::string> after;
  for (auto& action : core.take()) {
    if (auto* scan = std::get_if<act::Scan>(&action)) after = scan->after;
    claimed |= std::holds_alternative<act::Write>(action);
  }
  EXPECT_EQ(after, "o");
  EXPECT_TRUE(claimed);
  core.scanned(detail::FoundRows{{row_of("x", NodeId{1})}, {}, {}}, now);
  EXPECT_EQ(core.status().running, 1u);
  EXPECT_EQ(core.status().waiting, 1u);
  EXPECT_FALSE(took<act::Stop>());

  core.wrote({{RowResult::Outcome::committed, 2, {}}}, now);
  EXPECT_TRUE(took<act::Start>());
  core.started("o", {NodeId{1}, 2}, now);
  core.tick(true, now += 10s);
  EXPECT_EQ(page_asked(core), "");
  core.scanned(detail::FoundRows{{row_of("o", NodeId{1})}, {}, "o"}, now);
  EXPECT_FALSE(took<act::Stop>());  // x may be on the next one
  core.scanned(detail::FoundRows{}, now);
  EXPECT_TRUE(took<act::Stop>());
}

// A view that comes while pages are read: who is gone in it lived when the first ones were judged.
TEST_F(ClusterWaitsTest, ANewViewBeginsTheReadingAnew) {
  core.tick(true, now += 10s);
  EXPECT_EQ(page_asked(core), "");
  core.scanned(detail::FoundRows{{row_of("x", NodeId{1})}, {}, "x"}, now);
  EXPECT_EQ(page_asked(core), "x");
  auto next = std::make_shared<View>(*view);
  next->number = 2;
  core.view_installed(next, true, now);
  EXPECT_EQ(page_asked(core), std::nullopt);  // one page at a time
  core.scanned(detail::FoundRows{{}, {}, "y"}, now);
  EXPECT_EQ(page_asked(core), "");
  core.scanned(detail::FoundRows{{row_of("x", NodeId{1})}, {}, {}}, now);
  EXPECT_FALSE(took<act::Stop>());
}

}  // namespace
}  // namespace coterie::test
