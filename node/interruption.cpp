#include "node/interruption.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>

namespace coterie {

bool Interruption::wait(Duration duration) {
  if (asked_) return false;
  pollfd wanted{signals_.descriptor(), POLLIN, 0};
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  ::poll(&wanted, 1, static_cast<int>(std::clamp<std::int64_t>(wait, 0, 60'000)));
  if (signals_.next()) asked_ = true;
  return !asked_;
}

}  // namespace coterie
