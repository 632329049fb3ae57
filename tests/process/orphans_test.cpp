// The leak report: who is an orphan, and what a node says of them when it stops.

#include "process/orphans.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "tests/process/runtime_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

struct Counter final : GenServer {
  struct Get {
    using Reply = int;
  };
  using Calls = Messages<Get>;
  int handle_call(const Get&) { return 0; }
};

bool contains(const std::vector<ProcessInfo>& infos, const Pid& pid) {
  return std::ranges::find(infos, pid, &ProcessInfo::pid) != infos.end();
}

// Row 27: a thousand counters that nobody supervises.
TEST(Orphans, AreThoseWhomNobodyWouldMiss) {
  test::LocalNode node;
  EXPECT_TRUE(orphans().empty());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(GenServer::start<Counter>({.label = "leaked"}));
  const Pid linked = GenServer::start_link<Counter>({}).value();
  const Pid watched = GenServer::start<Counter>({}).value();
  const Ref watch = monitor(watched);

  auto found = orphans();
  EXPECT_EQ(found.size(), 1000u);
  EXPECT_EQ(found[0].label, "leaked");
  EXPECT_FALSE(contains(found, linked));
  EXPECT_FALSE(contains(found, watched));

  // Whose last watcher leaves is one of them.
  demonitor(watch);
  EXPECT_TRUE(contains(orphans(), watched));
  unlink(linked);
  EXPECT_EQ(orphans().size(), 1002u);
}

TEST(Orphans, AreNamedWhenTheNodeStops) {
  test::LocalNode node;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(GenServer::start<Counter>({.label = "leaked"}));
  {
    // A thread that goes first leaves no orphans of those linked to it: the program ends.
    detail::AttachedThread main(node.runtime, "main");
    ASSERT_TRUE(GenServer::start_link<Counter>({}));
  }
  node.self.use();
  detail::warn_of_orphans(node.runtime, 5s);
  const auto entries = node.sink.entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].field("count"), "3");
  EXPECT_NE(entries[0].field("what").find("3 x"), std::string::npos);
  EXPECT_NE(entries[0].field("what").find("Counter (leaked)"), std::string::npos);
}

}  // namespace
}  // namespace coterie
