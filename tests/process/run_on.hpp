#pragma once
// A function as a process of a runtime, started from outside of it.

#include <memory>
#include <utility>

#include "process/behaviour.hpp"
#include "process/runtime.hpp"

namespace coterie::test {

/// Runs `body` as a process of the runtime's, unlinked.
inline Pid run_on(detail::Runtime& runtime, std::move_only_function<void()> body) {
  class Body final : public detail::Behaviour {
   public:
    explicit Body(std::move_only_function<void()> body) : body_(std::move(body)) {}
    void start() override {
      body_();
      detail::current_process().exit_later(ExitReason::normal());
    }
    void handle(detail::MessagePtr) override {}
    std::string_view initial_call() const noexcept override { return "test"; }

   private:
    std::move_only_function<void()> body_;
  };
  detail::SpawnRequest request;
  request.behaviour = std::make_unique<Body>(std::move(body));
  return runtime.spawn(std::move(request));
}

}  // namespace coterie::test
