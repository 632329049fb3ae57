// Keys on real sockets: who is let in, as whom, and what a stranger costs.

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>

#include "tests/sanitizer.hpp"
#include "tests/transport/process_costs.hpp"
#include "transport/client.hpp"
#include "transport/notice.hpp"
#include "transport/zmq_client_listener.hpp"
#include "transport_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::open_descriptors;
using testing::TestNode;

/// Keys of nodes a and b, of a client and of an operator, and one that is nobody's.
struct Keys {
  CurveKeys a = make_curve_keys(), b = make_curve_keys(), client = make_curve_keys(),
            operator_ = make_curve_keys(), stranger = make_curve_keys();
  AllowList list() const {
    return {{a.public_key, {KeyRole::member, "a"}},
            {b.public_key, {KeyRole::member, "b"}},
            {client.public_key, {KeyRole::client, "shop"}},
            {operator_.public_key, {KeyRole::operator_, "ops"}}};
  }
  std::shared_ptr<Admission> admission(const CurveKeys& own) const {
    return std::make_shared<Admission>(own, list());
  }
};

TransportOptions with(std::shared_ptr<Admission> admission) {
  TransportOptions options;
  options.admission = std::move(admission);
  options.beat_interval = 50ms;
  options.link.link_down_after = 1s;
  return options;
}

MemberAddress member(const std::string& name, const TestNode& node,
                     std::vector<std::string> public_keys) {
  return {name, node.net->address(), "", std::move(public_keys)};
}

bool logged(const TestNode& node, std::string_view text) {
  for (const auto& line : node.captured.entries()) {
    if (line.message.find(text) != std::string::npos) return true;
  }
  return false;
}

/// What became of one dial: whether the handshake was accepted.
bool let_in(const std::string& address, const DialKeys& keys) {
  zmq::context_t context(1);
  const auto target = parse_host_port(address);
  ZmqConnection connection(context, zmq_endpoint(*target), zmq_message_bytes_max, keys);
  ZmqConnectionEvent event = ZmqConnectionEvent::none;
  EXPECT_TRUE(
      eventually([&] { return (event = connection.next_event()) != ZmqConnectionEvent::none; }));
  return event == ZmqConnectionEvent::up;
}

// Goal: two nodes with keys carry messages on both lanes, encrypted.
TEST(Security, NodesWithKeysAreConnected) {
  const Keys keys;
  TestNode a("a", 1, with(keys.admission(keys.a)));
  TestNode b("b", 1, with(keys.admission(keys.b)));
  ASSERT_EQ(a.error + b.error, "");
  const std::vector<MemberAddress> members{member("a", a, {keys.a.public_key}),
                                           member("b", b, {keys.b.public_key})};
  a.net->set_members(members);
  b.net->set_members(members);
  ASSERT_TRUE(eventually([&] { return a.net->connected("b") == b.id; }));
  ASSERT_TRUE(a.send_numbered(b.id, 5000, 100));
  EXPECT_TRUE(eventually([&] { return b.events.delivered() == 5000; }));
  EXPECT_EQ(a.events.complaint() + b.events.complaint(), "");
  EXPECT_TRUE(eventually([&] {
    const auto states = a.net->peer_states();
    return states.size() == 1 && states[0].control_up;
  }));
  EXPECT_EQ(b.net->counters().other_keys, 0u);
  a.net->stop(1s);
  b.net->stop(1s);
}

// Goal: the member lanes let in no key of nobody, none at all, and none of a client or operator.
TEST(Security, MemberLanesRefuseStrangers) {
  const Keys keys;
  const auto admission = keys.admission(keys.a);
  TestNode a("a", 1, with(admission));
  ASSERT_EQ(a.error, "");
  const std::string control = "127.0.0.1:" + std::to_string(a.net->control_port());
  for (const std::string& lane : {a.net->address(), control}) {
    EXPECT_FALSE(let_in(lane, {keys.stranger, keys.a.public_key})) << lane;
    EXPECT_FALSE(let_in(lane, {keys.client, keys.a.public_key})) << lane;
    EXPECT_FALSE(let_in(lane, {keys.operator_, keys.a.public_key})) << lane;
    EXPECT_FALSE(let_in(lane, {})) << lane;
    EXPECT_FALSE(let_in(lane, {keys.b, keys.b.public_key})) << "a key that is not a's: " << lane;
    EXPECT_TRUE(let_in(lane, {keys.b, keys.a.public_key})) << lane;
  }
  EXPECT_TRUE(eventually([&] { return admission->refusals().count >= 8; }))
      << admission->refusals().count;
  EXPECT_TRUE(logged(a, "is refused"));
}

