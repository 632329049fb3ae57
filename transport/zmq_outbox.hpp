#pragma once
// The hand-off from any thread to whoever has the turn, one per peer, open while there is a session
// and bounded by what the session's window holds. Its lock is held to encode a small message or to
// swap. What was accepted before the session is lost is lost with it, and node_down follows;
// nothing leaks into the next session.

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "process/ports/distribution.hpp"
#include "transport/outgoing.hpp"

namespace coterie {

class ZmqOutbox {
 public:
  /// Closed. `options` must outlive it.
  ZmqOutbox(std::string name, NodeId self, const StreamOptions& options)
      : name_(std::move(name)),
        self_(self),
        options_(options),
        queue_(options, {self, NodeId::none}) {}

  const std::string& name() const noexcept { return name_; }
  /// Whom it is open for.
  std::optional<Peer> peer() const {
    std::lock_guard lock(mutex_);
    return peer_;
  }
  void open(const Peer& peer) {
    std::lock_guard lock(mutex_);
    peer_ = peer;
    queue_ = OutgoingQueue(options_, {self_, peer.incarnation.id});
    held_ = {};
    told_busy_[0] = told_busy_[1] = false;
  }
  void close() {
    std::lock_guard lock(mutex_);
    peer_.reset();
    queue_.clear();
    waits_.store(false, std::memory_order_relaxed);
  }

  /// Any thread. `sent`: the message was taken over for the session with `to`. `enough`: what waits
  /// fills a frame. A small Envelope, or a big one encoded.
  SendResult push(NodeId to, const Envelope& envelope, bool& enough) {
    return push(to, envelope.session, false, enough, [&] { queue_.push(envelope); });
  }
  SendResult push(NodeId to, OutgoingMessage&& message, bool& enough) {
    return push(to, 0, message.is_cut(options_), enough, [&] { queue_.push(std::move(message)); });
  }
  /// Whether a push of something big would be refused now; remembers that somebody waits for room.
  SendResult try_room(NodeId to) {
    std::lock_guard lock(mutex_);
    return room(to, 0, true);
  }
  /// Any thread. The way of every message: push() of a small one as it is, of a big one encoded,
  /// with its payload apart. `too_big`: 0, or the bytes of one above the limit, which is dropped
  /// and counts as `sent`; its caller is to be answered. Refused, `envelope` is as it was.
  SendResult hand_over(NodeId to, Envelope& envelope, bool& enough, std::size_t& too_big) {
    too_big = 0;
    if (!is_big(envelope, options_)) return push(to, envelope, enough);
    // Not encoded in vain: that takes long.
    if (const SendResult room = try_room(to); room != SendResult::sent) return room;
    OutgoingMessage message = encode_apart(envelope, {self_, to}, options_);
    if (message.size() > options_.message_bytes_max) {
      too_big = message.size();
      return SendResult::sent;
    }
    const SendResult result = push(to, std::move(message), enough);
    if (result != SendResult::sent && !message.payload.empty()) {
      envelope.payload = std::move(message.payload);
    }
    return result;
  }
  /// Whether there is something to take. Of a push that is under way it may not know.
  bool waits() const noexcept { return waits_.load(std::memory_order_relaxed); }

  /// The turn takes what there is and gives the vector it has emptied. Until it publishes anew,
  /// what it took counts as held.
  void take(Time now, std::vector<Outgoing>& emptied) {
    std::lock_guard lock(mutex_);
    held_ += queue_.held();
    queue_.take(now, emptied);
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

 private:
  SendResult room(NodeId to, std::uint64_t session, bool big) noexcept {
    if (!peer_ || peer_->incarnation.id != to) return SendResult::no_node;
    if (session != 0 && session != peer_->session) return SendResult::no_node;
    Held all = held_;
    all += queue_.held();
    if (all.has_room(options_, big)) return SendResult::sent;
    told_busy_[big] = true;
    return SendResult::busy;
  }
  template <class Push>
  SendResult push(NodeId to, std::uint64_t session, bool big, bool& enough, Push put) {
    std::lock_guard lock(mutex_);
    if (const SendResult refused = room(to, session, big); refused != SendResult::sent)
      return refused;
    put();
    waits_.store(true, std::memory_order_relaxed);
    enough = queue_.fills_frame();
    return SendResult::sent;
  }

  const std::string name_;
  const NodeId self_;
  const StreamOptions& options_;
  std::atomic<bool> waits_{false};
  mutable std::mutex mutex_;
  std::optional<Peer> peer_;
  OutgoingQueue queue_;
  Held held_;
  bool told_busy_[2] = {};  // of messages that travel whole, of those in pieces
};

}  // namespace coterie
