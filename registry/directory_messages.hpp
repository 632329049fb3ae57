#pragma once
// What members tell each other about names that they keep for one another (Directory). Every
// message names the view in which it was sent.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <coterie/pid.hpp>

namespace coterie::directory {

enum class What : std::uint8_t { reserve, confirm, release, lookup };

/// From who wants something to the primary of the name's partition.
struct Ask {
  std::uint64_t view = 0;
  What what = What::lookup;
  std::uint64_t id = 0;  // of the registration; of a lookup, the request
  std::string name;
  std::uint64_t serial = 0;  // of the process that reserves
};

enum class Code : std::uint8_t {
  ok,
  taken,        // by `pid`
  not_found,    // also: no such registration
  stale_view,   // asked in an older view than that of the answer
  unavailable,  // not now
};

/// The answer.
struct Told {
  std::uint64_t view = 0;
  What what = What::lookup;
  std::uint64_t id = 0;
  Code code = Code::ok;
  Pid pid;
  Epoch epoch;
};

/// A name that its sender holds.
struct Claim {
  std::string name;
  std::uint64_t registration = 0;
  std::uint64_t serial = 0;
  Epoch epoch;
  bool confirmed = false;
};

/// All that the sender holds in the partitions of one new primary, also if it is nothing.
struct Claims {
  std::uint64_t view = 0;
  std::uint32_t piece = 0;
  std::uint32_t pieces = 1;
  std::vector<Claim> claims;
};

/// All pieces have come.
struct Heard {
  std::uint64_t view = 0;
};

/// By way of a third member, when the link between the two does not carry it.
struct Relayed {
  NodeId from = NodeId::none;
  NodeId to = NodeId::none;
  std::variant<Claims, Heard> message;
};

using Message = std::variant<Ask, Told, Claims, Heard, Relayed>;

}  // namespace coterie::directory
