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

/// From a primary that must learn which names of these partitions the receiver holds.
struct Want {
  std::uint64_t view = 0;
  std::uint64_t after = 0;  // registrations up to this one have been told
  std::vector<std::uint8_t> partitions;
};

/// The answer: in the order of registrations what its sender holds beyond `after`. A primary asks
/// on behind it until it has heard the last.
struct Claims {
  std::uint64_t view = 0;
  bool last = false;
  std::vector<Claim> claims;
};

/// By way of a third member, when the link between the two does not carry it.
struct Relayed {
  NodeId from = NodeId::none;
  NodeId to = NodeId::none;
  std::variant<Want, Claims> message;
};

using Message = std::variant<Ask, Told, Want, Claims, Relayed>;

}  // namespace coterie::directory
