#pragma once
// Writing: C++ value -> MessagePack. Part of pack.hpp, which includes it.

#include <coterie/pack_types.hpp>

namespace coterie {
namespace detail {

template <class T>
void pack_integer(Packer& packer, T value) {
  if constexpr (std::is_signed_v<T>) {
    packer.integer(value);
  } else {
    packer.unsigned_integer(value);
  }
}

template <class E>
void pack_enum(Packer& packer, E value) {
  if (packer.form() == Form::named) {
    if (const std::string_view name = enum_name(value); !name.empty()) return packer.text(name);
  }
  pack_integer(packer, static_cast<std::underlying_type_t<E>>(value));
}

template <class Octets>
BytesView octets_view(const Octets& octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

template <class T>
std::int64_t duration_count(T value) {
  // The ends of the range keep their meaning of "for ever" in every unit.
  if (value == T::max()) return std::numeric_limits<std::int64_t>::max();
  if (value == T::min()) return std::numeric_limits<std::int64_t>::min();
  return value.count();
}

template <class T>
void pack_aggregate(Packer& packer, const T& value) {
  if constexpr (!fields_fit<T>) {
    report_misfit_of_fields<T>();
  } else {
    apply_fields(value, [&](const auto&... fields) {
      if (packer.form() == Form::named) {
        packer.map(sizeof...(fields));
        [[maybe_unused]] std::size_t index = 0;
        ((packer.text(field_names<T>[index++]), pack(packer, fields)), ...);
      } else {
        packer.array(sizeof...(fields));
        (pack(packer, fields), ...);
      }
    });
  }
}

}  // namespace detail

template <class T>
void pack(Packer& packer, const T& value) {
  using detail::Kind;
  constexpr Kind k = detail::kind<T>;
  if constexpr (!detail::fits<T>) {
    detail::report_misfit<typename detail::Misfit<T>::type>();
  } else if constexpr (k == Kind::hand) {
    Packing<T>::pack(packer, value);
  } else if constexpr (k == Kind::nil) {
    packer.nil();
  } else if constexpr (k == Kind::boolean) {
    packer.boolean(value);
  } else if constexpr (k == Kind::integer) {
    detail::pack_integer(packer, value);
  } else if constexpr (k == Kind::real) {
    packer.real(value);
  } else if constexpr (k == Kind::enumeration) {
    detail::pack_enum(packer, value);
  } else if constexpr (k == Kind::text) {
    packer.text(value);
  } else if constexpr (k == Kind::binary) {
    packer.binary(detail::octets_view(value));
  } else if constexpr (k == Kind::duration) {
    packer.integer(detail::duration_count(value));
  } else if constexpr (k == Kind::wall_time) {
    packer.integer(value.time_since_epoch().count());
  } else if constexpr (k == Kind::optional) {
    value ? pack(packer, *value) : packer.nil();
  } else {
    const Packer::Nesting nesting(packer);
    if constexpr (k == Kind::aggregate) {
      detail::pack_aggregate(packer, value);
    } else if constexpr (k == Kind::expected) {
      if (packer.form() == Form::named) {
        // A key that no field can have: whoever reads it without our types knows what it is.
        packer.map(1);
        packer.text(value ? detail::expected_value_key : detail::expected_error_key);
      } else {
        packer.array(2);
        packer.boolean(value.has_value());
      }
      if (!value) {
        pack(packer, value.error());
      } else if constexpr (std::is_void_v<typename T::value_type>) {
        packer.nil();
      } else {
        pack(packer, *value);
      }
    } else if constexpr (k == Kind::variant) {
      packer.array(2);
      packer.unsigned_integer(value.index());
      std::visit([&](const auto& held) { pack(packer, held); }, value);
    } else if constexpr (k == Kind::tuple) {
      packer.array(std::tuple_size_v<T>);
      std::apply([&](const auto&... held) { (pack(packer, held), ...); }, value);
    } else if constexpr (k == Kind::map) {
      packer.map(value.size());
      for (const auto& [key, held] : value) {
        pack(packer, key);
        pack(packer, held);
      }
    } else {
      packer.array(value.size());
      for (const auto& held : value) {
        pack<typename T::value_type>(packer, held);  // the type is named for vector<bool>
      }
    }
  }
}

}  // namespace coterie
