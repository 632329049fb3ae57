// Any bytes as what a session carries: an envelope, a piece of one, a packed message, JSON. Each is
// an error or a value that is written again as it was. Input: the bytes, read as each of them.

#include <cstdint>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "process/json.hpp"
#include "tests/fuzz/require.hpp"
#include "transport/envelope_codec.hpp"
#include "transport/pieces.hpp"

namespace coterie {
namespace {

enum class Colour : std::uint8_t { red, green, blue };
struct Inner {
  std::string text;
  std::optional<std::int32_t> number;
};
struct Message {
  std::int64_t id = 0;
  std::string name;
  std::vector<Inner> inner;
  std::map<std::string, double> weights;
  std::variant<std::monostate, std::uint8_t, Inner> any;
  Colour colour = Colour::red;
  std::vector<Message> children;
};

void envelope(BytesView bytes) {
  constexpr wire::Ends ends{NodeId{1}, NodeId{2}};
  const auto read = wire::decode_envelope(bytes, ends);
  if (!read) return;
  const Bytes written = wire::encode_envelope(*read, ends);
  const auto back = wire::decode_envelope(written, ends);
  fuzz::require(back.has_value(), "an envelope that was decoded can be encoded");
  fuzz::require(wire::encode_envelope(*back, ends) == written, "an envelope has one form");
}

void pieces(BytesView bytes) {
  constexpr std::size_t held_max = 4096;
  Assembler assembler({2048, held_max});
  // The same piece again and cut shorter: what a peer that lies would send.
  for (const std::size_t size : {bytes.size(), bytes.size() / 2, bytes.size()}) {
    (void)assembler.add(bytes.substr(0, size));
    fuzz::require(assembler.held_bytes() <= held_max, "pieces held have a bound");
  }
}

void packed(BytesView bytes) {
  if (const auto message = unpack<Message>(bytes)) {
    for (const Form form : {Form::positional, Form::named}) {
      const Bytes written = pack(*message, form);
      const auto back = unpack<Message>(written);
      fuzz::require(back.has_value(), "a message that was unpacked can be packed");
      fuzz::require(pack(*back, form) == written, "a message has one form");
    }
  }
  if (const auto json = json_from_packed(bytes)) {
    fuzz::require(packed_from_json(*json).has_value(), "the JSON of a value can be read");
  }
}

void json(std::string_view text) {
  const auto read = packed_from_json(text);
  if (!read) return;
  const auto written = json_from_packed(*read);
  fuzz::require(written.has_value(), "what JSON was read as has a JSON form");
}

}  // namespace
}  // namespace coterie

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const coterie::BytesView bytes(reinterpret_cast<const char*>(data), size);
  coterie::envelope(bytes);
  coterie::pieces(bytes);
  coterie::packed(bytes);
  coterie::json(bytes);
  return 0;
}
