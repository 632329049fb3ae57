#pragma once
// The directory's messages as bytes, several in one envelope's payload. docs/wire.md, "Names kept
// by the members", is the layout. Decoding is bounded by the bytes present and answers nullopt on
// anything that does not fit. Values, any thread.

#include <optional>
#include <vector>

#include <coterie/bytes.hpp>

#include "registry/directory_messages.hpp"
#include "registry/record_codec.hpp"

namespace coterie::directory {

/// The type of the envelopes that carry them.
inline constexpr std::string_view envelope_type = "coterie.directory";

class MessageWriter {
 public:
  MessageWriter();
  void add(const Message& message);
  std::size_t bytes() const noexcept { return out_.size(); }
  Bytes take() { return out_.take(); }

 private:
  RecordWriter out_;
};

/// The messages of both, as one writer would have written them.
void append(Bytes& bytes, BytesView more);

std::optional<std::vector<Message>> decode(BytesView bytes);

}  // namespace coterie::directory
