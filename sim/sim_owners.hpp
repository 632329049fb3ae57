#pragma once
// Who runs which strict name, asked of the nodes themselves: all are in one thread, so it is no
// question of what they say. At each callback of a strict process it checks that no other living
// node could begin one for the same name (P1, I1), and that the names' epochs grow (I2).
// Single-threaded.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "process/runtime.hpp"
#include "sim/sim_clock.hpp"

namespace coterie::sim {

class SimOwners {
 public:
  using Violation = std::function<void(std::string)>;
  explicit SimOwners(Violation violation) : violation_(std::move(violation)) {}

  /// A run of a node. `runtime` null: not made yet.
  void add(std::uint64_t run, std::string node, std::function<detail::Runtime*()> runtime);
  /// It has died: what its processes still do nobody sees.
  void remove(std::uint64_t run) { runs_.erase(run); }

  /// A callback of `name` begins in that run.
  void enter(std::uint64_t run, std::string_view name);
  /// The next callback of that name is told once, before anything else: it kills its node.
  void poison(std::string name, std::function<void(std::uint64_t run)> kill) {
    poisoned_[std::move(name)] = std::move(kill);
  }
  /// Clocks have left the bound that I1 rests on: from now on only effects are judged.
  void clocks_lie() { judged_ = false; }

  /// Of whoever began a callback of that name last; none: nobody has, or clocks lie.
  std::optional<Epoch> newest(std::string_view name) const {
    const auto owner = owners_.find(name);
    if (owner == owners_.end() || !judged_) return std::nullopt;
    return owner->second.epoch;
  }

  std::uint64_t callbacks() const noexcept { return callbacks_; }
  std::uint64_t moves() const noexcept { return moves_; }

 private:
  struct Run {
    std::string node;
    std::function<detail::Runtime*()> runtime;
  };
  struct Owner {
    std::uint64_t run = 0;
    Epoch epoch;
  };
  static const detail::Process* find(detail::Runtime& runtime, std::string_view name);

  Violation violation_;
  std::map<std::uint64_t, Run> runs_;
  std::map<std::string, Owner, std::less<>> owners_;  // who ran it last
  std::map<std::string, std::function<void(std::uint64_t)>, std::less<>> poisoned_;
  bool judged_ = true;
  std::uint64_t callbacks_ = 0;
  std::uint64_t moves_ = 0;
};

}  // namespace coterie::sim
