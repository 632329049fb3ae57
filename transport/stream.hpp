#pragma once
// The two ends of one direction of a session: records get sequence numbers 1, 2, 3, ..., the sender
// keeps them until they are acknowledged, the receiver takes them in order and drops repeats.
// Pure: no socket, clock or thread. Owned by a Link; one thread at a time.

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>

#include "transport/pieces.hpp"
#include "transport/wire.hpp"

namespace coterie {

class SendStream {
 public:
  explicit SendStream(const StreamOptions& options)
      : options_(&options), waiting_(options.piece_bytes) {}

  /// No room for some message: what is not yet acknowledged is at a bound.
  bool full() const noexcept {
    return !held_.has_room(*options_, false) || !held_.has_room(*options_, true);
  }
  /// No big message is under way, nor anything that waits behind one.
  bool interleaved() const noexcept { return waiting_.empty(); }
  const Held& held() const noexcept { return held_; }
  /// What an OutgoingQueue gave, in its order.
  void push(Outgoing&& outgoing);

  /// Everything up to `sequence` has arrived; false: that was never sent.
  bool acknowledge(std::uint64_t sequence);
  /// Transmit again from the first record that is not acknowledged, or some before it.
  void rewind() noexcept { cursor_ = 0; }
  /// The next frame, with as many records as it may hold; false: nothing to transmit.
  bool transmit(Time now, const wire::Position& position, Bytes& frame);

  std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  std::uint64_t transmitted() const noexcept { return transmitted_; }
  /// Something was transmitted and is not acknowledged.
  bool unacknowledged() const noexcept { return transmitted_ > acknowledged_; }
  bool idle() const noexcept { return units_.empty() && waiting_.empty(); }

 private:
  /// What is transmitted and kept as a whole: records with consecutive numbers.
  struct Unit {
    RecordBatch records;
    bool bare = false;         // one record without its head
    std::uint64_t last = 0;    // sequence number
    std::size_t messages = 0;  // that end with it
    std::size_t message_bytes = 0;
    bool cut = false;             // what ends with it travelled in pieces
    std::size_t piece_bytes = 0;  // it is a piece
  };
  bool pull(Time now);
  void keep(Unit&& unit);

  const StreamOptions* options_;
  Interleaver waiting_;
  std::deque<Unit> units_;  // the first one holds acknowledged_ + 1
  std::size_t units_records_ = 0, units_bytes_ = 0, units_piece_bytes_ = 0;
  std::size_t cursor_ = 0;          // index in units_ of the next one to transmit
  std::uint64_t last_ = 0;          // sequence number in units_, ever
  std::uint64_t acknowledged_ = 0;  // highest
  std::uint64_t transmitted_ = 0;   // highest ever
  Held held_;
};

class ReceiveStream {
 public:
  enum class Verdict : std::uint8_t { next, repeat, gap };

  explicit ReceiveStream(const StreamOptions& options)
      : assembler_({options.message_bytes_max,
                    options.message_bytes_max + options.window_bytes + options.piece_bytes}) {}

  /// Whether the record with this number is the next one; then it counts as received.
  Verdict take(std::uint64_t sequence) noexcept;
  /// For a record that was `next`: a whole envelope's bytes, or nullopt when pieces are missing.
  std::expected<std::optional<Assembled>, std::string> assemble(BytesView piece) {
    return assembler_.add(piece);
  }
  std::uint64_t received() const noexcept { return received_; }
  std::size_t held_bytes() const noexcept { return assembler_.held_bytes(); }

 private:
  std::uint64_t received_ = 0;
  Assembler assembler_;
};

}  // namespace coterie
