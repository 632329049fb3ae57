#pragma once
// What has been sent and is not in the stream yet. Small messages are encoded as the records of a
// frame, one behind the other in one buffer, so none of them costs an allocation or a lock of its
// own. A big one is kept apart for the Interleaver, and so is all that comes behind it until the
// Interleaver is empty again: only then nothing can overtake. Pure; used by one thread at a time.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "process/envelope.hpp"
#include "transport/envelope_codec.hpp"

namespace coterie {

struct StreamOptions {
  std::size_t window_messages = 8192;  // kept by the sender until acknowledged
  // Likewise; of messages that travel whole, and of those in pieces, where one may go above it.
  std::size_t window_bytes = std::size_t{16} << 20;
  std::size_t message_bytes_max = std::size_t{256} << 20;
  std::size_t piece_bytes = 64 << 10;  // payloads that are bigger travel in pieces of this size
  std::size_t frame_bytes = 64 << 10;  // records share a frame up to this size
  std::size_t frame_records = 256;     // and this number
};

/// A message up to this size is not cut: a payload of a piece's size, and the envelope around it.
constexpr std::size_t whole_bytes_max(std::size_t piece_bytes) noexcept {
  return piece_bytes + piece_bytes / 16;
}

/// What a session holds of messages until they are acknowledged. Those in pieces have a bound of
/// their own: a payload larger than the window keeps nobody else's messages waiting.
struct Held {
  std::size_t messages = 0;
  std::size_t bytes = 0;      // of those that travel whole
  std::size_t big_bytes = 0;  // of those in pieces

  Held& operator+=(const Held& more) noexcept {
    messages += more.messages;
    bytes += more.bytes;
    big_bytes += more.big_bytes;
    return *this;
  }
  void add(std::size_t count, std::size_t size, bool big) noexcept {
    messages += count;
    (big ? big_bytes : bytes) += size;
  }
  void remove(std::size_t count, std::size_t size, bool big) noexcept {
    messages -= count;
    (big ? big_bytes : bytes) -= size;
  }
  bool has_room(const StreamOptions& options, bool big) const noexcept {
    return messages < options.window_messages && (big ? big_bytes : bytes) < options.window_bytes;
  }
  /// A quarter is free.
  bool has_much_room(const StreamOptions& options, bool big) const noexcept {
    return messages * 4 <= options.window_messages * 3 &&
           (big ? big_bytes : bytes) * 4 <= options.window_bytes * 3;
  }
};

/// Records, encoded as they stand in a frame.
struct RecordBatch {
  struct Budget {
    std::size_t envelope;  // where it begins in `bytes`
    Duration left;
  };
  Bytes bytes;
  std::size_t count = 0;
  std::vector<Budget> budgets;  // lowered at each transmission
  Time since{};                 // when so much of them was left
};

/// An encoded envelope that waits for its turn.
struct OutgoingMessage {
  Bytes bytes;    // of wire::encode_envelope; or, of a big one, of wire::encode_envelope_before
  Bytes payload;  // then the envelope's own, which is not copied, follows them
  Pid from;
  Target to;
  Duration budget = infinity;
  Time deadline = Time::max();  // what the budget means on this node's clock

  std::size_t size() const noexcept { return bytes.size() + payload.size(); }
  bool is_cut(const StreamOptions& options) const noexcept {
    return size() > whole_bytes_max(options.piece_bytes);
  }
};
/// Encodes `envelope`, and takes its payload where that is to be cut.
OutgoingMessage encode_apart(Envelope& envelope, wire::Ends ends, const StreamOptions& options);

using Outgoing = std::variant<RecordBatch, OutgoingMessage>;

/// Whether `envelope` is kept apart, so that encoding it first, outside locks, is worth it.
bool is_big(const Envelope& envelope, const StreamOptions& options) noexcept;

/// To the caller, whose request was too big and was not sent.
Envelope too_big_answer(const Envelope& call, std::string detail);

class OutgoingQueue {
 public:
  /// `options` must outlive the queue.
  OutgoingQueue(const StreamOptions& options, wire::Ends ends) noexcept
      : options_(&options), ends_(ends) {}

  void push(const Envelope& envelope);
  void push(OutgoingMessage&& message);

  /// What there is, in order; `emptied` is used again. The caller hands all of it to a SendStream.
  /// From now on budgets run: what is sent is taken within a turn, and a clock read each would cost
  /// more than the rest of a small message.
  void take(Time now, std::vector<Outgoing>& emptied);
  /// The Interleaver of that SendStream is empty.
  void interleaved() noexcept {
    if (waiting_apart_ == 0) apart_ = false;
  }
  void clear() noexcept;

  const Held& held() const noexcept { return held_; }
  wire::Ends ends() const noexcept { return ends_; }
  /// What waits fills a frame.
  bool fills_frame() const noexcept {
    return held_.messages >= options_->frame_records ||
           (held_.bytes + held_.big_bytes) * 2 >= options_->frame_bytes;
  }

 private:
  const StreamOptions* options_;
  wire::Ends ends_;
  std::vector<Outgoing> queued_;
  Held held_;
  std::size_t waiting_apart_ = 0;  // of queued_
  bool apart_ = false;             // something is, or may be, in the Interleaver
};

}  // namespace coterie
