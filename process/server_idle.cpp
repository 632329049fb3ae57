// The idle timeout and hibernation of a server. OTP receives with `after Time`; here a message of
// the server's own says that the time is over, and anything else in the queue goes first.

#include <utility>

#include "process/idle_tick.hpp"
#include "process/runtime.hpp"
#include "process/server_loop.hpp"

namespace coterie::detail {
namespace {

MessagePtr tick(std::uint64_t turn) { return make_message(MessageKind::send, IdleTick{turn}); }

}  // namespace

void ServerLoop::arm(Process& self) {
  if (idle_ == infinity) return;
  Runtime& runtime = self.runtime();
  if (idle_ <= Duration::zero()) {
    // With a message in the queue a timeout of zero is skipped; otherwise it is next.
    auto now = tick(++turn_);
    runtime.push(self.pid(), now);
    return;
  }
  const Time now = runtime.clock().now();
  idle_end_ = after(now, idle_);
  if (timer_end_ > now && timer_end_ <= idle_end_) return;
  timer_end_ = idle_end_;
  runtime.start_timer(idle_, self.pid(), tick(0));
}

void ServerLoop::on_tick(Process& self, std::uint64_t turn) {
  if (turn == 0) {
    timer_end_ = {};
    if (idle_ == infinity || idle_ <= Duration::zero()) return;
    const Time now = self.runtime().clock().now();
    if (now < idle_end_) {
      timer_end_ = idle_end_;
      self.runtime().start_timer(idle_end_ - now, self.pid(), tick(0));
      return;
    }
  } else if (turn != turn_) {
    return;
  }
  ++turn_;
  if (self.has_queued()) {
    // A message came first and ends the period, or a sys request, which begins it anew. If it is
    // only another tick, this one is next.
    auto again = tick(turn_);
    self.runtime().push(self.pid(), again);
    return;
  }
  idle_ = infinity;
  if (std::exchange(hibernate_at_end_, false)) {
    hibernate(self);
    return;
  }
  hibernating_ = false;
  auto timeout = make_message(MessageKind::send, Timeout{});
  if (debug_) note_received(self, *timeout);
  run(self, *timeout, {});
}

void ServerLoop::hibernate(Process& self) {
  if (self.has_queued()) return;
  callbacks_->hibernate();
  hibernating_ = true;
}

/// After a sys request: the full period again, or back to sleep.
void ServerLoop::restart_idle(Process& self) {
  if (self.exit_) return;
  ++turn_;
  if (hibernating_) {
    hibernate(self);
  } else {
    arm(self);
  }
}

}  // namespace coterie::detail
