#pragma once
// The messages of the `voters` engine as bytes: one note from one node to another, carried by the
// links' control lane, which adds who sent it. docs/wire.md, "Notes of the agreement", is the
// layout. Decoding is bounded by the bytes present and answers nullopt on anything that does not
// fit. Plain functions, any thread.

#include <optional>
#include <variant>

#include <coterie/bytes.hpp>

#include "registry/voter_messages.hpp"

namespace coterie::voters {

struct AnswerTo {
  NodeId to = NodeId::none;
  Answer answer;
};
/// A chosen view, told to a member.
struct Told {
  ViewPtr view{};
};
using Note = std::variant<Renew, AnswerTo, Told, PeerMessage>;

Bytes encode(Note note);
std::optional<Note> decode(BytesView bytes);

}  // namespace coterie::voters
