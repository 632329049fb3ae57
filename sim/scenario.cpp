#include "sim/scenario.hpp"

namespace coterie::sim {

std::string_view to_string(Engine engine) noexcept {
  switch (engine) {
    case Engine::sim:
      return "sim";
    case Engine::real:
      return "real";
  }
  return "unknown";
}

std::string_view to_string(FaultKind kind) noexcept {
  switch (kind) {
    case FaultKind::kill:
      return "kill";
    case FaultKind::power_off:
      return "power_off";
    case FaultKind::stop:
      return "stop";
    case FaultKind::restart:
      return "restart";
    case FaultKind::replace:
      return "replace";
    case FaultKind::pause:
      return "pause";
    case FaultKind::resume:
      return "resume";
    case FaultKind::partition:
      return "partition";
    case FaultKind::heal:
      return "heal";
    case FaultKind::one_way:
      return "one_way";
    case FaultKind::reset:
      return "reset";
    case FaultKind::delay:
      return "delay";
    case FaultKind::throttle:
      return "throttle";
    case FaultKind::blackhole_large:
      return "blackhole_large";
    case FaultKind::slow_disk:
      return "slow_disk";
    case FaultKind::full_disk:
      return "full_disk";
    case FaultKind::failing_fsync:
      return "failing_fsync";
    case FaultKind::crash_name:
      return "crash_name";
    case FaultKind::poison:
      return "poison";
    case FaultKind::slow_node:
      return "slow_node";
    case FaultKind::clock_rate:
      return "clock_rate";
    case FaultKind::clock_jump:
      return "clock_jump";
    case FaultKind::clock_stop:
      return "clock_stop";
    case FaultKind::trouble:
      return "trouble";
  }
  return "unknown";
}

std::string_view to_string(NodeState state) noexcept {
  switch (state) {
    case NodeState::joining:
      return "joining";
    case NodeState::active:
      return "active";
    case NodeState::frozen:
      return "frozen";
    case NodeState::excluded:
      return "excluded";
    case NodeState::down:
      return "down";
  }
  return "unknown";
}

std::string to_string(const NodeSelector& selector) {
  switch (selector.kind) {
    case NodeSelector::Kind::name:
      return selector.text;
    case NodeSelector::Kind::any:
      return "*";
    case NodeSelector::Kind::voter:
      return "voter";
    case NodeSelector::Kind::owner:
      return "owner:" + selector.text;
    case NodeSelector::Kind::primary:
      return "primary:" + selector.text;
    case NodeSelector::Kind::most_names:
      return "most_names";
  }
  return "unknown";
}

}  // namespace coterie::sim
