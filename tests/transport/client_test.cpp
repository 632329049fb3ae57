#include "transport/client.hpp"

#include <gtest/gtest.h>

#include "tests/sanitizer.hpp"
#include "tests/transport/process_costs.hpp"
#include "tests/transport/tcp_proxy.hpp"
#include "transport/zmq_client_listener.hpp"
#include "transport_fixture.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::TcpProxy;

/// A node's side: echoes calls, except those whose type says otherwise.
struct EchoNode final : ClientEvents {
  explicit EchoNode(ClientListenerOptions options = {}) {
    if (options.cluster_id.empty()) options.cluster_id = "test";
    if (options.listen.empty()) options.listen = "127.0.0.1:0";
    options.node = "a";
    options.incarnation = {1, static_cast<NodeId>(0xabcdef)};
    auto started = ClientListener::open(options, clock, log, *this, [this](const DeathNotice& n) {
      ++notices;
      return judge_notice(n, "test", secret.key);
    });
    if (started) {
      listener = std::move(*started);
      listener->serve();
    } else {
      error = started.error().message;
    }
  }
  ~EchoNode() override {
    if (listener) listener->stop();
  }
  void client_call(ClientId client, Envelope&& call) override {
    last_named = call.named;
    if (call.signal == Signal::cancel) ++cancelled;
    if (call.signal != Signal::call) return;
    ++calls;
    Envelope answer;
    answer.ref = call.ref;
    answer.signal = Signal::reply;
    answer.payload = call.payload;
    if (call.type == "silent") return;
    if (call.type == "big") answer.payload.assign(5'000'000, 'b');
    if (call.type == "who") {
      answer.payload = to_string(std::visit([](const auto& t) { return ServerRef(t); }, call.to)) +
                       " " + call.request_id;
    }
    if (call.type == "fail") {
      answer.signal = Signal::call_failed;
      answer.code = CallError::Code::exited;
      answer.execution = CallError::Execution::executed;
      answer.reason = ExitReason::error("std::logic_error", "no");
      answer.detail = "it crashed";
    }
    listener->reply(client, std::move(answer));
  }
  void client_gone(ClientId) override { ++gone; }

  SystemClock clock;
  CapturedLog captured;
  Log log{captured, clock, "a"};
  GuardianSecret secret = make_guardian_secret();
  std::string error;
  std::atomic<int> calls{0}, gone{0}, cancelled{0}, notices{0};
  std::atomic<bool> last_named{false};
  std::unique_ptr<ClientListener> listener;
};

class ClientTest : public ::testing::Test {
 protected:
  std::expected<std::unique_ptr<Client>, std::string> connect(std::vector<std::string> addresses,
                                                              std::string cluster = "test") {
    ClientOptions options;
    options.addresses = std::move(addresses);
    options.cluster_id = std::move(cluster);
    options.connect_timeout = 1s;
    return Client::connect(std::move(options), clock_, random_);
  }
  static Client::Request request(std::string type, Bytes payload, Duration timeout = 5s) {
    Client::Request r;
    r.to = LocalName{"server"};
    r.type = std::move(type);
    r.payload = std::move(payload);
    r.timeout = timeout;
    return r;
  }
  SystemClock clock_;
  SystemRandom random_;
};

// A call reaches its target with everything it carries, and the reply comes back.
TEST_F(ClientTest, Calls) {
  EchoNode node;
  auto client = connect({node.listener->address()});
  ASSERT_TRUE(client) << client.error();
  EXPECT_EQ((*client)->node(), "a");
  EXPECT_EQ((*client)->call(request("echo", "hello")).value(), "hello");
  EXPECT_TRUE(node.last_named);
  auto who = request("who", "");
  who.to = ViaName{"contracts", "contract-1"};
  who.request_id = "r-1";
  EXPECT_EQ((*client)->call(std::move(who)).value(),
            to_string(ServerRef(via("contracts", "contract-1"))) + " r-1");
  EXPECT_EQ((*client)->call(request("big", "")).value().size(), 5'000'000u);
  const auto failed = (*client)->call(request("fail", ""));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), CallError::Code::exited);
  EXPECT_EQ(failed.error().execution(), CallError::Execution::executed);
  EXPECT_EQ(failed.error().reason().what(), "no");
  client->reset();
  EXPECT_TRUE(eventually([&] { return node.gone == 1; }));
}

// Thousands of calls side by side on one connection, each with its own answer.
TEST_F(ClientTest, HasManyCallsUnderWay) {
  EchoNode node;
  auto client = connect({node.listener->address()});
  ASSERT_TRUE(client) << client.error();
  std::atomic<int> right{0}, done{0};
  for (int i = 0; i < 5000; ++i) {
    const std::string text = std::to_string(i);
    (*client)->submit(request("echo", text), [&, text](Client::Answer answer) {
      right += answer && *answer == text;
      ++done;
    });
  }
  EXPECT_TRUE(eventually([&] { return done == 5000; }));
  EXPECT_EQ(right, 5000);
}

