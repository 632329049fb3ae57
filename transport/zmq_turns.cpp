// Whose turn it is: how ZmqDistribution's sockets pass from thread to thread.
//
// A turn is taken by whoever finds turning_ unset. Between turns one thread is on the lookout: an
// idle worker, or the own thread as long as there is none. A worker that leaves the lookout runs
// what has arrived, and comes back; the own thread sleeps meanwhile until the alarm, which is set
// whenever nobody may be looking. Has nobody taken a turn when it rings, or is something left
// undone, then the workers are stuck in callbacks or gone, and the own thread is on the lookout
// until a worker takes its place.

#include <utility>

#include "transport/zmq_distribution.hpp"

namespace coterie {
namespace {

constexpr Duration patience = std::chrono::milliseconds(2);

}  // namespace

// ---- any thread

void ZmqDistribution::set_alarm() noexcept {
  if (!alarm_set_.load() && !alarm_set_.exchange(true)) alarm_.set(patience);
}

void ZmqDistribution::need_turn() noexcept {
  // If it was set already, then for what the next turn will find, too.
  if (!needed_.load(std::memory_order_relaxed)) needed_.store(true);
  set_alarm();
}

void ZmqDistribution::wake() noexcept {
  needed_.store(true);
  if (looker_.load() != Looker::nobody) {
    rouse();
  } else {
    set_alarm();
  }
}

void ZmqDistribution::rouse() noexcept {
  if (!ringing_.exchange(true)) lookout_.ring();
}

void ZmqDistribution::take_over() noexcept {
  lent_.store(false);
  rouse();
  alarm_.set(Duration::zero());
}

// ---- workers

bool ZmqDistribution::turn() {
  if (!lent_.load() || turning_.exchange(true)) return false;
  needed_.store(false);
  // Asked again: the own thread may have waited for this turn to end.
  const bool more = lent_.load() && take_turn(clock_.now());
  turning_.store(false);
  // Who came in vain has left this set.
  return more || needed_.load();
}

bool ZmqDistribution::sleep(Time until) {
  if (!lent_.load()) return false;
  Looker before = looker_.load();
  // The own thread may still sleep there; it leaves with the next news, which stay news for others.
  if (before == Looker::worker || !looker_.compare_exchange_strong(before, Looker::worker)) {
    return false;
  }
  look_out(Looker::worker, until);
  leave_lookout(Looker::worker);
  return true;
}

/// Unless it has been taken over.
void ZmqDistribution::leave_lookout(Looker self) noexcept {
  if (looker_.compare_exchange_strong(self, Looker::nobody)) set_alarm();
}

void ZmqDistribution::look_out(Looker self, Time until) noexcept {
  if (needed_.load()) return;
  const Duration left = std::min(until, turn_at_.load()) - clock_.now();
  const unsigned news = lookout_.wait(std::max(left, Duration::zero()));
  if (looker_.load() != self) return;
  if ((news & ZmqLookout::bell) != 0) lookout_.quiet();
  ringing_.store(false);
  if ((news & ZmqLookout::links) != 0) links_news_.store(true);
}

// ---- the own thread

void ZmqDistribution::run() {
  while (!stop_.load()) {
    if (looker_.load() != Looker::own_thread) {
      keep_guard();
      continue;
    }
    if (lent_.load() && turns_.load() != own_turns_) {
      // Workers come by: by and by one of them will be on the lookout.
      own_turns_ = turns_.load();
      leave_lookout(Looker::own_thread);
      continue;
    }
    if (turning_.exchange(true)) {
      // A worker's, who looks again before it leaves; to look out meanwhile would be to spin.
      leave_lookout(Looker::own_thread);
      continue;
    }
    needed_.store(false);
    const bool more = take_turn(clock_.now());
    own_turns_ = turns_.load();
    turning_.store(false);
    if (more) continue;
    look_out(Looker::own_thread, Time::max());
  }
  // A worker may still be leaving.
  while (turning_.exchange(true)) alarm_.set(patience), alarm_.wait();
  for (auto& [name, peer] : peers_) {
    peer->probe.reset();
    disconnect(*peer);
  }
  router_.close();
}

void ZmqDistribution::keep_guard() {
  alarm_.wait();
  alarm_set_.store(false);
  const bool left_undone = needed_.load();
  const std::uint64_t seen = std::exchange(turns_seen_, turns_.load());
  if (lent_.load()) {
    if (looker_.load() != Looker::nobody && !left_undone) return;
    if (seen != turns_seen_) return set_alarm();
  }
  Looker nobody = Looker::nobody;
  if (looker_.compare_exchange_strong(nobody, Looker::own_thread)) {
    own_turns_ = turns_.load();
    return;
  }
  rouse();
  set_alarm();
}

}  // namespace coterie
