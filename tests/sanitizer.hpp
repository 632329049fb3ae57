#pragma once
// How much of their work the biggest tests do under sanitizers, where everything is several times
// slower and a parked fiber of ThreadSanitizer's costs 0.9 MB. No test is left out there.

#include <cstddef>

namespace coterie::test {

#if defined(__SANITIZE_THREAD__)
inline constexpr unsigned work_divisor = 15;
inline constexpr std::size_t parked_fibers_max = 1'500;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr unsigned work_divisor = 3;
inline constexpr std::size_t parked_fibers_max = 20'000;
#else
inline constexpr unsigned work_divisor = 1;
inline constexpr std::size_t parked_fibers_max = 20'000;
#endif

}  // namespace coterie::test
