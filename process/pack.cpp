#include <charconv>

#include <coterie/pack.hpp>

namespace coterie {
namespace {

// What an ExitReason and a CallError look like on the wire.
struct PackedReason {
  ExitReason::Kind kind = ExitReason::Kind::normal;
  std::string term;
  std::string what;
  std::string trace;
  bool confirmed = false;
};
struct PackedCallError {
  CallError::Code code = CallError::Code::failed;
  CallError::Execution execution = CallError::Execution::unknown;
  ExitReason reason;
  std::string detail;
};

template <class Number>
bool number_of_key(Unpacker& unpacker, Number& value) {
  const std::size_t offset = unpacker.offset();
  BytesView text;
  if (!unpacker.bytes(text)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return (error == std::errc{} && end == text.data() + text.size()) ||
         unpacker.fail_at(offset, "an integer as the key", "other text");
}

}  // namespace

bool detail::unpack_key_text(Unpacker& unpacker, std::int64_t& value) {
  return number_of_key(unpacker, value);
}
bool detail::unpack_key_text(Unpacker& unpacker, std::uint64_t& value) {
  return number_of_key(unpacker, value);
}

void Packing<ExitReason>::pack(Packer& packer, const ExitReason& reason) {
  coterie::pack(packer, PackedReason{reason.kind(), reason.term(), reason.what(), reason.trace(),
                                     reason.confirmed()});
}
bool Packing<ExitReason>::unpack(Unpacker& unpacker, ExitReason& reason) {
  PackedReason packed;
  if (!coterie::unpack(unpacker, packed)) return false;
  reason = ExitReason::make(packed.kind, std::move(packed.term), std::move(packed.what),
                            std::move(packed.trace), packed.confirmed);
  return true;
}

void Packing<CallError>::pack(Packer& packer, const CallError& error) {
  coterie::pack(packer,
                PackedCallError{error.code(), error.execution(), error.reason(), error.detail()});
}
bool Packing<CallError>::unpack(Unpacker& unpacker, CallError& error) {
  PackedCallError packed;
  if (!coterie::unpack(unpacker, packed)) return false;
  error = {packed.code, packed.execution, std::move(packed.reason), std::move(packed.detail)};
  return true;
}

}  // namespace coterie
