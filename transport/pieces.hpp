#pragma once
// Big messages in pieces. Messages above whole_bytes_max(piece_bytes) are cut, and the pieces of
// different receivers take turns, so one that sends 1 GiB delays nobody else; what goes from the
// same sender to the same receiver keeps its order behind the big message. Pure; used by one
// thread.
//
// A lane holds what waits behind one big message: of one sender, for one pid. Two names, or a name
// and a pid, may be the same process: so a message to a name waits until it is alone, and what its
// sender sends after it waits behind it.

#include <cstdint>
#include <deque>
#include <expected>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "transport/outgoing.hpp"

namespace coterie {

/// What gets one sequence number: a whole envelope or one piece of it.
struct StreamRecord {
  Bytes bytes;
  Time deadline = Time::max();  // whole envelopes only: their budget is lowered at transmission
  std::size_t releases = 0;     // bytes of the message that is complete with this record
  bool piece = false;
};

class Interleaver {
 public:
  explicit Interleaver(std::size_t piece_bytes) noexcept : piece_bytes_(piece_bytes) {}

  void push(OutgoingMessage&& message);
  bool empty() const noexcept { return small_.empty() && lanes_.empty(); }
  /// Something small waits that is behind no big message.
  bool has_small() const noexcept { return !small_.empty(); }
  /// The next record in the order of transmission; there must be one. Without `pieces` something
  /// small, which there must be.
  StreamRecord pop(Time now, bool pieces = true);

 private:
  bool is_cut(const OutgoingMessage& message) const noexcept {
    return message.size() > whole_bytes_max(piece_bytes_);
  }
  struct Lane {
    Pid from;
    Target to;
    bool named = false;  // waits until it is its sender's only lane
    std::deque<OutgoingMessage> messages;
    std::size_t offset = 0;  // of the front message
    std::uint64_t message_id = 0;
    std::uint64_t after_small = 0;  // small messages that were queued before this lane was made
  };
  using Lanes = std::list<Lane>;

  void push_small(OutgoingMessage&& message);
  StreamRecord pop_small();
  Lane* lane_for(const OutgoingMessage& message);
  Lanes::iterator next_lane();
  StreamRecord pop_from(Lanes::iterator lane, Time now);

  std::size_t piece_bytes_;
  std::deque<OutgoingMessage> small_;
  Lanes lanes_;  // the front one is next
  std::unordered_map<Pid, std::vector<Lane*>> by_sender_;
  std::uint64_t last_message_id_ = 0;
  std::uint64_t small_pushed_ = 0;
  std::uint64_t small_popped_ = 0;
  unsigned small_in_row_ = 0;
};

/// What came in pieces: the first one, and what the others held.
struct Assembled {
  Bytes first, rest;
  std::size_t reserved = 0;  // the Assembler's: address space
};

/// Puts pieces together again. Memory is what has arrived, never what a piece announces; only
/// address space is set aside for that, up to the bound of what is held.
class Assembler {
 public:
  struct Limits {
    std::size_t message_bytes = 0;  // of one message
    std::size_t held_bytes = 0;     // of all incomplete ones
  };
  explicit Assembler(Limits limits) noexcept : limits_(limits) {}

  /// A complete envelope's bytes; nullopt: more pieces are to come; or what is wrong.
  std::expected<std::optional<Assembled>, std::string> add(BytesView record);
  std::size_t held_bytes() const noexcept { return held_bytes_; }
  static bool is_piece(BytesView record) noexcept;

 private:
  Limits limits_;
  std::map<std::uint64_t, Assembled> partial_;
  std::size_t held_bytes_ = 0;
  std::size_t reserved_bytes_ = 0;
};

}  // namespace coterie
