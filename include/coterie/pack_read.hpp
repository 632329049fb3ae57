#pragma once
// Reading: MessagePack -> C++ value, bounded and checked. Part of pack.hpp, which includes it.

#include <algorithm>

#include <coterie/detail/give_way.hpp>
#include <coterie/pack_read_containers.hpp>

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
  const auto fits_size = [&](std::size_t size) {
    return !fixed || size == octets.size() ||
           unpacker.fail_at(offset, std::to_string(octets.size()) + " bytes", std::to_string(size));
  };
  if (unpacker.peek() == Unpacker::Type::array) {
    std::size_t count = 0;
    if (!unpacker.array(count) || !fits_size(count)) return false;
    if constexpr (!fixed) octets.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint8_t octet = 0;
      if (!unpack_integer(unpacker, octet)) return unpacker.inside(i);
      octets[i] = static_cast<typename Octets::value_type>(octet);
    }
    unpacker.leave();
    return true;
  }
  BytesView bytes;
  if (!unpacker.bytes(bytes) || !fits_size(bytes.size())) return false;
  const auto* const begin = reinterpret_cast<const typename Octets::value_type*>(bytes.data());
  if constexpr (fixed) {
    std::copy_n(begin, bytes.size(), octets.begin());
  } else {
    octets.clear();
    octets.reserve(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); i += portion_bytes) {
      if (i > 0) give_way();
      octets.insert(octets.end(), begin + i, begin + std::min(i + portion_bytes, bytes.size()));
    }
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
    if constexpr (std::same_as<T, Bytes>) {
      if (bytes.size() >= detail::portion_bytes) {
        value.clear();
        detail::append_much(value, bytes);
        return true;
      }
    }
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

}  // namespace coterie
