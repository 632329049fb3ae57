#pragma once
// Reading: MessagePack -> C++ value, bounded and checked. Part of pack.hpp, which includes it.

#include <coterie/pack_types.hpp>

namespace coterie {
namespace detail {

/// The beginning of a text, printable, for an error message.
std::string quoted(BytesView bytes);

template <class T>
bool unpack_integer(Unpacker& unpacker, T& value) {
  using Range = std::numeric_limits<T>;
  if constexpr (std::is_signed_v<T>) {
    std::int64_t number = 0;
    if (!unpacker.integer(number, Range::min(), Range::max())) return false;
    value = static_cast<T>(number);
  } else {
    std::uint64_t number = 0;
    if (!unpacker.unsigned_integer(number, Range::max())) return false;
    value = static_cast<T>(number);
  }
  return true;
}

template <class E>
std::string enum_names_text() {
  constexpr std::size_t listed_max = 16;
  std::string text = "one of";
  for (std::size_t i = 0; i < enumerators<E>.count && i < listed_max; ++i) {
    text += i == 0 ? " " : ", ";
    text += enumerators<E>.names[i];
  }
  return text;
}

// A number or a name; of an enum with known enumerators only those, so that switches over it stay
// exhaustive.
template <class E>
bool unpack_enum(Unpacker& unpacker, E& value) {
  const std::size_t offset = unpacker.offset();
  if constexpr (enumerators<E>.count > 0) {
    if (unpacker.peek() == Unpacker::Type::text) {
      BytesView name;
      if (!unpacker.bytes(name)) return false;
      const std::optional<E> found = enum_value<E>(name);
      if (!found) return unpacker.fail_at(offset, enum_names_text<E>(), quoted(name));
      value = *found;
      return true;
    }
  }
  std::underlying_type_t<E> number{};
  if (!unpack_integer(unpacker, number)) return false;
  value = static_cast<E>(number);
  if constexpr (enumerators<E>.count > 0) {
    if (enum_name(value).empty()) {
      return unpacker.fail_at(offset, enum_names_text<E>(), std::to_string(number));
    }
  }
  return true;
}

template <class T>
bool unpack_real(Unpacker& unpacker, T& value) {
  const std::size_t offset = unpacker.offset();
  double number = 0;
  if (!unpacker.real(number)) return false;
  if constexpr (std::same_as<T, float>) {
    constexpr double largest = std::numeric_limits<float>::max();
    const bool finite = number - number == 0;  // neither infinite nor NaN
    if (finite && (number > largest || number < -largest)) {
      return unpacker.fail_at(offset, "a number in the range of float", std::to_string(number));
    }
  }
  value = static_cast<T>(number);
  return true;
}

// Binary data, text, or an array of numbers, as JSON writes it.
template <class Octets>
bool unpack_octets(Unpacker& unpacker, Octets& octets) {
  constexpr bool fixed = is_std_array<Octets>;
  const std::size_t offset = unpacker.offset();
  const auto prepare = [&](std::size_t size) {
    if constexpr (fixed) {
      return size == octets.size() ||
             unpacker.fail_at(offset, std::to_string(octets.size()) + " bytes",
                              std::to_string(size));
    } else {
      octets.resize(size);
      return true;
    }
  };
  if (unpacker.peek() == Unpacker::Type::array) {
    std::size_t count = 0;
    if (!unpacker.array(count) || !prepare(count)) return false;
    for (std::size_t i = 0; i < count; ++i) {
      std::uint8_t octet = 0;
      if (!unpack_integer(unpacker, octet)) return unpacker.inside(i);
      octets[i] = static_cast<typename Octets::value_type>(octet);
    }
    unpacker.leave();
    return true;
  }
  BytesView bytes;
  if (!unpacker.bytes(bytes) || !prepare(bytes.size())) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    octets[i] = static_cast<typename Octets::value_type>(bytes[i]);
  }
  return true;
}

template <class T>
bool unpack_duration(Unpacker& unpacker, T& value) {
  using Range = std::numeric_limits<std::int64_t>;
  using Rep = typename T::rep;
  const std::size_t offset = unpacker.offset();
  std::int64_t count = 0;
  if (!unpacker.integer(count, Range::min(), Range::max())) return false;
  if (count == Range::max()) {
    value = T::max();
  } else if (count == Range::min()) {
    value = T::min();
  } else if (!std::in_range<Rep>(count)) {
    return unpacker.fail_at(offset, "a duration within its type's range", std::to_string(count));
  } else {
    value = T(static_cast<Rep>(count));
  }
  return true;
}

/// Enters an array that must have exactly `size` elements.
inline bool enter_exactly(Unpacker& unpacker, std::size_t size) {
  const std::size_t offset = unpacker.offset();
  std::size_t count = 0;
  if (!unpacker.array(count)) return false;
  return count == size || unpacker.fail_at(offset, "an array of " + std::to_string(size),
                                           "an array of " + std::to_string(count));
}

template <class T>
bool unpack_expected(Unpacker& unpacker, T& value) {
  using Value = typename T::value_type;
  using Error = typename T::error_type;
  bool good = false;
  if (!enter_exactly(unpacker, 2)) return false;
  if (!unpacker.boolean(good)) return unpacker.inside(std::size_t{0});
  if (!good) {
    Error error = blank<Error>();
    if (!unpack(unpacker, error)) return unpacker.inside("error");
    value = std::unexpected(std::move(error));
  } else if constexpr (std::is_void_v<Value>) {
    if (!unpacker.nil()) return unpacker.inside("value");
    value = T{};
  } else {
    Value held = blank<Value>();
    if (!unpack(unpacker, held)) return unpacker.inside("value");
    value = std::move(held);
  }
  unpacker.leave();
  return true;
}

template <std::size_t I, class T>
bool unpack_alternative(Unpacker& unpacker, T& value) {
  auto held = blank<std::variant_alternative_t<I, T>>();
  if (!unpack(unpacker, held)) return false;
  value.template emplace<I>(std::move(held));
  return true;
}

template <class T>
bool unpack_variant(Unpacker& unpacker, T& value) {
  constexpr std::size_t size = std::variant_size_v<T>;
  std::uint64_t index = 0;
  if (!enter_exactly(unpacker, 2)) return false;
  if (!unpacker.unsigned_integer(index, size - 1)) return unpacker.inside(std::size_t{0});
  const bool good = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((index == I && unpack_alternative<I>(unpacker, value)) || ...);
  }
  (std::make_index_sequence<size>{});
  if (!good) return unpacker.inside(std::size_t{1});
  unpacker.leave();
  return true;
}

