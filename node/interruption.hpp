#pragma once
// Ctrl-C as a value: waits that end early when somebody wants the program to end. Made by the main
// thread before any other thread is; used by it.

#include <coterie/time.hpp>

#include "node/signal_source.hpp"

namespace coterie {

class Interruption final {
 public:
  /// Sleeps; false: the end was asked for, now or before.
  bool wait(Duration duration);
  bool asked() const noexcept { return asked_; }

 private:
  SignalSource signals_{SIGINT, SIGTERM, SIGHUP};
  bool asked_ = false;
};

}  // namespace coterie
