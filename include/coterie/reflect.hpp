#pragma once
// Fields of plain aggregates and names of enumerators, without macros. The number of fields is the
// greatest number of initialisers that the aggregate takes; structured bindings give the fields;
// the compiler's spelling of a member's address, as a template argument, gives their names (the
// trick of glaze and reflect-cpp). At most 24 fields, no base classes, no arrays of C.

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coterie {

inline constexpr std::size_t fields_max = 24;

/// Specialise as true for an enum whose values need not be among its enumerators (flags, ids).
/// Enums whose enumerators do not follow each other from 0 or 1, that have fewer than two of them,
/// or no fixed underlying type are open anyway.
template <class E>
inline constexpr bool open_enum = false;

namespace detail {

// Stands for any initialiser. Owner is excluded, so that {x} never means a copy.
template <class Owner>
struct AnyInitialiser {
  template <class Field>
  requires(!std::same_as<Field, Owner>) operator Field()
      const noexcept;  // NOLINT(google-explicit-constructor): that is its purpose
};
template <class Owner>
struct BaseInitialiser {
  template <class Base>
  requires(!std::same_as<Base, Owner> && std::is_base_of_v<Base, Owner>) operator Base()
      const noexcept;  // NOLINT(google-explicit-constructor)
};

template <class T, std::size_t... I>
consteval bool takes_initialisers(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), AnyInitialiser<T>{})...}; };
}
template <class T>
concept HasBase = requires {
  T{BaseInitialiser<T>{}};
};

// Ascends, because messages are small: the last count that works before the first that does not.
template <class T, std::size_t N = 0, bool Seen = false>
consteval std::size_t count_fields() {
  if constexpr (N > fields_max + 1) {
    return N;
  } else if constexpr (takes_initialisers<T>(std::make_index_sequence<N>{})) {
    return count_fields<T, N + 1, true>();
  } else {
    if constexpr (Seen) return N - 1;
    return count_fields<T, N + 1, false>();
  }
}

template <class T>
consteval std::size_t checked_field_count() {
  static_assert(std::is_aggregate_v<T> && std::is_class_v<T>,
                "only plain aggregates have fields: no constructors, no private members");
  static_assert(!HasBase<T>, "a message has no base class: make the base its first field");
  if constexpr (!HasBase<T>) {
    constexpr std::size_t count = count_fields<T>();
    static_assert(count <= fields_max, "more than 24 fields: group some of them in a struct");
    if constexpr (count <= fields_max) return count;
  }
  return 0;  // one error is enough
}

}  // namespace detail

template <class T>
inline constexpr std::size_t field_count = detail::checked_field_count<std::remove_const_t<T>>();

/// Calls f(field1, field2, ...) with references to all fields of `v`, const if `v` is.
// clang-format off
template <class T, class F>
constexpr decltype(auto) apply_fields(T& v, F&& f) {
  constexpr std::size_t n = field_count<T>;
  if constexpr (n == 0) { return f(); }
  else if constexpr (n == 1) { auto& [a] = v; return f(a); }
  else if constexpr (n == 2) { auto& [a, b] = v; return f(a, b); }
  else if constexpr (n == 3) { auto& [a, b, c] = v; return f(a, b, c); }
  else if constexpr (n == 4) { auto& [a, b, c, d] = v; return f(a, b, c, d); }
  else if constexpr (n == 5) { auto& [a, b, c, d, e] = v; return f(a, b, c, d, e); }
  else if constexpr (n == 6) { auto& [a, b, c, d, e, g] = v; return f(a, b, c, d, e, g); }
  else if constexpr (n == 7) { auto& [a, b, c, d, e, g, h] = v; return f(a, b, c, d, e, g, h); }
  else if constexpr (n == 8) { auto& [a, b, c, d, e, g, h, i] = v; return f(a, b, c, d, e, g, h, i); }
  else if constexpr (n == 9) { auto& [a, b, c, d, e, g, h, i, j] = v; return f(a, b, c, d, e, g, h, i, j); }
  else if constexpr (n == 10) { auto& [a, b, c, d, e, g, h, i, j, k] = v; return f(a, b, c, d, e, g, h, i, j, k); }
  else if constexpr (n == 11) { auto& [a, b, c, d, e, g, h, i, j, k, l] = v; return f(a, b, c, d, e, g, h, i, j, k, l); }
  else if constexpr (n == 12) { auto& [a, b, c, d, e, g, h, i, j, k, l, m] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m); }
  else if constexpr (n == 13) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o); }
  else if constexpr (n == 14) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p); }
  else if constexpr (n == 15) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q); }
  else if constexpr (n == 16) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r); }
  else if constexpr (n == 17) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s); }
  else if constexpr (n == 18) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t); }
  else if constexpr (n == 19) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u); }
  else if constexpr (n == 20) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w); }
  else if constexpr (n == 21) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w, x] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w, x); }
  else if constexpr (n == 22) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w, x, y] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w, x, y); }
  else if constexpr (n == 23) { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w, x, y, z] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w, x, y, z); }
  else { auto& [a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w, x, y, z, z2] = v; return f(a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, w, x, y, z, z2); }
}
// clang-format on

