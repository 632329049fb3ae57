#pragma once
// Packing of messages: plain aggregates, standard containers and coterie's own values as
// MessagePack, without macros. Two forms of an aggregate, positional and named; unpack() reads
// either. Fields are only ever appended: missing ones keep their initialisers, unknown ones are
// skipped. Types that are not aggregates specialise Packing<T>, or include pack_msgpack.hpp.

#include <expected>
#include <type_traits>

#include <coterie/call_error.hpp>
#include <coterie/exit_reason.hpp>
#include <coterie/pack_read.hpp>
#include <coterie/pack_types.hpp>
#include <coterie/pack_write.hpp>
#include <coterie/packer.hpp>
#include <coterie/pid.hpp>

namespace coterie {

template <class T>
Bytes pack(const T& value, Form form = Form::positional) {
  Bytes bytes;
  Packer packer(bytes, form);
  pack(packer, value);
  return bytes;
}

/// The whole of `bytes` as one T; T = void expects nil, as std::monostate is packed.
template <class T>
std::expected<T, UnpackError> unpack(BytesView bytes, Limits limits = {}) {
  Unpacker unpacker(bytes, limits);
  if constexpr (std::is_void_v<T>) {
    if (unpacker.nil() && unpacker.finish()) return {};
  } else {
    T value = detail::blank<T>();
    if (unpack(unpacker, value) && unpacker.finish()) return value;
  }
  return std::unexpected(unpacker.error());
}

template <>
struct Packing<ExitReason> {
  static void pack(Packer& packer, const ExitReason& reason);
  static bool unpack(Unpacker& unpacker, ExitReason& reason);
};
template <>
struct Packing<CallError> {
  static void pack(Packer& packer, const CallError& error);
  static bool unpack(Unpacker& unpacker, CallError& error);
  static CallError blank() { return {CallError::Code::failed, CallError::Execution::unknown}; }
};

template <>
inline constexpr bool open_enum<NodeId> = true;
template <>
inline constexpr bool open_enum<Ref> = true;

}  // namespace coterie
