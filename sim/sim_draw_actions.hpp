#pragma once
// The actions that a drawn run's faults are made of, with the seed's random numbers. Pure.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "process/seeded_random.hpp"
#include "sim/scenario.hpp"

namespace coterie::sim {

class Draw final {
 public:
  Draw(std::vector<std::string> nodes, std::uint64_t seed, Duration lease)
      : nodes_(std::move(nodes)), random_(seed), lease_(lease) {}

  SeededRandom& random() { return random_; }
  const std::string& node() { return nodes_[random_.below(nodes_.size())]; }
  Duration lease() const { return lease_; }
  const std::vector<std::string>& nodes() const { return nodes_; }

  NodeSelector any() const { return {NodeSelector::Kind::any, "*", {}}; }
  NodeSelector most_names() const { return {NodeSelector::Kind::most_names, "", {}}; }

  Action of_node(FaultKind kind) const {
    Action action;
    action.kind = kind;
    action.node = any();
    return action;
  }
  Action on_node(FaultKind kind, Duration least, Duration most) const {
    Action action = of_node(kind);
    action.lasts = Range{least, most};
    return action;
  }
  Action down(FaultKind kind, Duration least, Duration most) const {
    Action action = of_node(kind);
    action.restart_after = Range{least, most};
    return action;
  }
  Action slow_disk(Duration latency) const {
    Action action =
        on_node(FaultKind::slow_disk, std::chrono::milliseconds(500), std::chrono::seconds(6));
    action.latency = latency;
    return action;
  }
  Action clock_rate(double factor) const {
    Action action =
        on_node(FaultKind::clock_rate, std::chrono::seconds(2), std::chrono::seconds(12));
    action.factor = factor;
    return action;
  }
  Action slow_link(Duration latency, Duration jitter) const {
    Action action = on_link(FaultKind::delay);
    action.latency = latency;
    action.jitter = jitter;
    action.lasts = Range{std::chrono::milliseconds(500), std::chrono::seconds(5)};
    return action;
  }
  Action on_link(FaultKind kind) const {
    Action action;
    action.kind = kind;
    action.link = {any(), any()};
    return action;
  }
  /// A random minority, of `count` nodes at most, against the rest.
  Action partition(std::size_t count, Duration least, Duration most) {
    Action action;
    action.kind = FaultKind::partition;
    action.lasts = Range{least, most};
    std::vector<std::string> order = nodes_;
    for (std::size_t left = order.size(); left > 1; --left) {
      std::swap(order[left - 1], order[random_.below(left)]);
    }
    action.groups.resize(2);
    for (std::size_t i = 0; i < order.size(); ++i) {
      action.groups[i < count ? 0 : 1].push_back({order[i], {}});
    }
    return action;
  }

 private:
  std::vector<std::string> nodes_;
  SeededRandom random_;
  Duration lease_;
};

}  // namespace coterie::sim
