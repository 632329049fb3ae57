#pragma once
// Reading of containers and aggregates. Part of pack.hpp, which includes it.

#include <coterie/pack_types.hpp>

namespace coterie::detail {

/// Enters an array that must have exactly `size` elements.
inline bool enter_exactly(Unpacker& unpacker, std::size_t size) {
  const std::size_t offset = unpacker.offset();
  std::size_t count = 0;
  if (!unpacker.array(count)) return false;
  return count == size || unpacker.fail_at(offset, "an array of " + std::to_string(size),
                                           "an array of " + std::to_string(count));
}

/// [true, value] or {"$ok": value}; [false, error] or {"$error": error}.
inline bool enter_expected(Unpacker& unpacker, bool& good) {
  if (unpacker.peek() != Unpacker::Type::map) {
    if (!enter_exactly(unpacker, 2)) return false;
    return unpacker.boolean(good) || unpacker.inside(std::size_t{0});
  }
  const std::size_t offset = unpacker.offset();
  std::size_t count = 0;
  BytesView key;
  if (!unpacker.map(count)) return false;
  if (count == 1 && unpacker.peek() == Unpacker::Type::text && !unpacker.bytes(key)) return false;
  good = key == expected_value_key;
  return good || key == expected_error_key ||
         unpacker.fail_at(offset, "a map with the one key \"$ok\" or \"$error\"", "another map");
}

template <class T>
bool unpack_expected(Unpacker& unpacker, T& value) {
  using Value = typename T::value_type;
  using Error = typename T::error_type;
  bool good = false;
  if (!enter_expected(unpacker, good)) return false;
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
// skipped. Named: unknown names are skipped unless Limits say otherwise, missing ones leave their
// field as it is.
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
      if (!unpacker.skip_field(offset, name, field_names<T>)) return unpacker.inside(name);
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

}  // namespace coterie::detail