template <class T>
bool unpack_tuple(Unpacker& unpacker, T& value) {
  if (!enter_exactly(unpacker, std::tuple_size_v<T>)) return false;
  std::size_t index = 0;
  const bool good = std::apply(
      [&](auto&... held) {
        return ((unpack(unpacker, held) ? (++index, true) : unpacker.inside(index)) && ...);
      },
      value);
  if (good) unpacker.leave();
  return good;
}

template <class T>
bool unpack_sequence(Unpacker& unpacker, T& value) {
  using Element = typename T::value_type;
  std::size_t count = 0;
  value.clear();
  if (!unpacker.array(count)) return false;
  if constexpr (requires { value.reserve(count); }) value.reserve(reservable<Element>(count));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t offset = unpacker.offset();
    Element element = blank<Element>();
    if (!unpack(unpacker, element)) return unpacker.inside(i);
    if constexpr (kind<T> == Kind::set) {
      if (!value.insert(std::move(element)).second) {
        unpacker.fail_at(offset, "each element of a set once", "a repeated one");
        return unpacker.inside(i);
      }
    } else {
      value.push_back(std::move(element));
    }
  }
  unpacker.leave();
  return true;
}

/// A number, which JSON can only write as text, as the key of a map.
bool unpack_key_text(Unpacker& unpacker, std::int64_t& value);
bool unpack_key_text(Unpacker& unpacker, std::uint64_t& value);

template <class Key>
bool unpack_key(Unpacker& unpacker, Key& key) {
  if constexpr (kind<Key> == Kind::integer) {
    if (unpacker.peek() == Unpacker::Type::text) {
      const std::size_t offset = unpacker.offset();
      std::conditional_t<std::is_signed_v<Key>, std::int64_t, std::uint64_t> number = 0;
      if (!unpack_key_text(unpacker, number)) return false;
      if (!std::in_range<Key>(number)) {
        return unpacker.fail_at(offset, "a key within its type's range", std::to_string(number));
      }
      key = static_cast<Key>(number);
      return true;
    }
  }
  return unpack(unpacker, key);
}

template <class T>
bool unpack_map(Unpacker& unpacker, T& value) {
  using Key = typename T::key_type;
  using Mapped = typename T::mapped_type;
  std::size_t count = 0;
  value.clear();
  if (!unpacker.map(count)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t offset = unpacker.offset();
    Key key{};
    if (!unpack_key(unpacker, key)) return unpacker.inside(i);
    auto [place, added] = value.try_emplace(std::move(key), blank<Mapped>());
    if (!added) {
      unpacker.fail_at(offset, "each key of a map once", "a repeated one");
      return unpacker.inside(i);
    }
    if (!unpack(unpacker, place->second)) return unpacker.inside(i);
  }
  unpacker.leave();
  return true;
}

// Positional: fewer elements than fields leave the last fields as they are, further ones are
// skipped. Named: unknown names are skipped, missing ones leave their field as it is.
template <class T>
bool unpack_fields_in_order(Unpacker& unpacker, T& value) {
  std::size_t count = 0;
  if (!unpacker.array(count)) return false;
  std::size_t index = 0;
  const bool good = apply_fields(value, [&](auto&... fields) {
    return (
        (index >= count ||
         (unpack(unpacker, fields) ? (++index, true) : unpacker.inside(field_names<T>[index]))) &&
        ...);
  });
  if (!good) return false;
  for (; index < count; ++index) {
    if (!unpacker.skip()) return unpacker.inside(index);
  }
  unpacker.leave();
  return true;
}

