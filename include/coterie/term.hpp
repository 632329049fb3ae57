#pragma once
// Messages as people read them in traces and logs, in Erlang's notation:
// {create_pledge,<<"moe">>,20}. Not a format to parse. Text and lists are cut at a bound, so a
// trace line never costs what its message does.

#include <cstddef>
#include <string>
#include <string_view>

#include <coterie/pack.hpp>
#include <coterie/server_ref.hpp>

namespace coterie {

/// Bytes of a rendered term, unless asked otherwise; what exceeds it ends in "...".
inline constexpr std::size_t term_bytes_max = 4096;

/// Collects the text of one term up to its bound.
class TermWriter {
 public:
  explicit TermWriter(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  bool full() const noexcept { return full_; }
  void raw(std::string_view text);   // as it is
  void text(std::string_view text);  // <<"moe">>, with escapes
  void binary(BytesView bytes);      // <<1,2,255>>
  void real(double value);
  std::string take() && { return std::move(text_); }

  /// "[" a "," b "]": call next() before each element.
  class List {
   public:
    List(TermWriter& out, std::string_view open, std::string_view close)
        : out_(out), close_(close) {
      out_.raw(open);
    }
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    ~List() { out_.raw(close_); }
    TermWriter& next() {
      if (!first_) out_.raw(",");
      first_ = false;
      return out_;
    }

   private:
    TermWriter& out_;
    std::string_view close_;
    bool first_ = true;
  };

 private:
  std::size_t bytes_max_;
  bool full_ = false;
  std::string text_;
};

namespace detail {

/// "contracts.create_pledge" -> "create_pledge".
constexpr std::string_view last_segment(std::string_view name) noexcept {
  return name.substr(name.rfind('.') + 1);  // npos + 1 == 0
}

/// A packed value of a type that has only a packed form.
void write_packed_term(TermWriter& out, BytesView packed);

template <class T>
void write_term(TermWriter& out, const T& value);

template <class T>
void write_fields(TermWriter& out, const T& value) {
  constexpr bool tagged = requires { std::string_view(T::type_name); };
  if constexpr (tagged && field_count<T> == 0) {
    out.raw(last_segment(T::type_name));
  } else {
    TermWriter::List tuple(out, "{", "}");
    if constexpr (tagged) tuple.next().raw(last_segment(T::type_name));
    apply_fields(value, [&](const auto&... fields) { (write_term(tuple.next(), fields), ...); });
  }
}

template <class T>
void write_term(TermWriter& out, const T& value) {
  constexpr Kind k = kind<T>;
  if (out.full()) return;
  if constexpr (!fits<T>) {
    report_misfit<typename Misfit<T>::type>();
  } else if constexpr (requires { to_string(value); } &&
                       (k == Kind::hand || k == Kind::aggregate)) {
    out.raw(to_string(value));  // a pid, an epoch, an exit reason, a user's own spelling
  } else if constexpr (k == Kind::hand) {
    write_packed_term(out, pack(value, Form::named));
  } else if constexpr (k == Kind::nil) {
    out.raw("nil");
  } else if constexpr (k == Kind::boolean) {
    out.raw(value ? "true" : "false");
  } else if constexpr (k == Kind::integer) {
    out.raw(std::to_string(value));
  } else if constexpr (k == Kind::real) {
    out.real(static_cast<double>(value));
  } else if constexpr (k == Kind::enumeration) {
    const std::string_view name = enum_name(value);
    name.empty() ? write_term(out, static_cast<std::underlying_type_t<T>>(value)) : out.raw(name);
  } else if constexpr (k == Kind::text) {
    out.text(value);
  } else if constexpr (k == Kind::binary) {
    out.binary(octets_view(value));
  } else if constexpr (k == Kind::duration) {
    out.raw(std::to_string(duration_count(value)));
  } else if constexpr (k == Kind::wall_time) {
    out.raw(std::to_string(value.time_since_epoch().count()));
  } else if constexpr (k == Kind::optional) {
    value ? write_term(out, *value) : out.raw("nil");
  } else if constexpr (k == Kind::expected) {
    TermWriter::List tuple(out, "{", "}");
    tuple.next().raw(value ? "ok" : "error");
    if (!value) {
      write_term(tuple.next(), value.error());
    } else if constexpr (!std::is_void_v<typename T::value_type>) {
      write_term(tuple.next(), *value);
    }
  } else if constexpr (k == Kind::variant) {
    std::visit([&](const auto& held) { write_term(out, held); }, value);
  } else if constexpr (k == Kind::tuple) {
    TermWriter::List tuple(out, "{", "}");
    std::apply([&](const auto&... held) { (write_term(tuple.next(), held), ...); }, value);
  } else if constexpr (k == Kind::map) {
    TermWriter::List map(out, "#{", "}");
    for (const auto& [key, held] : value) {
      if (out.full()) break;
      write_term(map.next(), key);
      out.raw(" => ");
      write_term(out, held);
    }
  } else if constexpr (k == Kind::aggregate) {
    write_fields(out, value);
  } else {
    TermWriter::List list(out, "[", "]");
    for (const auto& held : value) {
      if (out.full()) break;
      write_term<typename T::value_type>(list.next(), held);
    }
  }
}

}  // namespace detail

/// A tuple of the last segment of T::type_name, if it has one, and its fields. A message without
/// fields is its name alone. `to_string(value)` is used where a class has it.
template <class T>
std::string to_term(const T& value, std::size_t bytes_max = term_bytes_max) {
  TermWriter out(bytes_max);
  detail::write_term(out, value);
  return std::move(out).take();
}

}  // namespace coterie
