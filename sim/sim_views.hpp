#pragma once
// What views the nodes install, asked of the nodes themselves: one value per number, numbers that
// only grow, and nobody who comes back (I8); and when a view without an incarnation is agreed, that
// this incarnation's lease is over (I1): no strict callback could begin there, whether one was
// about to or not. Single-threaded.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <coterie/bytes.hpp>

#include "process/ports/agreement.hpp"

namespace coterie::sim {

class SimViews {
 public:
  using Violation = std::function<void(std::string)>;
  /// One run of a node, asked at any time.
  struct Run {
    std::string node;
    Incarnation incarnation;
    std::function<std::shared_ptr<const View>()> view;  // null: none yet
    std::function<bool()> gate_open;
  };

  explicit SimViews(Violation violation) : violation_(std::move(violation)) {}

  void add(std::uint64_t run, Run what) { runs_[run] = {std::move(what), 0}; }
  /// It has died.
  void remove(std::uint64_t run) { runs_.erase(run); }
  /// That run has installed another view.
  void installed(std::uint64_t run);
  /// Clocks have left the bound that leases rest on.
  void clocks_lie() { judged_ = false; }

  /// Different ones.
  std::uint64_t views() const noexcept { return values_.size(); }

 private:
  struct Known {
    Run run;
    std::uint64_t newest = 0;
  };
  struct Life {  // of an incarnation, by the numbers of views
    std::string node;
    std::uint64_t in = 0;            // the last one seen with it
    std::uint64_t out = UINT64_MAX;  // the first one seen without it, after one with it
  };
  void learn(const View& view);
  void judge_leases(const View& view);

  Violation violation_;
  std::map<std::uint64_t, Known> runs_;
  std::map<std::uint64_t, Bytes> values_;  // by number
  std::map<NodeId, Life> lives_;
  bool judged_ = true;
};

}  // namespace coterie::sim
