// A link, a monitor or an unlink made at the very moment at which its session is replaced:
//
//   a: link(p) is noted in session 1
//   a: session 1 is lost: the link's EXIT noconnection is on its way to its process
//   a: session 2 with the same incarnation begins
//   a: LINK p is sent                                <- in session 2 it would be half a link:
//   b: p is linked to somebody who is not linked to it, and whose end it hears of alone
//
// So what was noted in one session is never said in another.

#include <gtest/gtest.h>

#include <coterie/process.hpp>

#include "tests/process/runtime_fixture.hpp"
#include "transport/zmq_outboxes.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

constexpr auto there = static_cast<NodeId>(77);

/// Loses its session, and has the next one, in the middle of a send: after the node has noted what
/// it sends, and before it is taken over. Otherwise the outbox of the real links.
class Replacing final : public Distribution {
 public:
  explicit Replacing(detail::Runtime& runtime) : runtime_(runtime) { begin(); }

  SendResult send(NodeId to, Envelope&& envelope) override {
    if (replace_at == envelope.signal) {
      replace_at = Signal::fence;
      outboxes_.close(outbox_);
      runtime_.node_down(peer_, "the test", false);
      begin();
    }
    bool enough = false;
    ZmqOutbox* const outbox = outboxes_.find(to);
    if (outbox == nullptr) return SendResult::no_node;
    const Signal signal = envelope.signal;
    const SendResult result = outbox->push(to, envelope, enough);
    if (result == SendResult::sent) said.push_back(signal);
    return result;
  }
  NodeId connected(std::string_view name) const override { return outboxes_.named(name); }
  std::vector<Peer> peers() const override { return outboxes_.peers(); }
  void confirm_dead(const Incarnation&) override {}

  Signal replace_at = Signal::fence;  // never sent
  std::vector<Signal> said;           // to the other node, in whichever session

 private:
  void begin() {
    ++peer_.session;
    outboxes_.open(outbox_, peer_);
    runtime_.node_up(peer_);
  }
  detail::Runtime& runtime_;
  Peer peer_{"b", {1, there}};
  StreamOptions options_;
  ZmqOutboxes outboxes_;
  ZmqOutbox& outbox_ = outboxes_.add("b", static_cast<NodeId>(1), options_);
};

struct ReplacedSession : ::testing::Test {
  test::LocalNode node{{.node = "a", .workers = 1}};
  Replacing links{node.runtime};
  const Pid other{there, 5};
  ReplacedSession() { node.runtime.set_distribution(&links); }
  ~ReplacedSession() override { node.runtime.set_distribution(nullptr); }

  /// In a process that traps exits; returns what it was told of `other`.
  std::vector<ExitReason> told(std::move_only_function<void()> body) {
    std::vector<ExitReason> reasons;
    const auto [pid, ref] = spawn_monitor([&] {
      trap_exit(true);
      body();
      for (bool more = true; more;) {
        receive([&](const Exit& exit) { reasons.push_back(exit.reason); },
                [&](const Down& down) { reasons.push_back(down.reason); },
                after(0ms, [&] { more = false; }));
      }
    });
    test::await_down(ref);
    return reasons;
  }
};

// Goal: the process hears of its link's end, once, and the other node never of the link.
TEST_F(ReplacedSession, LeavesNoHalfOfALink) {
  links.replace_at = Signal::link;
  const auto reasons = told([&] { link(other); });
  EXPECT_EQ(reasons, std::vector{ExitReason::noconnection()});
  EXPECT_TRUE(links.said.empty());
  EXPECT_EQ(node.runtime.remote_tables().links, 0u);
}

// Goal: a link made anew after that is a whole one, and its end is told.
TEST_F(ReplacedSession, DoesNotSpoilTheNextLink) {
  links.replace_at = Signal::link;
  const auto reasons = told([&] {
    link(other);
    receive([](const Exit&) {});
    link(other);
  });
  EXPECT_TRUE(reasons.empty());
  EXPECT_EQ(links.said, (std::vector{Signal::link, Signal::exit}));
}

// Goal: the watcher has its DOWN, once, and the other node keeps no watcher that nobody knows.
TEST_F(ReplacedSession, LeavesNoHalfOfAMonitor) {
  links.replace_at = Signal::monitor;
  const auto reasons = told([&] { monitor(other); });
  EXPECT_EQ(reasons, std::vector{ExitReason::noconnection()});
  EXPECT_TRUE(links.said.empty());
  EXPECT_EQ(node.runtime.remote_tables().monitors, 0u);
}

// Goal: an unlink of a link that the loss has ended says nothing in the new session, where the
// other process may have made a link by now; and it waits for no acknowledgement there.
TEST_F(ReplacedSession, DoesNotUnlinkInTheNextSession) {
  links.replace_at = Signal::unlink;
  const auto reasons = told([&] {
    link(other);
    unlink(other);
  });
  EXPECT_TRUE(reasons.empty());
  EXPECT_EQ(links.said, std::vector{Signal::link});
  EXPECT_EQ(node.runtime.remote_tables().unlinks, 0u);
}

// Goal: an outbox takes what is meant for any session or for its own, and nothing else.
TEST(Outbox, TakesWhatIsMeantForItsSession) {
  const StreamOptions options;
  ZmqOutbox outbox("b", static_cast<NodeId>(1), options);
  bool enough = false;
  Envelope envelope;
  envelope.from = {static_cast<NodeId>(1), 1};
  envelope.to = Pid{there, 5};
  EXPECT_EQ(outbox.push(there, envelope, enough), SendResult::no_node);
  outbox.open({"b", {1, there}, false, 4});
  EXPECT_EQ(outbox.push(there, envelope, enough), SendResult::sent);
  envelope.session = 4;
  EXPECT_EQ(outbox.push(there, envelope, enough), SendResult::sent);
  envelope.session = 3;
  EXPECT_EQ(outbox.push(there, envelope, enough), SendResult::no_node);
  EXPECT_EQ(outbox.push(static_cast<NodeId>(78), envelope, enough), SendResult::no_node);
  outbox.close();
  envelope.session = 4;
  EXPECT_EQ(outbox.push(there, envelope, enough), SendResult::no_node);
}

// Goal: more peers than fit one block of slots are found by number and by name, and closed.
TEST(Outboxes, AreFoundWhileTheirSessionIsOpen) {
  const StreamOptions options;
  ZmqOutboxes outboxes;
  std::vector<ZmqOutbox*> made;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    made.push_back(&outboxes.add("n" + std::to_string(i), static_cast<NodeId>(1000), options));
    outboxes.open(*made.back(), {"n" + std::to_string(i), {1, static_cast<NodeId>(i)}, false, i});
  }
  EXPECT_EQ(outboxes.find(static_cast<NodeId>(50)), made[49]);
  EXPECT_EQ(outboxes.find(static_cast<NodeId>(51)), nullptr);
  EXPECT_EQ(outboxes.named("n17"), static_cast<NodeId>(17));
  EXPECT_EQ(outboxes.named("n51"), NodeId::none);
  EXPECT_EQ(outboxes.peers().size(), 50u);
  outboxes.close(*made[16]);
  EXPECT_EQ(outboxes.find(static_cast<NodeId>(17)), nullptr);
  EXPECT_EQ(outboxes.named("n17"), NodeId::none);
  outboxes.close_all();
  EXPECT_TRUE(outboxes.peers().empty());
}

}  // namespace
}  // namespace coterie
