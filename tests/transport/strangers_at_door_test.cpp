// Strangers by the thousand at the listener for clients, while an honest client calls.

#include <atomic>
#include <thread>

#include "tests/transport/strangers.hpp"
#include "transport/client.hpp"
#include "transport/envelope_codec.hpp"
#include "transport/zmq_client_listener.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;
using namespace testing;

/// A node's door for clients: every call is answered with what it carries.
class Door final : public ClientEvents {
 public:
  explicit Door(std::shared_ptr<Admission> admission) {
    ClientListenerOptions options;
    options.cluster_id = "test";
    options.node = "a";
    options.incarnation = {1, static_cast<NodeId>(7)};
    options.listen = "127.0.0.1:0";
    options.admission = std::move(admission);
    options.silent_after = 1s;  // who has left without a word is a client that long
    listener = ClientListener::open(options, clock, log, *this, {}).value();
    listener->serve();
  }
  ~Door() override { listener->stop(); }
  void client_call(ClientId client, Envelope&& call) override {
    if (call.signal != Signal::call) return;
    Envelope answer;
    answer.signal = Signal::reply;
    answer.ref = call.ref;
    answer.payload = std::move(call.payload);
    listener->reply(client, std::move(answer));
  }
  void client_gone(ClientId) override {}

  SystemClock clock;
  CapturedLog captured;
  Log log{captured, clock, "a", LogLevel::error};
  std::unique_ptr<ClientListener> listener;
};

// Goal: strangers at the door for clients, by the thousand, cost the honest ones nothing: each call
// of one that is there is answered, the next one is let in, and of all others nothing stays.
void strangers_at_the_door_cost_nothing(bool with_keys) {
  const CurveKeys own = with_keys ? make_curve_keys() : CurveKeys{};
  const CurveKeys honest = with_keys ? make_curve_keys() : CurveKeys{};
  const AllowList list{{honest.public_key, {KeyRole::client, "honest"}}};
  Door door(with_keys ? std::make_shared<Admission>(own, list) : nullptr);
  const std::string& address = door.listener->address();
  SystemRandom random;
  const auto connect = [&] {
    ClientOptions options;
    options.addresses = {address};
    options.cluster_id = "test";
    options.beat_interval = 100ms;
    options.connect_timeout = 20s;
    options.silent_after = 60s;
    if (with_keys) options.keys = {honest, {{address, {own.public_key}}}};
    return Client::connect(std::move(options), door.clock, random);
  };
  auto client = connect();
  ASSERT_TRUE(client) << client.error();

  Strangers strangers;
  strangers.targets = {*parse_host_port(address)};
  if (with_keys) strangers.keys = {make_curve_keys(), own.public_key};
  Envelope call;
  call.signal = Signal::call;
  call.to = LocalName{"echo"};
  call.ref = Ref{1};
  const Bytes envelope = wire::encode_envelope(call, {NodeId::none, static_cast<NodeId>(7)});
  wire::ClientHello hello;
  hello.cluster_id = "test";
  strangers.record = recorded(strangers.targets[0], {honest, own.public_key},
                              {encode(hello), encode(wire::ClientEnvelope{envelope})});

  std::atomic<bool> over{false};
  std::uint64_t answered = 0, failed = 0;
  std::thread calls([&] {
    const auto ask = [](std::string text) {
      return Client::Request{.to = LocalName{"echo"},
                             .type = "strangers.say",
                             .payload = std::move(text),
                             .timeout = 60s};
    };
    while (!over) {
      const std::string text = std::to_string(answered + failed);
      const auto echoed = (*client)->call(ask(text));
      ++(echoed && *echoed == text ? answered : failed);
    }
  });
  const auto memory = leave_nothing(strangers, [&] { return door.listener->clients() == 1; });
  over = true;
  calls.join();
  EXPECT_EQ(failed, 0u);
  EXPECT_GT(answered, 0u);
  EXPECT_TRUE(connect());
  report(answered, memory);
}

TEST(Strangers, AtTheDoorForClientsCostNothingWithoutKeys) {
  strangers_at_the_door_cost_nothing(false);
}
TEST(Strangers, AtTheDoorForClientsCostNothingWithKeys) {
  strangers_at_the_door_cost_nothing(true);
}

}  // namespace
}  // namespace coterie
