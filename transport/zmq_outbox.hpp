#pragma once
// The hand-off from any thread to whoever has the turn, one per session: bounded by what the
// session's window holds. Its lock is held to encode a small message or to swap. What was accepted
// before the session is lost is lost with it, and node_down follows; nothing leaks into the next
// session.

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "process/ports/distribution.hpp"
#include "transport/outgoing.hpp"

namespace coterie {

class ZmqOutbox {
 public:
  ZmqOutbox(Peer peer, NodeId self, const StreamOptions& options)
      : peer_(std::move(peer)), options_(options), queue_(options, {self, peer_.incarnation.id}) {}

  const Peer& peer() const noexcept { return peer_; }
  bool is_big(const Envelope& envelope) const noexcept { return queue_.is_big(envelope); }
  wire::Ends ends() const noexcept { return queue_.ends(); }

  /// Any thread. `sent`: the message was taken over. `enough`: what waits fills a frame. A small
  /// Envelope, or a big one encoded with its deadline.
  SendResult push(const Envelope& envelope, Time deadline, bool& enough) {
    return push(false, enough, [&] { queue_.push(envelope, deadline); });
  }
  SendResult push(OutgoingMessage&& message, bool& enough) {
    return push(message.is_cut(options_), enough, [&] { queue_.push(std::move(message)); });
  }
  /// Whether a push of something big would be refused now; remembers that somebody waits for room.
  SendResult try_room() {
    std::lock_guard lock(mutex_);
    return room(true);
  }
  /// Whether there is something to take. Of a push that is under way it may not know.
  bool waits() const noexcept { return waits_.load(std::memory_order_relaxed); }

  /// The turn takes what there is and gives the vector it has emptied. Until it publishes anew,
  /// what it took counts as held.
  void take(std::vector<Outgoing>& emptied) {
    std::lock_guard lock(mutex_);
    held_ += queue_.held();
    queue_.take(emptied);
    waits_.store(false, std::memory_order_relaxed);
  }
  /// What the session holds, unacknowledged, and whether its Interleaver is empty. True: somebody
  /// was refused and there is room again.
  bool publish(const Held& held, bool interleaved) {
    std::lock_guard lock(mutex_);
    held_ = held;
    if (interleaved) queue_.interleaved();
    // A quarter free, so that the two sides do not take turns message by message.
    Held all = held;
    all += queue_.held();
    bool somebody = false;
    for (const bool big : {false, true}) {
      if (!told_busy_[big] || !all.has_much_room(options_, big)) continue;
      told_busy_[big] = false;
      somebody = true;
    }
    return somebody;
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    queue_.clear();
  }

 private:
  SendResult room(bool big) noexcept {
    if (closed_) return SendResult::no_node;
    Held all = held_;
    all += queue_.held();
    if (all.has_room(options_, big)) return SendResult::sent;
    told_busy_[big] = true;
    return SendResult::busy;
  }
  template <class Push>
  SendResult push(bool big, bool& enough, Push put) {
    std::lock_guard lock(mutex_);
    if (const SendResult refused = room(big); refused != SendResult::sent) return refused;
    put();
    waits_.store(true, std::memory_order_relaxed);
    enough = queue_.fills_frame();
    return SendResult::sent;
  }

  const Peer peer_;
  const StreamOptions& options_;
  std::atomic<bool> waits_{false};
  std::mutex mutex_;
  OutgoingQueue queue_;
  Held held_;
  bool closed_ = false;
  bool told_busy_[2] = {};  // of messages that travel whole, of those in pieces
};

}  // namespace coterie
