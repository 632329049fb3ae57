#pragma once
// The clock of one simulated node: the world's time, at a rate of its own, with jumps and stops. It
// never goes back (neither does the clock that a node's leases use); the wall clock may. Owned by
// whoever owns the node; single-threaded, like its world.

#include "sim/sim_world.hpp"

namespace coterie::sim {

class SimNodeClock final : public Clock {
 public:
  explicit SimNodeClock(SimWorld& world)
      : world_(world), base_world_(world.now()), base_(world.now()) {}

  Time now() const noexcept override;
  WallTime wall() const noexcept override;

  /// The first moment of the world at which this clock shows `at`. Time::max(): never, or it
  /// stands still.
  Time world_time(Time at) const noexcept;

  /// Seconds of this clock per second of the world; 0 stops it.
  void set_rate(double rate);
  double rate() const noexcept { return rate_; }
  /// Forwards all of it; backwards the wall clock only.
  void jump(Duration by);

 private:
  void rebase();

  SimWorld& world_;
  double rate_ = 1;
  Time base_world_;
  Time base_;
  Duration wall_offset_{};
};

}  // namespace coterie::sim
