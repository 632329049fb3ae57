#pragma once
// One connection of a simulated network: what one node's Link dialled to another node, as TCP under
// ZeroMQ would carry it. Frames go one way, from the dialler. It is worse than libzmq: what it
// accepted is lost with it but for a beginning, which may come late; it may carry nothing and tell
// nobody; what fills a slow line waits. Values of SimLinks; the dialler keeps a share.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include <coterie/time.hpp>

#include "transport/wire.hpp"

namespace coterie::sim {

struct SimWire {
  enum class State : std::uint8_t { dialling, open, over };

  std::string from_name, to_name;
  NodeId from = NodeId::none;
  NodeId to = NodeId::none;  // once it is open
  State state = State::dialling;
  bool stuck = false;  // carries nothing any more, until it is broken
  Time last_arrival{};
  std::deque<Bytes> under_way;
  std::optional<wire::Hello> bound;  // the receiver's: the newest hello that it let in
};

}  // namespace coterie::sim
