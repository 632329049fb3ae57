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
/// The same without the payload's own bytes, which follow behind the others. False: it is not the
/// last of the fields.
bool encode_envelope_before(const Envelope& envelope, Ends ends, Bytes& bytes);
/// No more than these; within 200 of them, unless integers are small.
std::size_t envelope_bytes_max(const Envelope& envelope) noexcept;

/// Envelopes up to this size are records with a head of 3 bytes.
inline constexpr std::size_t record_small = 0xffff;
/// Appends `envelope`, of at most record_small bytes, as a record: a binary with a 16-bit size.
/// `bytes_max` is envelope_bytes_max(envelope). Returns where the envelope begins.
std::size_t append_record(Bytes& bytes, const Envelope& envelope, Ends ends, std::size_t bytes_max);

/// Anything malformed is an error text for the log; nothing is ever guessed. A pid in `from` whose
/// node is not the sender's is refused here.
std::expected<Envelope, std::string> decode_envelope(BytesView bytes, Ends ends);
/// The same into a new Envelope; after an error it is unspecified.
std::expected<void, std::string> decode_envelope(BytesView bytes, Ends ends, Envelope& into);
/// The same of an envelope in two parts. If the second one is the payload, it is not copied.
std::expected<void, std::string> decode_envelope(Bytes&& first, Bytes&& rest, Ends ends,
                                                 Envelope& into);

/// Whether the bytes of encode_envelope carry a deadline.
bool has_budget(BytesView envelope) noexcept;
/// Rewrites the budget of such bytes, which begin at `begin`, rounded up to a microsecond and never
/// below 0.
void set_budget(Bytes& bytes, std::size_t begin, Duration budget) noexcept;

}  // namespace coterie::wire
