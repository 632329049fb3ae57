#include "journal/request_window.hpp"

#include <gtest/gtest.h>

namespace coterie {
namespace {

using namespace std::chrono_literals;

constexpr Time start{};

RequestWindow window_of(std::size_t outcomes) {
  return RequestWindow({.outcomes = outcomes}, start);
}

// A repeated request finds its first outcome as long as it is among the last N, and no longer.
TEST(RequestWindow, RemembersTheLastRequests) {
  RequestWindow window = window_of(2);
  EXPECT_EQ(window.find("a"), nullptr);
  window.add("a", "1", start);
  window.add("", "no request", start);
  window.add("b", "", start);
  ASSERT_NE(window.find("a"), nullptr);
  EXPECT_EQ(*window.find("a"), "1");
  ASSERT_NE(window.find("b"), nullptr);
  EXPECT_EQ(*window.find("b"), "");
  window.add("c", "3", start);
  EXPECT_EQ(window.find("a"), nullptr);
  EXPECT_NE(window.find("b"), nullptr);
  EXPECT_EQ(window.find(""), nullptr);
}

// One from before the window is known as that: neither new nor answered.
TEST(RequestWindow, KnowsThatARequestIsOlder) {
  RequestWindow window = window_of(1);
  window.add("a", "1", start);
  EXPECT_FALSE(window.expired("a"));
  window.add("b", "2", start);
  EXPECT_TRUE(window.expired("a"));
  EXPECT_FALSE(window.expired("b"));
  EXPECT_FALSE(window.expired("c"));
  EXPECT_FALSE(window.expired(""));
}

// Several events of one request count once; the last one carries its outcome.
TEST(RequestWindow, CountsARequestOnce) {
  RequestWindow window = window_of(1);
  window.add("a", "", start);
  window.add("a", "done", start);
  EXPECT_FALSE(window.expired("a"));
  EXPECT_EQ(*window.find("a"), "done");
}

// Goal: what is remembered of earlier requests is bounded in time: a repeat is known for `memory`
// after its request left the window, and what a snapshot keeps does not grow for ever.
TEST(RequestWindow, ForgetsEarlierRequestsAfterTheirTime) {
  RequestWindow window({.outcomes = 1, .memory = 10s}, start);
  for (int second = 0; second < 1000; ++second) {
    const Time now = start + second * 1s;
    window.add(std::to_string(second), "", now);
    for (int age = 1; age <= 10 && age <= second; ++age) {
      EXPECT_TRUE(window.expired(std::to_string(second - age))) << second << " - " << age;
    }
    EXPECT_LE(window.kept(now).expired.size(), 20u);
  }
  EXPECT_FALSE(window.expired("950"));
  // Nothing came for long: a snapshot is not larger for what is old.
  window.add("last", "", start + 5000s);
  EXPECT_LE(window.kept(start + 5010s).expired.size(), 1u);
}

// Goal: a replay knows no ages, so it takes everything for young and forgets nothing too soon.
TEST(RequestWindow, AReplayStartsTheAgesAgain) {
  RequestWindow before({.outcomes = 1, .memory = 10s}, start);
  for (const char* id : {"a", "b", "c"}) before.add(id, id, start);
  RequestWindow after({.outcomes = 1, .memory = 10s}, start + 9s);
  after.restore(before.kept(start + 9s), start + 9s);
  ASSERT_NE(after.find("c"), nullptr);
  for (const int second : {9, 14, 18}) {
    static_cast<void>(after.kept(start + second * 1s));
    EXPECT_TRUE(after.expired("a")) << second;
    EXPECT_TRUE(after.expired("b")) << second;
  }
  static_cast<void>(after.kept(start + 19s));
  static_cast<void>(after.kept(start + 29s));
  EXPECT_FALSE(after.expired("a"));
  EXPECT_EQ(*after.find("c"), "c");  // the last ones stay, however old
}

// Goal: a past of more requests than may be remembered leaves room for new ones and knows the
// newest.
TEST(RequestWindow, AReplayOfALongPastLeavesRoom) {
  RequestWindow window({.outcomes = 1, .memory = 10s, .ids_max = 100}, start);
  for (int i = 0; i < 1000; ++i) window.replay(std::to_string(i), "", start);
  EXPECT_LE(window.kept(start).expired.size(), 50u);
  for (int i = 999 - 25; i < 999; ++i) EXPECT_TRUE(window.expired(std::to_string(i))) << i;
  EXPECT_TRUE(window.has_room(start));
  RequestWindow all({.outcomes = 1, .memory = infinity, .ids_max = 100}, start);
  for (int i = 0; i < 99; ++i) all.replay(std::to_string(i), "", start);
  for (int i = 0; i < 98; ++i) EXPECT_TRUE(all.expired(std::to_string(i))) << i;
}

// Goal: the number of ids has a bound too, and none is forgotten before its time to keep it.
TEST(RequestWindow, LetsNoFurtherRequestInBeforeItForgetsOne) {
  RequestWindow window({.outcomes = 1, .memory = 10s, .ids_max = 2}, start);
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_TRUE(window.has_room(start)) << id;
    window.add(id, "", start);
  }
  EXPECT_FALSE(window.has_room(start));
  EXPECT_FALSE(window.has_room(start + 19s));
  EXPECT_TRUE(window.has_room(start + 30s));
}

// A window that comes back from a snapshot holds no more than it may: what was let in after the
// snapshot shows that so much of it had been forgotten by then, the older first.
TEST(RequestWindow, AReplayStaysWithinTheBound) {
  const RequestBounds bounds{.outcomes = 1, .memory = 10s, .ids_max = 8};
  RequestWindow before(bounds, start);
  const auto fill = [](RequestWindow& window, const std::string& of, int count, Time now) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(window.has_room(now));
      window.add(of + std::to_string(i), "", now);
    }
  };
  fill(before, "a", 5, start);
  fill(before, "b", 4, start + 11s);
  ASSERT_FALSE(before.has_room(start + 11s));
  RequestWindow::Kept snapshot = before.kept(start + 11s);
  EXPECT_EQ(snapshot.expired.size(), 8u);
  EXPECT_EQ(snapshot.older, 4u);
  RequestWindow after(bounds, start);
  after.restore(std::move(snapshot), start);
  for (int i = 0; i < 2; ++i) {
    after.replay("c" + std::to_string(i), "", start);
    EXPECT_LE(after.size(), after.size_max());
  }
  EXPECT_TRUE(after.expired("b0"));
  EXPECT_TRUE(after.expired("b3"));
  EXPECT_TRUE(after.expired("c0"));
}

}  // namespace
}  // namespace coterie
