// A peer that does anything, in any order: connections that come and go, hellos, frames, bytes that
// are none, time. The link delivers only within a session, tells each loss once, and its memory has
// a bound. Input: steps of a length, an operation and its bytes.

#include <algorithm>
#include <cstdint>

#include "process/seeded_random.hpp"
#include "tests/fuzz/require.hpp"
#include "transport/envelope_codec.hpp"
#include "transport/session.hpp"

namespace coterie {
namespace {

constexpr NodeId peer_id{9};

struct Session {
  LinkSelf self;
  LinkOptions options;
  SeededRandom random{1};
  Time now{};
  wire::Hello bound;
  Link link;
  bool up = false;
  std::size_t sent = 0;

  static LinkSelf own() {
    LinkSelf self;
    self.name = "a";
    self.incarnation = {3, static_cast<NodeId>(7)};
    self.cluster_id = "c";
    return self;
  }
  static LinkOptions small() {
    LinkOptions options;
    options.stream.window_messages = 32;
    options.stream.window_bytes = 64 << 10;
    options.stream.message_bytes_max = 64 << 10;
    options.stream.piece_bytes = 4096;
    return options;
  }
  Session() : self(own()), options(small()), link(self, "b", options, random, now) {
    bound.cluster_id = "c";
    bound.name = "b";
    bound.incarnation = {1, peer_id};
    bound.to = static_cast<NodeId>(7);
    bound.connection = 1;
    bound.position = {1, 1, 0, 1};
  }

  void drain() {
    for (LinkAction& action : link.take_actions()) {
      if (std::holds_alternative<link_action::Up>(action)) {
        fuzz::require(!up, "a session begins once");
        up = true;
      } else if (std::holds_alternative<link_action::Lost>(action)) {
        fuzz::require(up, "only a session is lost, and once");
        up = false;
      } else if (std::holds_alternative<link_action::Deliver>(action)) {
        fuzz::require(up, "nothing is delivered outside a session");
      } else if (const auto* send = std::get_if<link_action::Send>(&action)) {
        fuzz::require(wire::decode(send->frame).has_value(), "what is sent is a frame");
      }
    }
    fuzz::require(up == link.up() || link.has_actions(), "the link and its actions agree");
    fuzz::require(link.sending().held().messages <= options.stream.window_messages,
                  "the window is a bound");
  }

  void send() {
    if (!link.up() || link.full()) return;
    Envelope envelope;
    envelope.signal = Signal::cast;
    envelope.from = {self.incarnation.id, 1};
    envelope.to = Pid{peer_id, 1 + sent % 3};
    envelope.payload.assign(sent % 7 == 0 ? 10'000 : 10, 'x');
    OutgoingMessage message;
    message.bytes = wire::encode_envelope(envelope, {self.incarnation.id, peer_id});
    message.from = envelope.from;
    message.to = envelope.to;
    link.send(Outgoing(std::move(message)));
    link.flush(now);
    ++sent;
  }

  void bytes_of_peer(BytesView bytes) {
    const auto frame = wire::decode(bytes);
    if (!frame) return link.malformed(now, bound, frame.error());
    if (const auto* hello = std::get_if<wire::Hello>(&*frame)) {
      if (link.hello(now, *hello)) bound = *hello;
      return;
    }
    link.frame(now, bound, *frame);
  }

  /// A frame that fits the session, but for what `bytes` puts in.
  void fitting_frame(BytesView bytes) {
    wire::Data data;
    data.position = bound.position;
    data.position.to_attempt = link.position().from_attempt;
    data.position.received = link.sending().acknowledged();
    data.position.resumed = link.connection();
    data.first = link.position().received + 1;
    data.records = {bytes};
    link.frame(now, bound, wire::Frame(data));
  }

  void good_hello() {
    bound.position.to_attempt = link.position().from_attempt;
    bound.position.resumed = link.connection();
    ++bound.connection;
    link.hello(now, bound);
  }

  void step(unsigned operation, BytesView bytes) {
    now = now + std::chrono::milliseconds(1 + operation / 16);
    switch (operation % 10) {
      case 0:
        link.dialled(now);
        break;
      case 1:
        link.dial_failed(now, bytes.size() % 2 == 1, "why");
        break;
      case 2:
        link.disconnected(now);
        break;
      case 3:
        good_hello();
        break;
      case 4:
        bytes_of_peer(bytes);
        break;
      case 5:
        fitting_frame(bytes);
        break;
      case 6:
        send();
        break;
      case 7:
        now = now + std::chrono::milliseconds(100 * bytes.size());
        link.tick(now);
        break;
      case 8:
        link.confirm_dead(now, {bytes.size(), peer_id});
        break;
      default:
        bytes.size() % 2 == 1 ? link.remove(now, "why") : link.reopen(now);
    }
    if (link.next_tick() <= now) link.tick(now);
    drain();
  }
};

}  // namespace
}  // namespace coterie

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  coterie::Session session;
  for (int steps = 0; size >= 2 && steps < 500; ++steps) {
    const std::size_t length = std::min<std::size_t>(data[0], size - 2);
    session.step(data[1], {reinterpret_cast<const char*>(data + 2), length});
    data += 2 + length;
    size -= 2 + length;
  }
  return 0;
}