// Goal: with its own key a member still cannot say that it is another one.
TEST(Security, AMemberCannotTakeAnothersName) {
  Keys keys;
  TestNode a("a", 1, with(keys.admission(keys.a)));
  // It calls itself b and has the key of c, which a knows as c's.
  AllowList list = keys.list();
  list[keys.stranger.public_key] = {KeyRole::member, "c"};
  a.net->stop(1s);
  const auto admission = std::make_shared<Admission>(keys.a, list);
  TestNode honest("a", 2, with(admission));
  TestNode liar("b", 1, with(std::make_shared<Admission>(keys.stranger, list)));
  ASSERT_EQ(honest.error + liar.error, "");
  const std::vector<MemberAddress> members{
      member("a", honest, {keys.a.public_key}),
      member("b", liar, {keys.b.public_key, keys.stranger.public_key})};
  honest.net->set_members(members);
  liar.net->set_members(members);
  EXPECT_TRUE(eventually([&] { return honest.net->counters().other_keys > 0; }));
  EXPECT_EQ(honest.events.ups() + liar.events.ups(), 0u);
  EXPECT_EQ(honest.net->connected("b"), NodeId::none);
  EXPECT_NE(admission->refusals().last.find("says that it is node b, and its key is that of c"),
            std::string::npos)
      << admission->refusals().last;
}

// Goal: the proof that a node makes at its start sees a listener that lets strangers in: one
// without encryption, and one whose handler is missing, which is all that libzmq asks for.
TEST(Security, TheProofFindsAnOpenListener) {
  const SystemClock clock;
  const Keys keys;
  zmq::context_t context(1);
  for (const bool curve : {false, true}) {
    zmq::socket_t open(context, zmq::socket_type::router);
    set_common_options(open);
    if (curve) {
      open.set(zmq::sockopt::curve_server, true);
      open.set(zmq::sockopt::curve_secretkey, keys.a.secret_key);
    }
    open.bind("tcp://127.0.0.1:*");
    const std::string why =
        prove_strangers_refused({"127.0.0.1", bound_port(open)}, keys.a.public_key, clock);
    EXPECT_NE(why.find(curve ? "with an unknown key is let in" : "without a key is let in"),
              std::string::npos)
        << why;
  }
}

// Goal: a node gets another key without losing a session: both are accepted for a while, and a key
// that is taken from the list opens nothing any more.
TEST(Security, KeysAreRotatedWhileNodesRun) {
  Keys keys;
  const auto admission = keys.admission(keys.a);
  TestNode a("a", 1, with(admission));
  auto b = std::make_unique<TestNode>("b", 1, with(keys.admission(keys.b)));
  const auto both = [&](const TestNode& of_b) {
    return std::vector<MemberAddress>{
        member("a", a, {keys.a.public_key}),
        member("b", of_b, {keys.b.public_key, keys.stranger.public_key})};
  };
  a.net->set_members(both(*b));
  b->net->set_members(both(*b));
  ASSERT_TRUE(eventually([&] { return a.net->connected("b") == b->id; }));
  AllowList list = keys.list();
  list[keys.stranger.public_key] = {KeyRole::member, "b"};
  admission->replace(list);
  ASSERT_TRUE(a.send_numbered(b->id, 100, 10));
  EXPECT_TRUE(eventually([&] { return b->events.delivered() == 100; }));
  EXPECT_TRUE(a.events.downs().empty());  // the session went on
  // b restarts with its new key; a knows both.
  b->net->stop(1s);
  TestNode later("b", 2, with(std::make_shared<Admission>(keys.stranger, list)));
  a.net->set_members(both(later));
  later.net->set_members(both(later));
  ASSERT_TRUE(eventually([&] { return a.net->connected("b") == later.id; }));
  list.erase(keys.b.public_key);
  admission->replace(list);
  EXPECT_FALSE(let_in(a.net->address(), {keys.b, keys.a.public_key}));
  EXPECT_EQ(a.net->connected("b"), later.id);
  // Taken from the list while connected: nothing of it is read any more, the session ends.
  list.erase(keys.stranger.public_key);
  admission->replace(list);
  EXPECT_TRUE(eventually([&] { return a.net->connected("b") == NodeId::none; }));
}

