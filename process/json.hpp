#pragma once
// Packed values as JSON text and back, for the command line and for dumps. Types are not needed:
// pack in Form::named, and field names become JSON's. Pure; any thread. Rules (docs/packing.md):
// integers are exact over the whole 64-bit range, beyond it they are refused; binary data, and text
// that is not UTF-8, is {"$base64": "AQI="}; NaN and infinities are {"$real": "nan" | "inf" |
// "-inf"}; integer keys of maps are their decimal text; extensions have no JSON form.

#include <expected>
#include <string>
#include <string_view>

#include <coterie/bytes.hpp>
#include <coterie/pack.hpp>

namespace coterie {

/// One packed value as one line of JSON. The bytes may come from anybody.
std::expected<std::string, UnpackError> json_from_packed(BytesView packed, Limits limits = {});

/// JSON text as a packed value. The error says line, column, what was expected and what was found.
std::expected<Bytes, std::string> packed_from_json(std::string_view json, Limits limits = {});

template <class T>
std::string to_json(const T& value) {
  return json_from_packed(pack(value, Form::named)).value();
}

}  // namespace coterie
