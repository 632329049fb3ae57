#pragma once
// Packing of messages: plain aggregates, standard containers and coterie's own values as
// MessagePack, without macros. Two forms of an aggregate, positional and named; unpack() reads
// either. Fields are only ever appended: missing ones keep their initialisers, unknown ones are
// skipped. Types that are not aggregates specialise Packing<T>, or include pack_msgpack.hpp.

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <coterie/call_error.hpp>
#include <coterie/exit_reason.hpp>
#include <coterie/packer.hpp>
#include <coterie/pid.hpp>
#include <coterie/reflect.hpp>
#include <coterie/time.hpp>

namespace coterie {

/// Specialise for a type with a representation of its own:
///   static void pack(Packer&, const T&);       // writes exactly one value
///   static bool unpack(Unpacker&, T&);         // false after a failed read or Unpacker::fail
///   static T blank();                          // only if T has no default constructor
template <class T>
struct Packing;

template <class T>
void pack(Packer& packer, const T& value);
template <class T>
bool unpack(Unpacker& unpacker, T& value);

template <class T>
Bytes pack(const T& value, Form form = Form::positional) {
  Bytes bytes;
  Packer packer(bytes, form);
  pack(packer, value);
  return bytes;
}

/// The whole of `bytes` as one T; T = void expects nil, as std::monostate is packed.
template <class T>
std::expected<T, UnpackError> unpack(BytesView bytes, Limits limits = {});

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

#include <coterie/pack_types.hpp>