/// Echoes calls and counts them.
struct Node final : ClientEvents {
  explicit Node(ClientListenerOptions options, std::shared_ptr<Admission> admission) {
    options.cluster_id = "test";
    options.listen = "127.0.0.1:0";
    options.node = "a";
    options.incarnation = {1, static_cast<NodeId>(0xabcdef)};
    options.admission = std::move(admission);
    auto opened = ClientListener::open(
        options, clock, log, *this,
        [this](const DeathNotice& notice) { return judge_notice(notice, "test", secret.key); });
    if (!opened) {
      error = opened.error().message;
      return;
    }
    listener = std::move(*opened);
    listener->serve();
  }
  ~Node() override {
    if (listener) listener->stop();
  }
  void client_call(ClientId client, Envelope&& call) override {
    Envelope answer;
    answer.ref = call.ref;
    answer.signal = Signal::reply;
    answer.payload = "answer to " + call.type;
    listener->reply(client, std::move(answer));
  }
  void client_gone(ClientId) override { ++gone; }

  SystemClock clock;
  CapturedLog captured;
  Log log{captured, clock, "test", LogLevel::debug};
  GuardianSecret secret = make_guardian_secret();
  std::string error;
  std::atomic<int> gone{0};
  std::unique_ptr<ClientListener> listener;
};

std::expected<std::unique_ptr<Client>, std::string> dial(const Node& node, CurveKeys own,
                                                         std::vector<std::string> servers) {
  static const SystemClock clock;
  static SystemRandom random;
  ClientOptions options;
  options.addresses = {node.listener->address()};
  options.cluster_id = "test";
  options.connect_timeout = 5s;
  options.keys.own = std::move(own);
  options.keys.servers[options.addresses[0]] = std::move(servers);
  return Client::connect(std::move(options), clock, random);
}

Client::Request request(std::string type) {
  Client::Request request;
  request.to = LocalName{"x"};
  request.type = std::move(type);
  return request;
}

// Goal: what a client may do is what its key's role says, and who has none is told why.
TEST(Security, ClientsAreWhatTheirKeysSay) {
  const Keys keys;
  const auto admission = keys.admission(keys.a);
  Node node({}, admission);
  ASSERT_EQ(node.error, "");
  auto client = dial(node, keys.client, {keys.a.public_key});
  ASSERT_TRUE(client) << client.error();
  EXPECT_EQ((*client)->call(request("shop.buy")).value(), "answer to shop.buy");
  const auto forbidden = (*client)->call(request("coterie.status"));
  ASSERT_FALSE(forbidden);
  EXPECT_EQ(forbidden.error().code(), CallError::Code::refused);
  EXPECT_FALSE(forbidden.error().maybe_executed());
  // The node's key is tried among several that it may have.
  auto operator_ = dial(node, keys.operator_, {keys.b.public_key, keys.a.public_key});
  ASSERT_TRUE(operator_) << operator_.error();
  EXPECT_EQ((*operator_)->call(request("coterie.status")).value(), "answer to coterie.status");

  const auto stranger = dial(node, keys.stranger, {keys.a.public_key});
  ASSERT_FALSE(stranger);
  EXPECT_NE(stranger.error().find("does not know this client's key"), std::string::npos)
      << stranger.error();
  const auto none = dial(node, {}, {});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().find("wants a key, and this client has none"), std::string::npos)
      << none.error();
  EXPECT_TRUE(eventually([&] { return admission->refusals().count >= 2; }));

  AllowList list = keys.list();
  list.erase(keys.client.public_key);
  admission->replace(list);
  EXPECT_TRUE(eventually([&] { return node.gone == 1; })) << "a removed key is dropped";
  EXPECT_FALSE(dial(node, keys.client, {keys.a.public_key}));
}

// Goal: one holder's connections leave room for the others.
TEST(Security, OneKeyHasABoundOfClients) {
  const Keys keys;
  ClientListenerOptions options;
  options.clients_per_key = 2;
  Node node(options, keys.admission(keys.a));
  const auto first = dial(node, keys.client, {keys.a.public_key});
  const auto second = dial(node, keys.client, {keys.a.public_key});
  ASSERT_TRUE(first && second);
  const auto third = dial(node, keys.client, {keys.a.public_key});
  ASSERT_FALSE(third);
  EXPECT_NE(third.error().find("its limit for one key"), std::string::npos) << third.error();
  EXPECT_TRUE(dial(node, keys.operator_, {keys.a.public_key}));
}

