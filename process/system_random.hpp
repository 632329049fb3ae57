#pragma once
// The real Random: seeded once by the kernel, then without system calls. Any thread. Not for keys
// or other secrets: who sees one number can compute the next.

#include "process/seeded_random.hpp"

namespace coterie {

class SystemRandom final : public Random {
 public:
  /// Waits for the kernel's entropy pool if the machine has just booted.
  SystemRandom();
  std::uint64_t next() noexcept override { return numbers_.next(); }

 private:
  SeededRandom numbers_;
};

}  // namespace coterie
