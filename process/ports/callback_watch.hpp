#pragma once
// The port that is told which strict name's callback runs on which worker, so that a guardian knows
// the suspects when the node dies. Called by the workers around each slice: cheap, never blocks.

#include <string_view>

namespace coterie {

class CallbackWatch {
 public:
  virtual ~CallbackWatch() = default;
  virtual void enter(unsigned worker, std::string_view name) noexcept = 0;
  virtual void leave(unsigned worker) noexcept = 0;
};

}  // namespace coterie
