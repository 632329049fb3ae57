#pragma once
// Who is who: nodes, incarnations of nodes, processes, references, epochs. All are plain values.
// A Pid names one process of one run of one node for ever; it is never reused for another.

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace coterie {

/// One run of a node's program: the 64 random bits of its incarnation. 0 means "no node".
enum class NodeId : std::uint64_t { none = 0 };

/// A run of a node's program, ordered within one node name: a counter kept on disk and raised at
/// each start, and 64 random bits. Two runs never share both.
struct Incarnation {
  std::uint64_t counter = 0;
  NodeId id = NodeId::none;
  friend bool operator==(const Incarnation&, const Incarnation&) = default;
};

/// A process. `serial` is unique within its node's incarnation; 0 means "no process".
struct Pid {
  NodeId node = NodeId::none;
  std::uint64_t serial = 0;
  explicit operator bool() const noexcept { return serial != 0; }
  friend auto operator<=>(const Pid&, const Pid&) = default;
};

/// A reference unique within the node that made it: of a call, a monitor, a timer. 0 means none.
enum class Ref : std::uint64_t { none = 0 };

/// Orders the registrations of a strict name: every later one has a greater epoch.
/// Given by the directory; also a fencing token for whatever a server writes to.
struct Epoch {
  std::uint64_t view = 0;
  std::uint64_t counter = 0;
  explicit operator bool() const noexcept { return view != 0 || counter != 0; }
  friend auto operator<=>(const Epoch&, const Epoch&) = default;
};

/// `<0.12.3>`-like text: 0 for `here`, else the node's bits in hexadecimal; then slot, generation.
std::string to_string(const Pid& pid, NodeId here = NodeId::none);
std::string to_string(NodeId node);
std::string to_string(const Incarnation& incarnation);
std::string to_string(const Epoch& epoch);

}  // namespace coterie

template <>
struct std::hash<coterie::Pid> {
  std::size_t operator()(const coterie::Pid& pid) const noexcept {
    return static_cast<std::size_t>(
        (static_cast<std::uint64_t>(pid.node) ^ pid.serial) * 0x9E3779B97F4A7C15ull >> 1);
  }
};
