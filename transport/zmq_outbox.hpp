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
    return push(enough, [&] { queue_.push(envelope, deadline); });
  }
  SendResult push(OutgoingMessage&& message, bool& enough) {
    return push(enough, [&] { queue_.push(std::move(message)); });
  }
  /// Whether a push would be refused now; remembers that somebody waits for room.
  SendResult try_room() {
    std::lock_guard lock(mutex_);
    return room();
  }
  /// Whether there is something to take. Of a push that is under way it may not know.
  bool waits() const noexcept { return waits_.load(std::memory_order_relaxed); }

  /// The turn takes what there is and gives the vector it has emptied. Until it publishes anew,
  /// what it took counts as held.
  void take(std::vector<Outgoing>& emptied) {
    std::lock_guard lock(mutex_);
    held_messages_ += queue_.messages();
    held_bytes_ += queue_.bytes();
    queue_.take(emptied);
    waits_.store(false, std::memory_order_relaxed);
  }
  /// What the session holds, unacknowledged, and whether its Interleaver is empty. True: somebody
  /// was refused and there is room again.
  bool publish(std::size_t held_messages, std::size_t held_bytes, bool interleaved) {
    std::lock_guard lock(mutex_);
    held_messages_ = held_messages;
    held_bytes_ = held_bytes;
    if (interleaved) queue_.interleaved();
    // A quarter free, so that the two sides do not take turns message by message.
    const bool free = (held_messages_ + queue_.messages()) * 4 <= options_.window_messages * 3 &&
                      (held_bytes_ + queue_.bytes()) * 4 <= options_.window_bytes * 3;
    return free && std::exchange(told_busy_, false);
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    queue_.clear();
  }

 private:
  SendResult room() noexcept {
    if (closed_) return SendResult::no_node;
    if (held_messages_ + queue_.messages() < options_.window_messages &&
        held_bytes_ + queue_.bytes() < options_.window_bytes) {
      return SendResult::sent;
    }
    told_busy_ = true;
    return SendResult::busy;
  }
  template <class Push>
  SendResult push(bool& enough, Push put) {
    std::lock_guard lock(mutex_);
    if (const SendResult refused = room(); refused != SendResult::sent) return refused;
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
  std::size_t held_messages_ = 0, held_bytes_ = 0;
  bool closed_ = false;
  bool told_busy_ = false;
};

}  // namespace coterie
