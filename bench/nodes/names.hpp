#pragma once
// What the nodes of cluster.register and cluster.lookup are asked. Each answers a figure.

#include <cstdint>
#include <string_view>

namespace coterie::bench::names {

inline constexpr const char* server = "bench.names";

/// The median of so many registrations, one after another; us.
struct Latency {
  using Reply = double;
  static constexpr std::string_view type_name = "bench.names.latency";
  std::uint64_t count = 0;
};
/// Registrations by so many processes at once; per second.
struct Rate {
  using Reply = double;
  static constexpr std::string_view type_name = "bench.names.rate";
  std::uint64_t count = 0, at_once = 0;
};
/// Look-ups of names that this node has seen before, by so many processes at once; per second.
struct Lookups {
  using Reply = double;
  static constexpr std::string_view type_name = "bench.names.lookups";
  std::uint64_t count = 0, at_once = 0;
};

}  // namespace coterie::bench::names
