// Any bytes as the first frame of a connection: a Hello to a Link that knows nothing of its peer.
// Whatever it says, the link stays consistent and answers in bounded size. Input: the frame.

#include <cstdint>

#include "process/seeded_random.hpp"
#include "tests/fuzz/require.hpp"
#include "transport/session.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace coterie;
  const auto frame = wire::decode(BytesView(reinterpret_cast<const char*>(data), size));
  const auto* hello = frame ? std::get_if<wire::Hello>(&*frame) : nullptr;
  if (hello == nullptr) return 0;
  LinkSelf self;
  self.name = "a";
  self.incarnation = {3, static_cast<NodeId>(0x1122334455667788)};
  self.cluster_id = "local-3";
  self.config_digest = "0123456789abcdef";
  const LinkOptions options;
  SeededRandom random(1);
  Time now{};
  Link link(self, hello->name, options, random, now);
  for (int round = 0; round < 3; ++round) {
    const bool welcome = link.hello(now, *hello);
    link.dialled(now);
    link.tick(now);
    fuzz::require(welcome || !link.up(), "who is not welcome has no session");
    for (const LinkAction& action : link.take_actions()) {
      if (const auto* send = std::get_if<link_action::Send>(&action)) {
        fuzz::require(send->frame.size() < 8192, "an answer to a hello is small");
        fuzz::require(wire::decode(send->frame).has_value(), "an answer is a frame");
      }
      fuzz::require(!std::holds_alternative<link_action::Deliver>(action),
                    "a hello delivers nothing");
    }
    now = now + std::chrono::milliseconds(100);
  }
  return 0;
}
