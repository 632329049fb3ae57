// What a failover test makes out about its nodes from outside: states, views, deaths.

#include "sim/failover_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coterie::sim {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t pid_of_a = 100, pid_of_b = 200;

Heard answer(Duration at, std::int64_t pid, std::string state, std::uint64_t view,
             std::vector<std::string> members = {"a", "b"}) {
  Heard heard{at, at + 1ms, {}};
  heard.status.os_pid = pid;
  heard.status.state = std::move(state);
  heard.status.view = view;
  heard.status.lease_left_ms = 1900;
  heard.status.incarnation = {1, static_cast<NodeId>(pid)};
  for (std::string& member : members) {
    const std::int64_t id = member == "a" ? pid_of_a : pid_of_b;
    MemberStatus status;
    status.name = std::move(member);
    status.incarnation = {1, static_cast<NodeId>(id)};
    status.connected = true;
    heard.status.members.push_back(std::move(status));
  }
  return heard;
}

class FailoverWatchTest : public testing::Test {
 protected:
  FailoverWatchTest() {
    watch.look(0s, {"a", pid_of_a, true});
    watch.look(0s, {"b", pid_of_b, true});
    watch.heard("a", answer(1s, pid_of_a, "active", 2));
    watch.heard("b", answer(1s, pid_of_b, "active", 2));
  }
  std::optional<NodeState> state(const std::string& node, Duration now,
                                 std::optional<Duration> paused = {}) {
    return watch.state(node, now, paused, now).state;
  }
  FailoverWatch watch{{"a", "b"}, 2s};
};

// The states of a node that answers are its own words; of one without a program, down.
TEST_F(FailoverWatchTest, StatesOfRunningAndDownNodes) {
  watch.heard("a", answer(5s, pid_of_a, "frozen", 2));
  EXPECT_EQ(state("a", 5s), NodeState::frozen);
  EXPECT_FALSE(watch.active("a"));
  watch.look(6s, {"a", std::nullopt, false});
  EXPECT_EQ(state("a", 6s), NodeState::down);
  watch.look(7s, {"a", 101, true});
  EXPECT_TRUE(watch.starting("a"));
  EXPECT_EQ(state("a", 7s), NodeState::joining);
  watch.heard("a", answer(7s, pid_of_a, "active", 2));
  EXPECT_EQ(state("a", 7s), NodeState::joining) << "that was the run before";
}

// A node that runs and does not answer in time is in no state that could be claimed.
TEST_F(FailoverWatchTest, SilenceIsNoState) {
  const StateSeen seen = watch.state("a", 4s, std::nullopt, 3s);
  EXPECT_EQ(seen.state, std::nullopt);
  EXPECT_THAT(seen.text, HasSubstr("no answer"));
}

// A paused node: active as long as its lease is known to last, frozen once it is over for certain,
// neither in between, and excluded as soon as the others agreed on a view without it.
TEST_F(FailoverWatchTest, StatesOfAPausedNode) {
  EXPECT_EQ(state("a", 2500ms, 2s), NodeState::active);
  EXPECT_EQ(state("a", 3500ms, 2s), std::nullopt);
  EXPECT_EQ(state("a", 4s, 2s), NodeState::frozen);
  watch.heard("b", answer(3200ms, pid_of_b, "active", 3, {"b"}));
  EXPECT_EQ(state("a", 3500ms, 2s), NodeState::excluded);
}

// The time line tells each change once.
TEST_F(FailoverWatchTest, TellsChangesOnce) {
  watch.take_events();
  watch.heard("a", answer(2s, pid_of_a, "active", 2));
  EXPECT_THAT(watch.take_events(), testing::IsEmpty());
  EXPECT_EQ(watch.look(3s, {"b", std::nullopt, true}).kind, FailoverWatch::Change::Kind::ended);
  watch.heard("a", answer(3s, pid_of_a, "active", 3, {"a"}));
  EXPECT_EQ(watch.look(4s, {"b", 201, true}).kind, FailoverWatch::Change::Kind::began);
  std::vector<std::string> texts;
  for (const Event& event : watch.take_events()) texts.push_back(event.what + ": " + event.text);
  EXPECT_THAT(texts,
              ElementsAre("death: b's program has ended", "view: view 3: a.1, first seen by a",
                          "start: b's program runs, pid 201"));
}

// Whole again: everybody active in the newest view, with everybody in it and connected.
TEST_F(FailoverWatchTest, KnowsAWholeCluster) {
  const std::vector<std::string> both{"a", "b"};
  EXPECT_TRUE(watch.whole(both));
  watch.heard("a", answer(2s, pid_of_a, "active", 3, {"a"}));
  EXPECT_FALSE(watch.whole(both));
  EXPECT_TRUE(watch.whole(std::vector<std::string>{"a"}));
  Heard listed = answer(2500ms, pid_of_a, "active", 3, {"a"});
  listed.status.members.emplace_back().name = "b";  // of the configuration, in no view
  watch.heard("a", listed);
  EXPECT_TRUE(watch.whole(std::vector<std::string>{"a"}));
  EXPECT_FALSE(watch.whole(both));
  Heard cut = answer(3s, pid_of_a, "active", 4);
  cut.status.members[1].connected = false;
  watch.heard("a", cut);
  watch.heard("b", answer(3s, pid_of_b, "active", 4));
  EXPECT_FALSE(watch.whole(both));
}

}  // namespace
}  // namespace coterie::sim