namespace detail {

// Room for a T that is never made: only addresses of its members are taken, at compile time. A
// union, not an extern T: that could not be declared for a type that is local to a function.
template <class T>
union Unmade {
  constexpr Unmade() noexcept : nothing() {}
  constexpr ~Unmade() {}
  char nothing;
  const T object;
};
template <class T>
inline constexpr Unmade<T> unmade{};

template <class T, std::size_t I>
consteval auto address_of_field() {
  return apply_fields(unmade<T>.object, [](const auto&... fields) {
    return std::get<I>(std::tuple<decltype(&fields)...>(&fields...));
  });
}

consteval bool is_identifier(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/// The identifier that ends at `end`.
consteval std::string_view identifier_before(std::string_view text, std::size_t end) {
  std::size_t begin = end;
  while (begin > 0 && is_identifier(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

// Spelt "... [with auto Address = (& unmade<T>.Unmade<T>::object.T::field)]", or by clang
// "... [Address = &unmade.object.field]".
template <auto Address>
consteval const char* spell_address() {
  return __PRETTY_FUNCTION__;
}
template <auto Address>
consteval std::string_view field_name() {
  constexpr std::string_view spelling = spell_address<Address>();
  const std::size_t end = spelling.size() - 1;
  return identifier_before(spelling, spelling[end - 1] == ')' ? end - 1 : end);
}

template <class T, std::size_t... I>
consteval auto names_of_fields(std::index_sequence<I...>) {
  return std::array<std::string_view, sizeof...(I)>{field_name<address_of_field<T, I>()>()...};
}

struct EnumeratorNames {
  std::int64_t first = 0;
  std::size_t count = 0;  // 0: open, has only numbers
  std::array<std::string_view, 64> names{};
};

// Spelt "... [with E = Color; E ...Values = {Color::red, Color::green, (Color)2}]".
template <class E, E... Values>
consteval const char* spell_enumerators() {
  return __PRETTY_FUNCTION__;
}

// Cuts the list behind `marker` at its top-level commas; an item that is a cast has no name.
template <std::size_t N>
consteval std::array<std::string_view, N> split_enumerators(std::string_view spelling) {
  constexpr std::string_view marker = "Values = {";
  std::array<std::string_view, N> names{};
  std::size_t at = spelling.rfind(marker) + marker.size();
  for (std::size_t i = 0; i < N; ++i) {
    const bool named =
        spelling[at] != '(' && spelling[at] != '-' && !(spelling[at] >= '0' && spelling[at] <= '9');
    int depth = 0;
    while (depth > 0 || (spelling[at] != ',' && spelling[at] != '}')) {
      if (spelling[at] == '(' || spelling[at] == '<' || spelling[at] == '{') ++depth;
      if (spelling[at] == ')' || spelling[at] == '>' || spelling[at] == '}') --depth;
      ++at;
    }
    if (named) names[i] = identifier_before(spelling, at);
    at += 2;
  }
  return names;
}

template <class E, std::int64_t From, std::size_t... I>
consteval auto spell_range(std::index_sequence<I...>) {
  return split_enumerators<sizeof...(I)>(
      spell_enumerators<E, static_cast<E>(From + static_cast<std::int64_t>(I))...>());
}

template <class E>
consteval EnumeratorNames enumerator_names() {
  EnumeratorNames result;
  // Only a fixed underlying type makes every value of the scan a valid one.
  if constexpr (!open_enum<E> && requires { E{0}; }) {
    using Number = std::underlying_type_t<E>;
    if constexpr (!std::same_as<Number, bool>) {
      constexpr std::int64_t from = std::is_signed_v<Number> ? -8 : 0;
      constexpr auto seen = spell_range<E, from>(std::make_index_sequence<64 - from>{});
      constexpr std::size_t zero = static_cast<std::size_t>(-from);
      constexpr std::size_t first = seen[zero].empty() ? zero + 1 : zero;
      std::size_t end = first;
      while (end < seen.size() && !seen[end].empty()) ++end;
      for (std::size_t i = 0; i < seen.size(); ++i) {
        if (!seen[i].empty() && (i < first || i >= end)) return {};
      }
      if (end < first + 2 || end == seen.size()) return {};
      result.first = static_cast<std::int64_t>(first) + from;
      result.count = end - first;
      for (std::size_t i = first; i < end; ++i) result.names[i - first] = seen[i];
    }
  }
  return result;
}

template <class E>
inline constexpr EnumeratorNames enumerators = enumerator_names<E>();

}  // namespace detail

/// The names of an aggregate's fields in their order.
template <class T>
inline constexpr auto field_names =
    detail::names_of_fields<std::remove_const_t<T>>(std::make_index_sequence<field_count<T>>{});

/// The enumerator's name, or empty if the enum is open or the value is none of its enumerators.
template <class E>
requires std::is_enum_v<E>
constexpr std::string_view enum_name(E value) noexcept {
  const auto& known = detail::enumerators<E>;
  const auto number = static_cast<std::int64_t>(value) - known.first;
  if (number < 0 || static_cast<std::uint64_t>(number) >= known.count) return {};
  return known.names[static_cast<std::size_t>(number)];
}

template <class E>
requires std::is_enum_v<E>
constexpr std::optional<E> enum_value(std::string_view name) noexcept {
  const auto& known = detail::enumerators<E>;
  for (std::size_t i = 0; i < known.count; ++i) {
    if (known.names[i] == name) return static_cast<E>(known.first + static_cast<std::int64_t>(i));
  }
  return std::nullopt;
}

}  // namespace coterie
