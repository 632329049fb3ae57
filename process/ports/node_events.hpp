#pragma once
// The port through which a process learns of other nodes, whoever finds out. node/ feeds it from
// the distribution and the agreement.

#include <memory>
#include <string>

#include "process/ports/agreement.hpp"
#include "process/ports/distribution.hpp"

namespace coterie {

/// Messages that subscribers get as infos, in this order for one node: NodeUp before any message of
/// it; every EXIT and DOWN of a session, then NodeDown.
struct NodeUp {
  static constexpr std::string_view type_name = "coterie.node_up";
  std::string node;
  Incarnation incarnation;
};
struct NodeDown {
  static constexpr std::string_view type_name = "coterie.node_down";
  std::string node;
  Incarnation incarnation;
  bool confirmed = false;
};
struct ViewChanged {
  static constexpr std::string_view type_name = "coterie.view_changed";
  std::uint64_t number = 0;
};

}  // namespace coterie
