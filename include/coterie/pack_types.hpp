#pragma once
// What can be packed and how: the sorting of C++ types behind pack.hpp, which includes this.

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <coterie/packer.hpp>
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

}  // namespace coterie

namespace coterie::detail {

enum class Kind : std::uint8_t {
  none,  // cannot be packed
  hand,  // Packing<T>
  nil,
  boolean,
  integer,
  real,
  enumeration,
  text,
  binary,
  duration,
  wall_time,
  optional,
  expected,
  variant,
  tuple,
  array,
  sequence,
  set,
  map,
  aggregate,
};

template <class T>
concept HandPacked = requires(Packer& packer, Unpacker& unpacker, const T& from, T& to) {
  Packing<T>::pack(packer, from);
  { Packing<T>::unpack(unpacker, to) } -> std::same_as<bool>;
};

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;
template <class... A, template <class...> class Template>
inline constexpr bool is_a<Template<A...>, Template> = true;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;

template <class T>
concept Octet =
    std::same_as<T, std::byte> || std::same_as<T, unsigned char> || std::same_as<T, char>;

template <class T>
concept WholeDuration = is_a<T, std::chrono::duration> && std::signed_integral<typename T::rep>;

template <class T>
concept Container = requires(T& t) {
  typename T::value_type;
  t.begin();
  t.end();
  t.clear();
  { t.size() } -> std::convertible_to<std::size_t>;
};
template <class T>
concept MapLike = Container<T> && requires(T& t, typename T::key_type& key) {
  typename T::mapped_type;
  t.try_emplace(std::move(key));
};
template <class T>
concept SetLike = Container<T> && !MapLike<T> && requires(T & t, typename T::key_type& key) {
  { t.insert(std::move(key)).second } -> std::convertible_to<bool>;
};
template <class T>
concept SequenceLike = Container<T> && requires(T& t, typename T::value_type& value) {
  t.push_back(std::move(value));
};

template <class T>
consteval Kind kind_of() {
  if constexpr (!std::is_object_v<T> || std::is_const_v<T> || std::is_volatile_v<T>) {
    return Kind::none;
  } else if constexpr (HandPacked<T>) {
    return Kind::hand;
  } else if constexpr (std::same_as<T, std::monostate>) {
    return Kind::nil;
  } else if constexpr (std::same_as<T, bool>) {
    return Kind::boolean;
  } else if constexpr (std::integral<T> && sizeof(T) <= sizeof(std::int64_t)) {
    return Kind::integer;
  } else if constexpr (std::same_as<T, float> || std::same_as<T, double>) {
    return Kind::real;
  } else if constexpr (std::same_as<T, std::byte>) {
    return Kind::none;  // single bytes are integers; std::byte stands in arrays of them
  } else if constexpr (std::is_enum_v<T>) {
    return Kind::enumeration;
  } else if constexpr (std::same_as<T, std::string>) {
    return Kind::text;
  } else if constexpr (WholeDuration<T>) {
    return Kind::duration;
  } else if constexpr (std::same_as<T, WallTime>) {
    return Kind::wall_time;
  } else if constexpr (is_a<T, std::optional>) {
    return Kind::optional;
  } else if constexpr (is_a<T, std::expected>) {
    return Kind::expected;
  } else if constexpr (is_a<T, std::variant>) {
    return Kind::variant;
  } else if constexpr (is_a<T, std::pair> || is_a<T, std::tuple>) {
    return Kind::tuple;
  } else if constexpr (is_std_array<T>) {
    return Octet<typename T::value_type> ? Kind::binary : Kind::array;
  } else if constexpr (MapLike<T>) {
    return Kind::map;
  } else if constexpr (SetLike<T>) {
    return Kind::set;
  } else if constexpr (SequenceLike<T>) {
    return is_a<T, std::vector> && Octet<typename T::value_type> ? Kind::binary : Kind::sequence;
  } else if constexpr (std::is_aggregate_v<T> && std::is_class_v<T>) {
    return Kind::aggregate;
  } else {
    return Kind::none;
  }
}

template <class T>
inline constexpr Kind kind = kind_of<T>();

/// The only key of a std::expected in the named form.
inline constexpr std::string_view expected_value_key = "$ok";
inline constexpr std::string_view expected_error_key = "$error";

// Never defined. A call is an error that names the type, in one line: "use of ... before deduction
// of auto".
template <class Type>
auto type_cannot_be_packed__specialise_coterie_Packing_for_it();
template <class Aggregate, class Field>
auto field_cannot_be_packed__specialise_coterie_Packing_for_its_type();
template <class Type>
auto type_needs_a_default_constructor_or_Packing_blank();

// The innermost type within containers that cannot be packed, or void. Aggregates answer for
// themselves, when they are packed.
template <class... T>
struct FirstMisfit {
  using type = void;
};
template <class T>
struct Misfit {
  using type = std::conditional_t<kind<T> == Kind::none, T, void>;
};
template <class T, class... Rest>
struct FirstMisfit<T, Rest...> {
  using own = typename Misfit<T>::type;
  using type = std::conditional_t<std::is_void_v<own>, typename FirstMisfit<Rest...>::type, own>;
};
template <>
struct Misfit<void> : FirstMisfit<> {};  // std::expected<void, E>
template <class T>
struct Misfit<std::optional<T>> : Misfit<T> {};
template <class T>
struct Misfit<std::optional<std::optional<T>>> {  // nil could mean either
  using type = std::optional<std::optional<T>>;
};
template <>
struct Misfit<std::optional<std::monostate>> {
  using type = std::optional<std::monostate>;
};
template <class... T>
struct Misfit<std::expected<T...>> : FirstMisfit<T...> {};
template <class... T>
struct Misfit<std::variant<T...>> : FirstMisfit<T...> {};
template <class... T>
struct Misfit<std::pair<T...>> : FirstMisfit<T...> {};
template <class... T>
struct Misfit<std::tuple<T...>> : FirstMisfit<T...> {};
template <class T>
requires(kind<T> == Kind::array || kind<T> == Kind::sequence ||
         kind<T> == Kind::set) struct Misfit<T> : Misfit<typename T::value_type> {
};
template <class T>
requires(kind<T> == Kind::map) struct Misfit<T> {
  using Key = typename T::key_type;
  static constexpr bool good_key =
      kind<Key> == Kind::text || kind<Key> == Kind::integer || kind<Key> == Kind::enumeration;
  using type = std::conditional_t<good_key, typename Misfit<typename T::mapped_type>::type, T>;
};
template <class T>
inline constexpr bool fits = std::is_void_v<typename Misfit<T>::type>;

template <class T>
struct MisfitOfFields {
  template <class... Field>
  static auto of(const Field&...) -> FirstMisfit<Field...>;
  using type = typename decltype(apply_fields(
      std::declval<T&>(), [](auto&... field) { return decltype(of(field...)){}; }))::type;
};
template <class T>
inline constexpr bool fields_fit = std::is_void_v<typename MisfitOfFields<T>::type>;

// Functions of their own, so that reading and writing a type report it once.
template <class T>
void report_misfit() {
  (void)type_cannot_be_packed__specialise_coterie_Packing_for_it<T>();
}
template <class T>
void report_misfit_of_fields() {
  (void)field_cannot_be_packed__specialise_coterie_Packing_for_its_type<
      T, typename MisfitOfFields<T>::type>();
}

template <class T>
T blank() {
  if constexpr (requires { Packing<T>::blank(); }) {
    return Packing<T>::blank();
  } else if constexpr (std::default_initializable<T>) {
    return T{};
  } else {
    return type_needs_a_default_constructor_or_Packing_blank<T>();
  }
}

// Elements that may be reserved before they are read: memory follows the bytes, not the header.
template <class T>
constexpr std::size_t reservable(std::size_t count) {
  constexpr std::size_t most = 65'536 / sizeof(T) + 1;
  return count < most ? count : most;
}

}  // namespace coterie::detail
