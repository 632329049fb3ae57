#pragma once
// Whether a type can be packed at all, asked without an error: messages that never leave their node
// need not be packable, and only find out when they would.

#include <tuple>
#include <type_traits>

#include <coterie/pack.hpp>

namespace coterie::detail {

template <class T>
consteval bool packable();

template <class... Ts>
consteval bool all_packable(std::type_identity<std::tuple<Ts...>>) {
  return (packable<std::remove_cvref_t<Ts>>() && ...);
}

template <class T>
using FieldTypes = decltype(apply_fields(std::declval<T&>(), [](auto&... fields) {
  return std::type_identity<std::tuple<std::remove_cvref_t<decltype(fields)>...>>{};
}));

template <class T>
consteval bool packable() {
  constexpr Kind k = kind<T>;
  if constexpr (k == Kind::none) {
    return std::is_void_v<T>;
  } else if constexpr (!fits<T>) {
    return false;  // an optional of an optional, a map whose keys are no scalars
  } else if constexpr (k == Kind::aggregate) {
    if constexpr (HasBase<T>) {
      return false;
    } else if constexpr (count_fields<T>() > fields_max) {
      return false;
    } else {
      return all_packable(FieldTypes<T>{});
    }
  } else if constexpr (k == Kind::optional || k == Kind::array || k == Kind::sequence ||
                       k == Kind::set) {
    return packable<typename T::value_type>();
  } else if constexpr (k == Kind::map) {
    return packable<typename T::key_type>() && packable<typename T::mapped_type>();
  } else if constexpr (k == Kind::expected) {
    return packable<typename T::value_type>() && packable<typename T::error_type>();
  } else if constexpr (k == Kind::variant || k == Kind::tuple) {
    return []<template <class...> class Of, class... Ts>(std::type_identity<Of<Ts...>>) {
      return (packable<Ts>() && ...);
    }(std::type_identity<T>{});
  } else {
    return true;
  }
}

/// T can go to another node and come back.
template <class T>
concept Packable = packable<T>();

}  // namespace coterie::detail