// Goal: a death is told with the dead node's own key only, even by who has the token.
TEST(Security, GuardiansTellDeathsWithTheirNodesKey) {
  const Keys keys;
  Node node({}, keys.admission(keys.a));
  const SystemClock clock;
  const DeathNotice notice{"test", "b", {4, static_cast<NodeId>(9)}, node.secret.token, 9, 0, {}};
  const std::string address = node.listener->address();
  const auto told_by = [&](const CurveKeys& own, std::vector<std::string> servers) {
    return send_death_notice(notice, {address}, 5s, clock, {own, {{address, std::move(servers)}}})
        .at(0);
  };
  // Also when the listener has the second of its keys.
  const NoticeResult taken = told_by(keys.b, {keys.b.public_key, keys.a.public_key});
  EXPECT_TRUE(taken.accepted) << taken.text;
  for (const CurveKeys& other : {keys.a, keys.client, keys.operator_}) {
    const NoticeResult result = told_by(other, {keys.a.public_key});
    EXPECT_FALSE(result.accepted);
    EXPECT_EQ(result.text, "the death of node b is told with that node's key only");
  }
  EXPECT_EQ(told_by(keys.stranger, {keys.a.public_key}).text, "no connection");
  EXPECT_EQ(send_death_notice(notice, {address}, 5s, clock)[0].text, "no connection");
}

// Goal: strangers by the thousand, of every sort, cost honest peers nothing and leave nothing
// behind: no descriptor, no memory, a bounded number of lines.
TEST(Security, AThousandStrangersLeaveNothingBehind) {
  const Keys keys;
  const auto admission = keys.admission(keys.a);
  TestNode a("a", 1, with(admission));
  TestNode b("b", 1, with(keys.admission(keys.b)));
  const std::vector<MemberAddress> members{member("a", a, {keys.a.public_key}),
                                           member("b", b, {keys.b.public_key})};
  a.net->set_members(members);
  b.net->set_members(members);
  ASSERT_TRUE(eventually([&] { return a.net->connected("b") == b.id; }));
  const auto target = parse_host_port(a.net->address());
  sockaddr_storage address{};
  const socklen_t size = socket_address(*target, address);
  const auto storm = [&](int tries) {
    zmq::context_t context(1);
    for (int i = 0; i < tries; i += 4) {
      std::vector<std::unique_ptr<ZmqConnection>> open;
      for (const DialKeys& with : {DialKeys{keys.stranger, keys.a.public_key},
                                   DialKeys{keys.client, keys.a.public_key}, DialKeys{}}) {
        open.push_back(std::make_unique<ZmqConnection>(context, zmq_endpoint(*target),
                                                       zmq_message_bytes_max, with));
      }
      // Garbage on a bare connection, half open until it is closed here.
      const int fd = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
      const std::string garbage(2000, static_cast<char>('\xff' - i % 7));
      (void)::send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL);
      for (auto& connection : open) {
        ASSERT_TRUE(eventually([&] {
          const auto event = connection->next_event();
          EXPECT_NE(event, ZmqConnectionEvent::up);
          return event != ZmqConnectionEvent::none;
        }));
      }
      ::close(fd);
    }
  };
  storm(200);
  const std::size_t descriptors = open_descriptors();
  const std::size_t memory = mallinfo2().uordblks;
  storm(1000);
  EXPECT_TRUE(eventually([&] { return open_descriptors() <= descriptors + 4; }))
      << descriptors << " descriptors became " << open_descriptors();
  if (test::work_divisor == 1) {  // a sanitizer keeps what was freed
    EXPECT_TRUE(eventually([&] { return mallinfo2().uordblks < memory + (256 << 10); }))
        << memory << " bytes became " << mallinfo2().uordblks;
  }
  // Each of the 300 + 300 that showed a wrong key, at least: who speaks no CURVE sees that by
  // itself and may have hung up before the node does.
  EXPECT_GE(admission->refusals().count, 600u);
  EXPECT_LT(a.captured.entries().size(), 100u);
  EXPECT_TRUE(a.events.downs().empty());
  ASSERT_TRUE(a.send_numbered(b.id, 100, 10));
  EXPECT_TRUE(eventually([&] { return b.events.delivered() == 100; }));
}

}  // namespace
}  // namespace coterie
