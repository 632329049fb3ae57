#include "process/system_clock.hpp"

#include <time.h>

#include <algorithm>

namespace coterie {
namespace {

constexpr std::int64_t look_every_ns = 50'000;

std::int64_t read_ns(clockid_t clock) noexcept {
  timespec at{};
  ::clock_gettime(clock, &at);
  return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

// BOOTTIME is read first, so a thread that is preempted between the two reads finds too little
// suspended time, never too much. What counts is therefore the largest value ever found.
std::int64_t sample_suspended_ns() noexcept {
  const std::int64_t boot = read_ns(CLOCK_BOOTTIME);
  return boot - read_ns(CLOCK_MONOTONIC);
}

std::int64_t best_of_samples(std::int64_t best) noexcept {
  for (int i = 0; i < 16; ++i) best = std::max(best, sample_suspended_ns());
  return best;
}

}  // namespace

SystemClock::SystemClock() : suspended_ns_(best_of_samples(0)) {}

Time SystemClock::now() const noexcept {
  // Suspended time first: both terms only grow, so their sum does when read in one order.
  std::int64_t suspended = suspended_ns_.load(std::memory_order_relaxed);
  const std::int64_t running = read_ns(CLOCK_MONOTONIC_RAW);
  // To look whether the machine slept costs two more reads, so it is done after so much running
  // time and no sooner. Whoever reads the time may sleep before he uses it, anyway.
  if (running - looked_at_ns_.load(std::memory_order_relaxed) >= look_every_ns) {
    looked_at_ns_.store(running, std::memory_order_relaxed);
    suspended = suspended_ns();
  }
  return Time(Duration(suspended + running));
}

WallTime SystemClock::wall() const noexcept {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

std::int64_t SystemClock::suspended_ns() const noexcept {
  constexpr std::int64_t noise_ns = 10'000;
  std::int64_t known = suspended_ns_.load(std::memory_order_relaxed);
  const std::int64_t sample = sample_suspended_ns();
  // Differences of a few ns between samples are noise; only a real suspend changes the offset.
  if (sample <= known + noise_ns) return known;
  const std::int64_t found = best_of_samples(sample);
  while (found > known && !suspended_ns_.compare_exchange_weak(known, found)) {
  }
  return std::max(found, known);
}

}  // namespace coterie
