// Strangers by the thousand at the listeners of a member's two lanes, while a pair of members
// calls.

#include "tests/transport/strangers.hpp"

#include <coterie/gen_server.hpp>

#include "tests/transport/real_node.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class Echo final : public GenServer {
 public:
  struct Say {
    using Reply = std::int64_t;
    static constexpr std::string_view type_name = "strangers.say";
    std::int64_t number = 0;
  };
  using Calls = Messages<Say>;
  std::int64_t handle_call(const Say& say) { return say.number; }
};

// Goal: strangers of every sort, by the thousand, cost the members nothing and leave nothing
// behind: every call is answered, no session is lost, no memory and no descriptor stays away.
void strangers_cost_nothing(bool with_keys) {
  const CurveKeys key_a = with_keys ? make_curve_keys() : CurveKeys{};
  const CurveKeys key_b = with_keys ? make_curve_keys() : CurveKeys{};
  const AllowList list{{key_a.public_key, {KeyRole::member, "a"}},
                       {key_b.public_key, {KeyRole::member, "b"}}};
  const auto options = [&](const CurveKeys& own) {
    TransportOptions made;
    if (with_keys) made.admission = std::make_shared<Admission>(own, list);
    return made;
  };
  RealNode a("a", options(key_a)), b("b", options(key_b));
  a.links->set_members({{"b", b.links->address(), "", {key_b.public_key}}});
  b.links->set_members({{"a", a.links->address(), "", {key_a.public_key}}});
  ASSERT_TRUE(connected(a, b));
  ASSERT_TRUE(b.complete([] { ASSERT_TRUE(GenServer::start<Echo>({.name = local("echo")})); }));

  // Whoever says what a has said, with a's key if there is one, is not a's newest connection.
  std::vector<PeerState> states;
  ASSERT_TRUE(eventually([&] {
    states = a.links->peer_states();
    return states.size() == 1 && states[0].counters.connections > 0;
  }));
  wire::Hello hello;
  hello.cluster_id = "test";
  hello.name = "a";
  hello.incarnation = a.incarnation;
  hello.to = b.runtime.node();
  hello.connection = states[0].counters.connections;
  hello.position = {1, 1, 0, 1};
  Envelope envelope;
  envelope.signal = Signal::send;
  envelope.from = {a.runtime.node(), 1};
  envelope.to = LocalName{"echo"};
  const Bytes data = wire::encode_envelope(envelope, {a.runtime.node(), b.runtime.node()});
  Strangers strangers;
  strangers.targets = {*parse_host_port(b.links->address()),
                       {"127.0.0.1", b.links->control_port()}};
  DialKeys member;
  if (with_keys) {
    member = {key_a, key_b.public_key};
    strangers.keys = {make_curve_keys(), key_b.public_key};
  }
  strangers.record = recorded(strangers.targets[0], member,
                              {encode(hello), encode(wire::Data{hello.position, 1, {data}})});

  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> answered{0}, failed{0};
  std::atomic<bool> ended{false};
  a.run([&] {
    for (std::int64_t n = 0; !over; ++n) {
      const auto echoed = call(at("echo", "b"), Echo::Say{n}, 60s);
      ++(echoed && *echoed == n ? answered : failed);
    }
    ended = true;
  });
  const auto memory = leave_nothing(strangers, [] { return true; });
  over = true;
  ASSERT_TRUE(eventually([&] { return ended.load(); }, 60s));
  EXPECT_EQ(failed, 0u);
  EXPECT_GT(answered, 0u);
  EXPECT_EQ(a.links->connected("b"), b.runtime.node());
  for (RealNode* node : {&a, &b}) {
    ASSERT_TRUE(eventually([&] { return node->links->peer_states().size() == 1; }));
    EXPECT_EQ(node->links->peer_states()[0].counters.losses, 0u);
  }
  // Of all storms half dial the data lane; with keys none gets so far.
  const std::uint64_t said_again = with_keys ? 1u : 1u + storms / 2 * each;
  EXPECT_TRUE(eventually([&] { return b.links->counters().said_again == said_again; }))
      << b.links->counters().said_again << " in place of " << said_again;
  report(answered, memory);
}

TEST(Strangers, CostNothingWithoutKeys) { strangers_cost_nothing(false); }
TEST(Strangers, CostNothingWithKeys) { strangers_cost_nothing(true); }

}  // namespace
}  // namespace coterie
