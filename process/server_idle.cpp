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
  Seldom& mine = seldom();
  if (mine.idle == infinity) return;
  Runtime& runtime = self.runtime();
  if (mine.idle <= Duration::zero()) {
    // With a message in the queue a timeout of zero is skipped; otherwise it is next.
    auto now = tick(++mine.turn);
    runtime.push(self.pid(), now);
    return;
  }
  const Time now = runtime.clock().now();
  mine.idle_end = after(now, mine.idle);
  if (mine.timer_end > now && mine.timer_end <= mine.idle_end) return;
  mine.timer_end = mine.idle_end;
  runtime.start_timer(mine.idle, self.pid(), tick(0));
}

void ServerLoop::on_tick(Process& self, std::uint64_t turn) {
  Seldom& mine = seldom();
  if (turn == 0) {
    mine.timer_end = {};
    if (mine.idle == infinity || mine.idle <= Duration::zero()) return;
    const Time now = self.runtime().clock().now();
    if (now < mine.idle_end) {
      mine.timer_end = mine.idle_end;
      self.runtime().start_timer(mine.idle_end - now, self.pid(), tick(0));
      return;
    }
  } else if (turn != mine.turn) {
    return;
  }
  ++mine.turn;
  if (self.has_queued()) {
    // A message came first and ends the period, or a sys request, which begins it anew. If it is
    // only another tick, this one is next.
    auto again = tick(mine.turn);
    self.runtime().push(self.pid(), again);
    return;
  }
  mine.idle = infinity;
  if (std::exchange(mine.hibernate_at_end, false)) {
    hibernate(self);
    return;
  }
  mine.hibernating = false;
  auto timeout = make_message(MessageKind::send, Timeout{});
  if (debug() != nullptr) note_received(self, *timeout);
  run(self, *timeout, {});
}

void ServerLoop::hibernate(Process& self) {
  if (self.has_queued()) return;
  callbacks_->hibernate();
  seldom().hibernating = true;
}

/// After a sys request: the full period again, or back to sleep.
void ServerLoop::restart_idle(Process& self) {
  if (self.exit_ || !seldom_) return;
  ++seldom_->turn;
  if (seldom_->hibernating) {
    hibernate(self);
  } else {
    arm(self);
  }
}

}  // namespace coterie::detail
