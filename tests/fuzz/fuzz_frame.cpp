// Any bytes as a frame: an error or a value that is written and read again as it was. Input: the
// frame.

#include <cstdint>

#include "tests/fuzz/require.hpp"
#include "transport/wire.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace coterie;
  const BytesView bytes(reinterpret_cast<const char*>(data), size);
  const auto frame = wire::decode(bytes);
  if (!frame) {
    fuzz::require(!frame.error().empty(), "a refusal says why");
    return 0;
  }
  const auto again = [](const wire::Frame& any) {
    return std::visit([](const auto& held) { return wire::encode(held); }, any);
  };
  const Bytes written = again(*frame);
  // Integers may have come in a longer form, and fields of a later version are left out.
  const auto back = wire::decode(written);
  fuzz::require(back.has_value(), "what was decoded can be encoded");
  fuzz::require(again(*back) == written, "a frame is written in one form only");
  return 0;
}
