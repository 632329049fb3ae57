#include "journal/request_window.hpp"

#include <gtest/gtest.h>

namespace coterie {
namespace {

// A repeated request finds its first outcome as long as it is among the last N, and no longer.
TEST(RequestWindow, RemembersTheLastRequests) {
  RequestWindow window(2);
  EXPECT_EQ(window.find("a"), nullptr);
  window.add("a", "1");
  window.add("", "no request");
  window.add("b", "");
  ASSERT_NE(window.find("a"), nullptr);
  EXPECT_EQ(*window.find("a"), "1");
  ASSERT_NE(window.find("b"), nullptr);
  EXPECT_EQ(*window.find("b"), "");
  window.add("c", "3");
  EXPECT_EQ(window.find("a"), nullptr);
  EXPECT_NE(window.find("b"), nullptr);
  EXPECT_EQ(window.find(""), nullptr);
}

// One from before the window is known as that: neither new nor answered.
TEST(RequestWindow, KnowsThatARequestIsOlder) {
  RequestWindow window(1);
  window.add("a", "1");
  EXPECT_FALSE(window.expired("a"));
  window.add("b", "2");
  EXPECT_TRUE(window.expired("a"));
  EXPECT_FALSE(window.expired("b"));
  EXPECT_FALSE(window.expired("c"));
  EXPECT_FALSE(window.expired(""));
}

// Several events of one request count once; the last one carries its outcome.
TEST(RequestWindow, CountsARequestOnce) {
  RequestWindow window(1);
  window.add("a", "");
  window.add("a", "done");
  EXPECT_FALSE(window.expired("a"));
  EXPECT_EQ(*window.find("a"), "done");
}

}  // namespace
}  // namespace coterie
