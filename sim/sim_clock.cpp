#include "sim/sim_clock.hpp"

#include <cmath>

namespace coterie::sim {
namespace {

// Runs of the simulator begin on 2026-01-01, so that what records wall time looks as it does in
// production.
constexpr WallTime wall_begin{std::chrono::milliseconds(1'767'225'600'000)};

}  // namespace

Time SimNodeClock::now() const noexcept {
  if (rate_ == 1) return base_ + (world_.now() - base_world_);
  const auto passed = static_cast<double>((world_.now() - base_world_).count());
  return base_ + Duration(std::llround(passed * rate_));
}

WallTime SimNodeClock::wall() const noexcept {
  return wall_begin +
         std::chrono::floor<std::chrono::milliseconds>(now().time_since_epoch() + wall_offset_);
}

Time SimNodeClock::world_time(Time at) const noexcept {
  if (at == Time::max() || at <= base_) return at == Time::max() ? at : base_world_;
  if (rate_ == 1) return after(base_world_, at - base_);
  if (rate_ == 0) return Time::max();
  // Rounded up: at that moment this clock has got there.
  const double wait = std::ceil(static_cast<double>((at - base_).count()) / rate_) + 1;
  if (wait > 9e18) return Time::max();
  return after(base_world_, Duration(static_cast<Duration::rep>(wait)));
}

void SimNodeClock::rebase() {
  base_ = now();
  base_world_ = world_.now();
}

void SimNodeClock::set_rate(double rate) {
  rebase();
  rate_ = rate;
  world_.all_changed();
}

void SimNodeClock::jump(Duration by) {
  rebase();
  if (by > Duration::zero()) {
    base_ = after(base_, by);
  } else {
    wall_offset_ += by;
  }
  world_.all_changed();
}

}  // namespace coterie::sim
