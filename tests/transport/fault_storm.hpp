#pragma once
// All faults of TCP proxies, drawn one after the other: resets with and without refusals, delays,
// stalls of one way or both, and messages that arrive in part.

#include <chrono>
#include <cstdlib>
#include <span>
#include <thread>

#include "process/seeded_random.hpp"
#include "process/system_clock.hpp"
#include "tests/transport/tcp_proxy.hpp"

namespace coterie::testing {

/// How long a storm takes: COTERIE_FAULT_SECONDS, else few seconds.
inline Duration storm_time() {
  const char* const given = std::getenv("COTERIE_FAULT_SECONDS");
  return std::chrono::seconds(given ? std::atoi(given) : 3);
}

/// Returns how many faults there were; all are healed then.
inline std::size_t storm(std::span<TcpProxy* const> proxies, SeededRandom& random, Time until) {
  using std::chrono::milliseconds;
  const SystemClock clock;
  std::size_t faults = 0;
  for (; clock.now() < until; ++faults) {
    TcpProxy& proxy = *proxies[random.below(proxies.size())];
    const auto pause = milliseconds(1 + random.below(random.below(10) == 0 ? 600 : 30));
    switch (random.below(6)) {
      case 0:
        proxy.reset();
        break;
      case 1:
        proxy.delay_ms(static_cast<int>(random.below(20)));
        break;
      case 2:
        proxy.stall(true, random.below(2) == 0);
        break;
      case 3:
        proxy.stall(false, true);
        break;
      case 4:
        proxy.refuse(true);
        proxy.reset();
        break;
      default:  // what is on its way arrives in part
        proxy.delay_ms(10);
        std::this_thread::sleep_for(milliseconds(5));
        proxy.reset();
    }
    std::this_thread::sleep_for(pause);
    proxy.stall(false, false);
    proxy.refuse(false);
    proxy.delay_ms(0);
  }
  return faults;
}

}  // namespace coterie::testing
