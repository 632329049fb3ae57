// Other threads take the turns of a node's links, as idle workers do: what the port promises holds,
// and nothing waits for a thread that does not come back.

#include <gtest/gtest.h>

#include <optional>

#include "transport_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::join;
using testing::TestNode;

/// What an idle worker's thread does, until told to end.
class Lent {
 public:
  explicit Lent(TestNode& node) : node_(node), thread_([this] { run(); }) {}
  ~Lent() {
    end_ = true;
    node_.net->lookout()->rouse();
    thread_.join();
  }
  std::uint64_t turns() const { return turns_; }
  std::uint64_t slept() const { return slept_; }

 private:
  void run() {
    while (!end_) {
      if (node_.net->turn()) {
        ++turns_;
      } else if (node_.net->lookout()->sleep(after(node_.clock.now(), 50ms))) {
        ++slept_;
      } else {
        std::this_thread::sleep_for(100us);
      }
    }
  }
  TestNode& node_;
  std::atomic<bool> end_{false};
  std::atomic<std::uint64_t> turns_{0}, slept_{0};
  std::thread thread_;
};

struct TwoNodes {
  TwoNodes() { join({&a, &b}, {"a", "b"}); }
  bool connected() {
    return eventually(
        [&] { return a.net->connected("b") == b.id && b.net->connected("a") == a.id; });
  }
  bool exchange(std::uint64_t count, std::size_t bytes) {
    const std::uint64_t to_a = a.events.delivered() + count, to_b = b.events.delivered() + count;
    std::thread other([&] { b.send_numbered(a.id, count, bytes); });
    const bool sent = a.send_numbered(b.id, count, bytes);
    other.join();
    return sent && eventually([&] {
             return a.events.delivered() == to_a && b.events.delivered() == to_b;
           }) &&
           a.events.complaint().empty() && b.events.complaint().empty();
  }
  TestNode a{"a", 1}, b{"b", 1};
};

// Several threads share the turns of each node: every message arrives in order, once, and some of
// them have slept where the frames arrive.
TEST(ZmqTurns, AreTakenByAnyThread) {
  TwoNodes nodes;
  Lent one(nodes.a), two(nodes.a), three(nodes.b), four(nodes.b);
  ASSERT_TRUE(nodes.connected());
  for (const std::size_t bytes : {16u, 1000u, 200'000u}) {
    EXPECT_TRUE(nodes.exchange(2'000'000 / (bytes + 200), bytes)) << bytes;
  }
  EXPECT_GT(one.turns() + two.turns(), 0u);
  EXPECT_GT(one.slept() + two.slept(), 0u);
  EXPECT_GT(three.slept() + four.slept(), 0u);
}

// A thread that has taken turns, and does not come back, is not waited for: neither by what
// arrives nor by what is sent; and when one comes again it takes its place.
TEST(ZmqTurns, GoOnWithoutWhoeverTookThem) {
  TwoNodes nodes;
  ASSERT_TRUE(nodes.connected());
  for (int round = 0; round < 5; ++round) {
    {
      Lent comes(nodes.a);
      EXPECT_TRUE(nodes.exchange(1000, 16));
      EXPECT_TRUE(eventually([&] { return comes.slept() > 0; }));
    }
    EXPECT_TRUE(nodes.exchange(1000, 16)) << "after it has left";
  }
}

// A turn that is taken while nobody is on the lookout keeps none of the next frames waiting.
TEST(ZmqTurns, ASingleTurnNowAndThenDisturbsNobody) {
  TwoNodes nodes;
  ASSERT_TRUE(nodes.connected());
  std::atomic<bool> end{false};
  std::thread passing([&] {
    while (!end) {
      nodes.b.net->turn();
      std::this_thread::sleep_for(500us);
    }
  });
  EXPECT_TRUE(nodes.exchange(20'000, 16));
  end = true;
  passing.join();
}

// A node leaves while other threads take its turns: afterwards they get none.
TEST(ZmqTurns, AreOverWhenTheNodeHasLeft) {
  for (int round = 0; round < 10; ++round) {
    TwoNodes nodes;
    Lent one(nodes.a), two(nodes.a), three(nodes.b);
    ASSERT_TRUE(nodes.connected());
    nodes.a.send_numbered(nodes.b.id, 500, 100);
    nodes.a.net->stop(5s);
    EXPECT_FALSE(nodes.a.net->turn());
    EXPECT_FALSE(nodes.a.net->lookout()->sleep(Time::max()));
    EXPECT_TRUE(eventually([&] { return nodes.b.events.downs().size() == 1; }));
    EXPECT_EQ(nodes.b.events.delivered(), 500u);
    EXPECT_EQ(nodes.b.events.complaint(), "");
  }
}

}  // namespace
}  // namespace coterie
