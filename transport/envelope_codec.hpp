#pragma once
// One Envelope as bytes, and back. The bytes are a MessagePack array
//   [signal, mask, (budget_us), ... the fields whose bit is set in mask, in the order of the bits]
// so that a cast costs some 12 bytes besides type and payload. docs/wire.md specifies the fields.
// The budget of a deadline is always at the same offset: the sender lowers it by the time that
// the record waited before each transmission, and never sends a wall time.

#include <expected>
#include <string>

#include "process/envelope.hpp"

namespace coterie::wire {

/// Pids of these two nodes travel without their node's 8 bytes.
struct Ends {
  NodeId sender = NodeId::none;
  NodeId receiver = NodeId::none;
};

Bytes encode_envelope(const Envelope& envelope, Ends ends);

/// Anything malformed is an error text for the log; nothing is ever guessed. A pid in `from` whose
/// node is not the sender's is refused here.
std::expected<Envelope, std::string> decode_envelope(BytesView bytes, Ends ends);

/// Whether the bytes of encode_envelope carry a deadline.
bool has_budget(BytesView envelope) noexcept;
/// Rewrites the budget of such bytes, rounded up to a microsecond and never below 0.
void set_budget(Bytes& envelope, Duration budget) noexcept;

}  // namespace coterie::wire
