// The call of a registered function as docs/wire.md shows it: the bytes that a node writes, and
// what a node that reads them answers.

#include <gtest/gtest.h>

#include <mutex>

#include <coterie/erpc.hpp>

#include "tests/process/runtime_fixture.hpp"
#include "tests/transport/documented_frames.hpp"
#include "transport/envelope_codec.hpp"
#include "transport/wire.hpp"

namespace coterie {
namespace {

using namespace std::chrono_literals;

constexpr auto here = static_cast<NodeId>(0x11), there = static_cast<NodeId>(0x22);

struct Add {
  using Reply = std::int64_t;
  static constexpr std::string_view type_name = "test.add";
  std::int64_t x = 0, y = 0;
};

/// Keeps what is sent to the other node.
class Kept final : public Distribution {
 public:
  SendResult send(NodeId, Envelope&& envelope) override {
    std::lock_guard lock(mutex_);
    kept_.push_back(std::move(envelope));
    return SendResult::sent;
  }
  NodeId connected(std::string_view) const override { return there; }
  std::vector<Peer> peers() const override { return {{"b", {1, there}}}; }
  void confirm_dead(const Incarnation&) override {}
  std::optional<Envelope> take(Signal signal) {
    std::lock_guard lock(mutex_);
    for (Envelope& envelope : kept_) {
      if (envelope.signal == signal) return std::move(envelope);
    }
    return std::nullopt;
  }

 private:
  std::mutex mutex_;
  std::vector<Envelope> kept_;
};

struct ErpcBytes : ::testing::Test {
  test::LocalNode node{{.node = "a", .incarnation = {1, here}, .workers = 1}};
  Kept links;
  std::map<std::string, Bytes> documented = testing::documented_frames(COTERIE_SOURCE_DIR);

  ErpcBytes() {
    node.runtime.set_distribution(&links);
    node.runtime.node_up({"b", {1, there}});
  }
  ~ErpcBytes() override { node.runtime.set_distribution(nullptr); }

  /// The one envelope of a documented Data frame.
  Envelope envelope(const std::string& title, wire::Ends ends) {
    const auto frame = wire::decode(documented.at(title)).value();
    return wire::decode_envelope(std::get<wire::Data>(frame).records.at(0), ends).value();
  }
};

// Goal: a call writes these bytes, but for the numbers of its own process and reference.
TEST_F(ErpcBytes, OfACall) {
  EXPECT_FALSE(erpc::call("b", Add{2, 3}, 50ms));  // nobody answers
  auto sent = links.take(Signal::call);
  ASSERT_TRUE(sent);
  const Envelope documents = envelope("Data with an erpc call", {here, there});
  sent->from.serial = documents.from.serial;
  sent->ref = documents.ref;
  sent->budget = documents.budget;
  const wire::Ends ends{here, there};
  EXPECT_EQ(wire::encode_envelope(*sent, ends), wire::encode_envelope(documents, ends));
}

// Goal: a node that reads these bytes runs the function and answers with those of the example.
TEST_F(ErpcBytes, OfItsReply) {
  const auto add = [](const Add& m) { return m.x + m.y; };
  ASSERT_TRUE(erpc::start_link({erpc::function<Add>(add)}));
  const wire::Ends ends{here, there};
  node.runtime.deliver(there, envelope("Data with an erpc call", {there, here}));
  std::optional<Envelope> sent;
  while (!(sent = links.take(Signal::reply))) sleep(1ms);
  const Envelope documents = envelope("Data with the reply", ends);
  sent->from.serial = documents.from.serial;
  EXPECT_EQ(wire::encode_envelope(*sent, ends), wire::encode_envelope(documents, ends));
}

}  // namespace
}  // namespace coterie
