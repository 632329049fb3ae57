#pragma once
// The hand-off from any thread to the data lane's thread, one per session: bounded by what the
// session's window holds. Its lock is held for a push or a swap only. What was accepted before the
// session is lost is lost with it, and node_down follows; nothing leaks into the next session.

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "process/ports/distribution.hpp"
#include "transport/stream.hpp"

namespace coterie {

class ZmqOutbox {
 public:
  ZmqOutbox(Peer peer, const StreamOptions& options) : peer_(std::move(peer)), options_(options) {}

  const Peer& peer() const noexcept { return peer_; }

  /// Any thread. `sent`: the message was taken over. `enough`: what waits fills a frame.
  SendResult push(OutgoingMessage& message, bool& enough) {
    std::lock_guard lock(mutex_);
    if (closed_) return SendResult::no_node;
    if (full()) {
      told_busy_ = true;
      return SendResult::busy;
    }
    queued_bytes_ += message.bytes.size();
    queued_.push_back(std::move(message));
    waits_.store(true, std::memory_order_relaxed);
    enough = queued_.size() >= options_.frame_records || queued_bytes_ >= options_.frame_bytes / 2;
    return SendResult::sent;
  }
  /// Whether there is something to take. Of a push that is under way it may not know.
  bool waits() const noexcept { return waits_.load(std::memory_order_relaxed); }
  /// Whether a push would be refused now; remembers that somebody waits for room.
  SendResult try_room() {
    std::lock_guard lock(mutex_);
    if (closed_) return SendResult::no_node;
    if (!full()) return SendResult::sent;
    told_busy_ = true;
    return SendResult::busy;
  }

  /// The data lane takes what there is and gives the vector it has emptied. Until it publishes
  /// anew, what it took counts as held.
  void take(std::vector<OutgoingMessage>& emptied) {
    std::lock_guard lock(mutex_);
    queued_.swap(emptied);
    waits_.store(false, std::memory_order_relaxed);
    held_messages_ += emptied.size();
    held_bytes_ += std::exchange(queued_bytes_, 0);
  }
  /// What the session holds, unacknowledged. True: somebody was refused and there is room again.
  bool publish(std::size_t held_messages, std::size_t held_bytes) {
    std::lock_guard lock(mutex_);
    held_messages_ = held_messages;
    held_bytes_ = held_bytes;
    // A quarter free, so that the two sides do not take turns message by message.
    const bool room = (held_messages_ + queued_.size()) * 4 <= options_.window_messages * 3 &&
                      (held_bytes_ + queued_bytes_) * 4 <= options_.window_bytes * 3;
    return room && std::exchange(told_busy_, false);
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    queued_.clear();
    queued_bytes_ = 0;
  }

 private:
  bool full() const noexcept {
    return held_messages_ + queued_.size() >= options_.window_messages ||
           held_bytes_ + queued_bytes_ >= options_.window_bytes;
  }

  const Peer peer_;
  const StreamOptions& options_;
  std::atomic<bool> waits_{false};
  std::mutex mutex_;
  std::vector<OutgoingMessage> queued_;
  std::size_t queued_bytes_ = 0, held_messages_ = 0, held_bytes_ = 0;
  bool closed_ = false;
  bool told_busy_ = false;
};

}  // namespace coterie
