// What a turn for the links tells processes of the worker that took it.

#include <gtest/gtest.h>

#include "tests/process/sim_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

constexpr auto there = static_cast<NodeId>(0x22);

/// Once told to, its next turn finds that node b is gone. Nothing has arrived in that turn, and
/// there is nothing more to do.
class Losing final : public Distribution {
 public:
  explicit Losing(detail::Runtime& runtime) : runtime_(runtime) {
    runtime_.set_distribution(this);
    runtime_.node_up(peer_);
  }
  ~Losing() override { runtime_.set_distribution(nullptr); }
  SendResult send(NodeId, Envelope&&) override { return SendResult::sent; }
  NodeId connected(std::string_view) const override { return there; }
  std::vector<Peer> peers() const override { return {peer_}; }
  void confirm_dead(const Incarnation&) override {}
  bool turn() override {
    if (std::exchange(lose, false)) runtime_.node_down(peer_, "gone", false);
    return false;
  }
  bool lose = false;

 private:
  detail::Runtime& runtime_;
  const Peer peer_{"b", {1, there}};
};

// Goal: who monitors a process of a lost node runs at once, whatever else happens or does not.
TEST(LinksTurn, WhoIsToldOfALossRunsAtOnce) {
  test::VirtualNode node;
  Losing links(node.runtime);
  test::run_process([&] {
    const Ref ref = monitor(Pid{there, 5});
    links.lose = true;
    receive(when([ref](const Down& down) { return down.ref == ref; }, [](const Down&) {}),
            after(10s, [] { ADD_FAILURE() << "no Down"; }));
  });
  EXPECT_LT(node.elapsed(), 1s);
}

}  // namespace
}  // namespace coterie