// Goal: a call that is answered leaves nothing behind, however far its deadline was.
TEST_F(ClientTest, KeepsNothingOfAnsweredCalls) {
  EchoNode node;
  auto client = connect({node.listener->address()});
  ASSERT_TRUE(client) << client.error();
  const auto calls = [&](int count) {
    std::atomic<int> done{0};
    for (int i = 0; i < count; ++i) {
      (*client)->submit(request("echo", "x", 60s), [&](const Client::Answer&) { ++done; });
    }
    EXPECT_TRUE(eventually([&] { return done == count; }));
  };
  calls(2000);
  const std::size_t before = testing::allocated_bytes();
  for (int i = 0; i < 10; ++i) calls(2000);
  if (test::work_divisor == 1) {  // a sanitizer keeps what was freed
    EXPECT_LT(testing::allocated_bytes(), before + (256u << 10));
  }
}

// A deadline that passes ends the call as unknown, and the node is told.
TEST_F(ClientTest, TimesOut) {
  EchoNode node;
  auto client = connect({node.listener->address()});
  ASSERT_TRUE(client) << client.error();
  const auto answer = (*client)->call(request("silent", "", 50ms));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), CallError::Code::timeout);
  EXPECT_EQ(answer.error().execution(), CallError::Execution::unknown);
  EXPECT_TRUE(eventually([&] { return node.cancelled == 1; }));
}

// A connection that breaks under a call leaves it unknown; the next call goes through another
// node; without any node a call was certainly not executed.
TEST_F(ClientTest, TellsTheTruthWhenTheConnectionBreaks) {
  auto first = std::make_unique<EchoNode>();
  auto second = std::make_unique<EchoNode>();
  auto client = connect({first->listener->address(), second->listener->address()});
  ASSERT_TRUE(client) << client.error();
  std::optional<Client::Answer> broken;
  std::atomic<bool> told{false};
  (*client)->submit(request("silent", ""), [&](Client::Answer answer) {
    broken = std::move(answer);
    told = true;
  });
  ASSERT_TRUE(eventually([&] { return first->calls == 1; }));
  first->listener->stop();
  ASSERT_TRUE(eventually([&] { return told.load(); }));
  EXPECT_EQ(broken->error().code(), CallError::Code::noconnection);
  EXPECT_EQ(broken->error().execution(), CallError::Execution::unknown);
  EXPECT_EQ((*client)->call(request("echo", "again")).value(), "again");
  EXPECT_EQ(second->calls, 1);
  second->listener->stop();
  ASSERT_TRUE(eventually([&] { return !(*client)->connected(); }));
  const auto none = (*client)->call(request("echo", "none", 3s));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().execution(), CallError::Execution::not_executed);
  EXPECT_EQ(none.error().code(), CallError::Code::nodedown);
}

// Nobody there, another cluster: one text that names the address and what is wrong.
TEST_F(ClientTest, SaysWhyItCannotConnect) {
  EchoNode node;
  const auto other = connect({node.listener->address()}, "elsewhere");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().find("looks for cluster 'elsewhere', node a is of 'test'"),
            std::string::npos)
      << other.error();
  const auto nobody = connect({"127.0.0.1:1", "no-such-host.invalid:5"});
  ASSERT_FALSE(nobody);
  EXPECT_NE(nobody.error().find("127.0.0.1:1: nobody listens"), std::string::npos)
      << nobody.error();
  ClientListenerOptions taken;
  taken.listen = node.listener->address();
  EXPECT_NE(EchoNode(taken).error.find("another program listens there"), std::string::npos);
}

// A client that does not read is dropped at the bound, and the others go on.
TEST_F(ClientTest, DropsAClientThatDoesNotRead) {
  ClientListenerOptions options;
  options.queue_messages = 100;
  EchoNode node(options);
  TcpProxy proxy(parse_host_port(node.listener->address())->port);
  auto slow = connect({proxy.address()});
  auto good = connect({node.listener->address()});
  ASSERT_TRUE(slow && good);
  proxy.stall(false, true);
  std::atomic<int> ended{0};
  for (int i = 0; i < 400; ++i) {
    (*slow)->submit(request("echo", Bytes(100'000, 'x'), 20s),
                    [&](const Client::Answer&) { ++ended; });
  }
  EXPECT_TRUE(eventually([&] { return node.gone == 1; }));
  EXPECT_EQ((*good)->call(request("echo", "fine")).value(), "fine");
  slow->reset();
  EXPECT_EQ(ended, 400);
}

// Only the guardian of an incarnation can tell its death, and the sender learns what became of it.
TEST_F(ClientTest, GuardiansTellDeaths) {
  EchoNode node;
  DeathNotice notice{"test", "b", {4, static_cast<NodeId>(9)}, node.secret.token, 9, 0, {"x"}};
  const std::vector<std::string> addresses{node.listener->address(), "127.0.0.1:1"};
  auto results = send_death_notice(notice, addresses, 1s, clock_);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_TRUE(results[0].accepted) << results[0].text;
  EXPECT_FALSE(results[1].accepted);
  notice.token = make_guardian_secret().token;
  results = send_death_notice(notice, {node.listener->address()}, 1s, clock_);
  EXPECT_FALSE(results[0].accepted);
  EXPECT_EQ(results[0].text, "that is not the guardian of b");
  notice.token = node.secret.key;  // what everybody knows is not enough
  EXPECT_FALSE(send_death_notice(notice, {node.listener->address()}, 1s, clock_)[0].accepted);
  EXPECT_EQ(node.notices, 3);
}

}  // namespace
}  // namespace coterie
