#include "journal/request_window.hpp"

#include <gtest/gtest.h>

namespace coterie {
namespace {

Event event(const std::string& request_id, const Bytes& outcome) {
  return {.request_id = request_id, .outcome = outcome};
}

// A repeated request finds its first outcome as long as it is among the last N, and no longer.
TEST(RequestWindow, RemembersTheLastRequests) {
  RequestWindow window(2);
  EXPECT_EQ(window.find("a"), nullptr);
  window.add(event("a", "1"));
  window.add(event("", "no request"));
  window.add(event("b", ""));
  ASSERT_NE(window.find("a"), nullptr);
  EXPECT_EQ(*window.find("a"), "1");
  ASSERT_NE(window.find("b"), nullptr);
  EXPECT_EQ(*window.find("b"), "");
  window.add(event("c", "3"));
  EXPECT_EQ(window.find("a"), nullptr);
  EXPECT_NE(window.find("b"), nullptr);
  EXPECT_EQ(window.find(""), nullptr);
  EXPECT_EQ(window.size(), 2u);
}

// Several events of one request count once; the last one carries its outcome.
TEST(RequestWindow, CountsARequestOnce) {
  RequestWindow window(1);
  window.add(event("a", ""));
  window.add(event("a", "done"));
  EXPECT_EQ(window.size(), 1u);
  EXPECT_EQ(*window.find("a"), "done");
}

}  // namespace
}  // namespace coterie