template <class T>
bool unpack_fields_by_name(Unpacker& unpacker, T& value) {
  std::size_t count = 0;
  if (!unpacker.map(count)) return false;
  std::uint32_t seen = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t offset = unpacker.offset();
    BytesView name;
    if (!unpacker.bytes(name)) return unpacker.inside(i);
    std::size_t index = 0;
    while (index < field_count<T> && field_names<T>[index] != name) ++index;
    if (index == field_count<T>) {
      if (!unpacker.skip()) return unpacker.inside(i);
      continue;
    }
    if ((seen >> index & 1u) != 0) {
      unpacker.fail_at(offset, "each field once", "it repeated");
      return unpacker.inside(name);
    }
    seen |= 1u << index;
    std::size_t at = 0;
    const bool good = apply_fields(value, [&](auto&... fields) {
      return ((at++ != index || unpack(unpacker, fields)) && ...);
    });
    if (!good) return unpacker.inside(name);
  }
  unpacker.leave();
  return true;
}

template <class T>
bool unpack_aggregate(Unpacker& unpacker, T& value) {
  if constexpr (!fields_fit<T>) {
    report_misfit_of_fields<T>();
    return false;
  } else {
    switch (unpacker.peek()) {
      case Unpacker::Type::array:
        return unpack_fields_in_order(unpacker, value);
      case Unpacker::Type::map:
        return unpack_fields_by_name(unpacker, value);
      case Unpacker::Type::nil:
        if constexpr (field_count<T> == 0) return unpacker.nil();
        [[fallthrough]];
      default:
        return unpacker.fail("an array or a map of fields");
    }
  }
}

}  // namespace detail

template <class T>
bool unpack(Unpacker& unpacker, T& value) {
  using detail::Kind;
  constexpr Kind k = detail::kind<T>;
  if constexpr (!detail::fits<T>) {
    detail::report_misfit<typename detail::Misfit<T>::type>();
    return false;
  } else if constexpr (k == Kind::hand) {
    return Packing<T>::unpack(unpacker, value);
  } else if constexpr (k == Kind::nil) {
    return unpacker.nil();
  } else if constexpr (k == Kind::boolean) {
    return unpacker.boolean(value);
  } else if constexpr (k == Kind::integer) {
    return detail::unpack_integer(unpacker, value);
  } else if constexpr (k == Kind::real) {
    return detail::unpack_real(unpacker, value);
  } else if constexpr (k == Kind::enumeration) {
    return detail::unpack_enum(unpacker, value);
  } else if constexpr (k == Kind::text) {
    BytesView bytes;
    if (!unpacker.bytes(bytes)) return false;
    value.assign(bytes);
    return true;
  } else if constexpr (k == Kind::binary) {
    return detail::unpack_octets(unpacker, value);
  } else if constexpr (k == Kind::duration) {
    return detail::unpack_duration(unpacker, value);
  } else if constexpr (k == Kind::wall_time) {
    std::chrono::milliseconds since{};
    if (!detail::unpack_duration(unpacker, since)) return false;
    value = WallTime(since);
    return true;
  } else if constexpr (k == Kind::optional) {
    if (unpacker.peek() == Unpacker::Type::nil) {
      value.reset();
      return unpacker.nil();
    }
    return unpack(unpacker, value.emplace(detail::blank<typename T::value_type>()));
  } else if constexpr (k == Kind::expected) {
    return detail::unpack_expected(unpacker, value);
  } else if constexpr (k == Kind::variant) {
    return detail::unpack_variant(unpacker, value);
  } else if constexpr (k == Kind::tuple) {
    return detail::unpack_tuple(unpacker, value);
  } else if constexpr (k == Kind::array) {
    if (!detail::enter_exactly(unpacker, value.size())) return false;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!unpack(unpacker, value[i])) return unpacker.inside(i);
    }
    unpacker.leave();
    return true;
  } else if constexpr (k == Kind::map) {
    return detail::unpack_map(unpacker, value);
  } else if constexpr (k == Kind::sequence || k == Kind::set) {
    return detail::unpack_sequence(unpacker, value);
  } else {
    return detail::unpack_aggregate(unpacker, value);
  }
}

template <class T>
std::expected<T, UnpackError> unpack(BytesView bytes, Limits limits) {
  Unpacker unpacker(bytes, limits);
  if constexpr (std::is_void_v<T>) {
    if (unpacker.nil() && unpacker.finish()) return {};
  } else {
    T value = detail::blank<T>();
    if (unpack(unpacker, value) && unpacker.finish()) return value;
  }
  return std::unexpected(unpacker.error());
}

}  // namespace coterie
